"""The consumer: takes messages over gRPC, queues them in Redis; its workers write them to the store."""
