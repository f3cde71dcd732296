"""The consumer: receives messages over gRPC and enqueues them in Redis."""
