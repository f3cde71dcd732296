"""What the tests share: processes, servers, senders, faults."""
