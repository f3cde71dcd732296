"""Sets an InfluxDB 2 server up for the pipeline: organisation, bucket, two tokens, dashboard.

``python -m deploy.influxdb`` does it once and exits; a second run changes nothing. It talks to the
server alone, so it runs in a container and with a local ``influxd`` alike.
"""
