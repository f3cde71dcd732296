"""Logs: one JSON object per line on stderr, with run and number if the line concerns a message."""

import logging
import sys
from datetime import UTC, datetime
from typing import Any

from pythonjsonlogger.json import JsonFormatter


class _Formatter(JsonFormatter):
    def __init__(self, service: str) -> None:
        super().__init__("%(message)s")
        self._service = service

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        log_data["time"] = moment.replace("+00:00", "Z")
        log_data["level"] = record.levelname.lower()
        log_data["part"] = self._service
        log_data["logger"] = record.name
        super().add_fields(log_data, record, message_dict)


def setup(service: str, level: str) -> None:
    """Send every logger's records to stderr as JSON lines that name ``service``."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(service))
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    logging.captureWarnings(True)
    for chatty in ("rq.worker", "rq.job", "rq.queue", "urllib3", "werkzeug"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLogger().level))
