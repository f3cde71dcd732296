"""What is to be sent, and when: an open loop, so a slow system does not slow the load down."""

import argparse
import math
from dataclasses import dataclass

from pipeline.message import MAX_BATCH

MOST_RATE = 100_000
MOST_SECONDS = 3_600


@dataclass(frozen=True, slots=True)
class Plan:
    """``rate`` messages a second for ``seconds``, ``batch`` of them a request."""

    rate: float
    seconds: float
    batch: int

    @property
    def requests(self) -> int:
        """How many requests that makes."""
        return max(1, math.ceil(self.rate * self.seconds / self.batch))

    def due_s(self, index: int) -> float:
        """When the request ``index`` is due, in seconds after the start."""
        return index * self.batch / self.rate

    def numbers(self, index: int) -> range:
        """The numbers of the messages in the request ``index``."""
        return range(index * self.batch, (index + 1) * self.batch)


def read(arguments: list[str]) -> Plan:
    """The plan that the command line asks for; one line on stderr and exit status 2 if it makes no sense."""
    parser = argparse.ArgumentParser(prog="start.sh load", description="Send a measured load.")
    parser.add_argument("--rate", type=_number(MOST_RATE), required=True, help="messages a second")
    parser.add_argument("--for", type=_number(MOST_SECONDS), required=True, dest="seconds", help="seconds")
    parser.add_argument("--batch", type=_batch, default=1, help="messages a request, 1 to 1,000 (default 1)")
    return Plan(**vars(parser.parse_args(arguments)))


def _number(most: float) -> "type[float]":
    def parse(text: str) -> float:
        value = float(text)
        if not 0 < value <= most:
            raise argparse.ArgumentTypeError(f"must be over 0 and {most:,} at the most")
        return value

    parse.__name__ = "number"  # what argparse calls it in an error
    return parse  # type: ignore[return-value]  # argparse takes any callable


def _batch(text: str) -> int:
    value = int(text)
    if not 1 <= value <= MAX_BATCH:
        raise argparse.ArgumentTypeError(f"must be from 1 to {MAX_BATCH:,}")
    return value
