"""Sets an InfluxDB 2 server up for the pipeline: organisation, bucket, two tokens, dashboard.

``python -m deploy.influxdb`` does it once and ends; a second run changes nothing. Standard library only,
and only the server's HTTP API, so it runs in a container and beside a local ``influxd`` alike.
"""
