"""What each rival's task does."""

from bench.rivals.database import Row, Writer
from bench.rivals.place import here
from pipeline.message import Arrival

_writer = Writer(here().database)
store = _writer.store


def row_of(arrival: Arrival) -> list[object]:
    """The arguments of a task for ``arrival``."""
    message = arrival.message
    return [message.run, message.number, message.sent_ns, arrival.arrived_ns, message.gateway_ns]


__all__ = ["Row", "row_of", "store"]
