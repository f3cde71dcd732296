"""The set-up of a real InfluxDB 2, and its dashboard."""
