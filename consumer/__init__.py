"""The consumer: receives messages over gRPC and enqueues them in Redis."""

import os

os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
"""gRPC reads it when it is imported; else it writes a line of its own for each TLS handshake that fails."""
