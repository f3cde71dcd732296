"""This system beside other queues: the same front end, the same database, the same senders."""
