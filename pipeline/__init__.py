"""What every part of the pipeline shares: the message, the settings, the store, logs and metrics."""
