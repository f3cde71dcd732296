"""The SQLite store's queries of a window of arrivals."""

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.message import ClockOffset
from pipeline.store.figures import OFF_NS

_IN_WINDOW = "arrived_ns > :after AND arrived_ns <= :until"

_MEANS = """
SELECT count(*), avg(arrived_ns - sent_ns), avg(gateway_ns - sent_ns), avg(arrived_ns - gateway_ns),
       avg(taken_ns - arrived_ns), avg(stored_ns - taken_ns), avg(queued_ns - arrived_ns)
FROM message JOIN batch ON batch.id = message.batch
WHERE {within} AND {near}
"""

_TRANSMISSIONS = """
SELECT arrived_ns - sent_ns AS transmission_ns FROM message WHERE {within} AND {near} ORDER BY transmission_ns
"""

_LEFT_OUT = """
SELECT count(*) FILTER (WHERE NOT ({near})), max(arrived_ns) FILTER (WHERE arrived_ns < sent_ns)
FROM message WHERE {within}
"""


@dataclass(frozen=True, slots=True)
class WindowQueries:
    """The queries of a window, and their parameters."""

    means: str
    transmissions: str
    left_out: str
    parameters: dict[str, int | str]


def queries(after_ns: int, until_ns: int, clocks: Mapping[str, ClockOffset]) -> WindowQueries:
    """The queries of the messages in this range; see ``Store.window``."""
    parameters: dict[str, int | str] = {"after": after_ns, "until": until_ns, "off": OFF_NS}
    cases = ""
    for index, (run, clock) in enumerate(clocks.items()):
        if abs(clock.offset_ns) > clock.error_ns:
            cases += f" WHEN :run{index} THEN :offset{index}"
            parameters |= {f"run{index}": run, f"offset{index}": clock.offset_ns}
    offset = f" - CASE run{cases} ELSE 0 END" if cases else ""
    near = f"abs(arrived_ns - sent_ns{offset}) <= :off"
    means, transmissions, left_out = (
        query.format(within=_IN_WINDOW, near=near) for query in (_MEANS, _TRANSMISSIONS, _LEFT_OUT)
    )
    return WindowQueries(means, transmissions, left_out, parameters)
