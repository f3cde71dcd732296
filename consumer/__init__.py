"""The consumer: receives messages over gRPC and puts them on the queue in Redis."""
