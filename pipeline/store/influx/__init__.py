"""The store in InfluxDB 2.

``client`` talks to the server; ``data_model`` has what is written, ``flux`` the queries;
``change_reader`` finds the slices of time that changed, ``counting`` has them counted, ``slice_cache`` keeps
the counts, ``run_totals`` adds them up; ``store`` is the adapter of ``pipeline.store.base``.
"""

from pipeline.store.influx.store import InfluxStore

__all__ = ["InfluxStore"]
