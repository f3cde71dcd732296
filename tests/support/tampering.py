"""Changes a database by hand while the system runs, as no part of the system would."""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests

from load.rows import influx
from load.target import InfluxTarget
from pipeline.settings import Influx


class Tampering(ABC):
    """One database."""

    @abstractmethod
    def arrivals(self, run: str) -> dict[int, int]:
        """Arrival by number of what is stored of a run."""

    @abstractmethod
    def runs(self) -> list[str]:
        """The loads that have rows."""

    @abstractmethod
    def delete(self, run: str, number: int) -> None: ...

    @abstractmethod
    def add(self, run: str, number: int, arrived_ns: int) -> None: ...

    @abstractmethod
    def move(self, run: str, number: int, by_ns: int) -> None: ...


class SqliteTampering(Tampering):
    def __init__(self, path: Path) -> None:
        self._path = path

    def arrivals(self, run: str) -> dict[int, int]:
        with self._connected() as database:
            return dict(database.execute("SELECT number, arrived_ns FROM message WHERE run = ?", (run,)))

    def runs(self) -> list[str]:
        with self._connected() as database:
            query = "SELECT DISTINCT run FROM message WHERE run LIKE 'load-%' ORDER BY run"
            return [run for (run,) in database.execute(query)]

    def delete(self, run: str, number: int) -> None:
        self._change("DELETE FROM message WHERE run = ? AND number = ?", run, number)

    def add(self, run: str, number: int, arrived_ns: int) -> None:
        insert = "INSERT INTO message (run, number, sent_ns, arrived_ns, batch) SELECT ?, ?, ?, ?, max(batch)"
        self._change(f"{insert} FROM message", run, number, arrived_ns, arrived_ns)

    def move(self, run: str, number: int, by_ns: int) -> None:
        update = "UPDATE message SET arrived_ns = arrived_ns + ? WHERE run = ? AND number = ?"
        self._change(update, by_ns, run, number)

    def _change(self, statement: str, *values: object) -> None:
        with self._connected() as database, database:
            assert database.execute(statement, values).rowcount == 1

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=10)) as database:
            yield database


class InfluxTampering(Tampering):
    def __init__(self, settings: Influx) -> None:
        self._settings = settings

    def arrivals(self, run: str) -> dict[int, int]:
        there = self._settings
        return dict(influx.rows(InfluxTarget(there.url, there.token, there.org, there.bucket), run))

    def runs(self) -> list[str]:
        bucket = self._settings.bucket
        flux = f'import "influxdata/influxdb/schema" schema.tagValues(bucket: "{bucket}", tag: "run")'
        answer = self._post("query", json={"query": flux}).text
        words = {line.rpartition(",")[2].strip() for line in answer.splitlines()}
        return sorted(word for word in words if word.startswith("load-"))

    def delete(self, run: str, number: int) -> None:
        moment = _rfc3339(self.arrivals(run)[number])
        predicate = f'_measurement="message" AND run="{run}"'
        self._post("delete", json={"start": moment, "stop": moment, "predicate": predicate})

    def add(self, run: str, number: int, arrived_ns: int) -> None:
        fields = f"number={number}i,sent_ns={arrived_ns}i,transmission_ms=0.0"
        self._post("write", data=f"message,consumer=by-hand,run={run} {fields} {arrived_ns}")

    def move(self, run: str, number: int, by_ns: int) -> None:
        arrived_ns = self.arrivals(run)[number]
        self.delete(run, number)
        self.add(run, number, arrived_ns + by_ns)

    def _post(self, path: str, **arguments: Any) -> requests.Response:
        where = {"org": self._settings.org, "bucket": self._settings.bucket, "precision": "ns"}
        headers = {"Authorization": f"Token {self._settings.token}"}
        url = f"{self._settings.url}/api/v2/{path}"
        answer = requests.post(url, params=where, headers=headers, timeout=30, **arguments)
        answer.raise_for_status()
        return answer


def _rfc3339(ns: int) -> str:
    second, rest = divmod(ns, 10**9)
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"
