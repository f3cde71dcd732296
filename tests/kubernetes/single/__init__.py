"""One of each service, Redis and InfluxDB too."""
