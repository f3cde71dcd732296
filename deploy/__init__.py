"""How the system is deployed: containers, and the set-up of its InfluxDB."""
