"""The gateway: accepts messages over HTTP, checks them and forwards them to the consumer over gRPC."""

import os

os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
"""gRPC reads it when it is imported; else it writes a line of its own for each TLS handshake that fails."""
