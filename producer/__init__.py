"""Sends the messages: bursts on the second, and retries for what could not be delivered."""
