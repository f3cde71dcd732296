"""The gateway: accepts messages over HTTP, checks them and forwards them to the consumer over gRPC."""
