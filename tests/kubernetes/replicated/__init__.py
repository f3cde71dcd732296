"""Redis with replicas and Sentinels on three nodes, and two of most services."""
