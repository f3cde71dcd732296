"""The store in InfluxDB 2.

``client`` talks to the server, ``data_model`` says what is stored, ``queries`` what is asked,
``slice_cache`` keeps what was counted, ``totals`` keeps it in step with the database, ``store`` is the
adapter of ``pipeline.store.base``.
"""

from pipeline.store.influx.store import InfluxStore

__all__ = ["InfluxStore"]
