"""The worker: dequeues jobs from Redis and writes their messages to the store."""
