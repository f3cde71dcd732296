"""The gateway: takes messages over HTTP, checks them and hands them on to the consumer over gRPC."""
