"""What the services share: the message, the settings, the store, logs and metrics."""
