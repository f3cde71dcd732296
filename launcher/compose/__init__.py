"""Docker mode: every service is a container, kept alive by the Docker engine."""
