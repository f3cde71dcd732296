"""The overlay ``production``, with Redis and InfluxDB outside of the cluster."""
