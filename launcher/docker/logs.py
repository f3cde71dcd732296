"""The logs of containers as one, in the order of time."""

import heapq
import queue
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any

from launcher.docker.containers import Container, unix_s
from launcher.log_line import LogLine, Parser

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT")
AGAIN_S = 0.5
"""``docker logs`` ends when a container stops; it is asked again until the container is gone."""


def read(containers: list[Container], *, follow: bool) -> Iterator[LogLine]:
    """What the containers have written; with ``follow`` also what they write from now on."""
    if not follow:
        return heapq.merge(*map(_sorted_history, containers), key=lambda line: line.time_s)
    return _follow(containers)


def last_line(container: Container) -> str:
    """What it said last, its message alone."""
    lines = list(_lines(container, "--tail", "1"))
    return lines[-1][1].message if lines else "it said nothing"


def last_fields(container: Container) -> dict[str, Any]:
    """The fields of the JSON object that it wrote last."""
    lines = list(_lines(container, "--tail", "1"))
    return lines[-1][1].fields if lines else {}


def _sorted_history(container: Container) -> Iterator[LogLine]:
    """What the streams stdout and stderr of a container hold may be a little out of order."""
    return iter(sorted((line for _, line in _lines(container)), key=lambda line: line.time_s))


def _follow(containers: list[Container]) -> Iterator[LogLine]:
    lines: queue.Queue[LogLine | None] = queue.Queue(maxsize=1000)
    for container in containers:
        threading.Thread(target=_tail, args=(container, lines), daemon=True).start()
    left = len(containers)
    while left:
        line = lines.get()
        if line:
            yield line
        else:
            left -= 1


def _tail(container: Container, lines: "queue.Queue[LogLine | None]") -> None:
    """Put its lines into ``lines``, and None when the container is gone."""
    try:
        _tail_while_it_exists(container, lines)
    finally:
        lines.put(None)


def _tail_while_it_exists(container: Container, lines: "queue.Queue[LogLine | None]") -> None:
    since: tuple[str, ...] = ()
    while _exists(container):
        for moment, line in _lines(container, "--follow", *since):
            if since != ("--since", moment):  # the engine repeats the line of that very moment
                lines.put(line)
            since = ("--since", moment)
        time.sleep(AGAIN_S)


def _lines(container: Container, *options: str) -> Iterator[tuple[str, LogLine]]:
    """Each line with the engine's moment of it, which stands in where the line itself tells none."""
    command = ["docker", "logs", "--timestamps", *options, container.id]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    try:
        for raw in process.stdout or ():
            moment, _, text = raw.rstrip("\r\n").partition(" ")
            if text.strip() and _MOMENT.match(moment):  # else docker says that the container is gone
                yield moment, Parser(container.name, unix_s(moment)).parse(text)
    finally:
        process.kill()
        process.wait()


def _exists(container: Container) -> bool:
    command = ["docker", "inspect", "--format", "{{.Id}}", container.id]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
