"""Sends the messages: bursts on the second, and a backlog for what could not leave."""
