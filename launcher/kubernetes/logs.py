"""The logs of pods as one, in the order of time, by ``kubectl logs``."""

import re
from collections.abc import Iterator, Sequence

from launcher import log_stream
from launcher.kubernetes.cluster import PART_OF, Cluster
from launcher.kubernetes.pods import Pod
from launcher.log_line import LogLine
from launcher.log_stream import Moment

_LINE = re.compile(r"\[pod/([^/\]]+)/[^\]]+\] (\S+Z) ?(.*)")
_OPTIONS = ("--prefix", "--timestamps", "--tail=-1", "--max-log-requests=100")


def read(cluster: Cluster, pods: Sequence[Pod], *, follow: bool) -> Iterator[LogLine]:
    """What these pods have written; with ``follow`` also what they write until they end."""
    names = {one.id: one.name for one in pods}
    services = ",".join(sorted({one.service for one in pods}))
    selector = f"{PART_OF},app.kubernetes.io/name in ({services})"

    def lines(*options: str) -> Iterator[tuple[Moment, LogLine]]:
        command = cluster.command("logs", "--selector", selector, *_OPTIONS, *options)
        return log_stream.lines(command, _LINE, names.get)

    def following(newest: str) -> Iterator[tuple[Moment, LogLine]]:
        return lines("--follow", *((f"--since-time={newest}",) if newest else ()))

    return log_stream.merge(lines(), following if follow else None)
