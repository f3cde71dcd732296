"""This system beside other queues: the same front door, the same database, the same senders."""
