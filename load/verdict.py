"""Compares what a sender knows with what a database holds, number by number.

Shared by everything that judges a run: it needs a ``Ledger`` and rows of (number, arrival), nothing else.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from load.ledger import ACKNOWLEDGED, NOT_SENT, REFUSED, UNKNOWN, Ledger
from load.numbers import Numbers

VALID, INVALID, UNDECIDED = "VALID", "INVALID", "UNDECIDED"
EXIT_STATUS = {VALID: 0, INVALID: 1, UNDECIDED: 3}

Row = tuple[int, int]
"""A stored message: its number, and its arrival in Unix nanoseconds."""

_SEEN, _AS_ANSWERED, _AGAIN = 1, 2, 4


@dataclass(frozen=True, slots=True)
class Findings:
    """What a comparison found."""

    acknowledged: int
    refused: int
    unknown: int
    stored: int
    """Rows of the run."""
    compared: int
    """Numbers whose arrival was compared: an answer reported it, and they are stored."""
    lost: Numbers
    """Acknowledged and not in the database."""
    duplicated: Numbers
    """The count is of rows beyond the first of a number that was sent; the numbers are listed once."""
    recovered: Numbers
    """Refused or unknown, and in the database."""
    unexpected: Numbers
    """In the database and never sent; the count is of rows."""
    moved: Numbers
    """Stored, but with another arrival than the first answer reported, cut to microseconds."""

    @property
    def agrees(self) -> bool:
        """Whether nothing contradicts what was answered."""
        wrong = (self.lost, self.duplicated, self.unexpected, self.moved)
        return not any(numbers.count for numbers in wrong)

    @property
    def open(self) -> int:
        """Messages that were not acknowledged and are not there; they may still come."""
        return self.refused + self.unknown - self.recovered.count

    @property
    def verdict(self) -> str:
        """VALID where the database agrees and something was acknowledged."""
        return VALID if self.agrees and self.acknowledged else INVALID


def verdict(findings: Findings | None) -> str:
    """The verdict; None stands for a database that could not be read."""
    return findings.verdict if findings else UNDECIDED


def check(ledger: Ledger, rows: Iterable[Row]) -> Findings:
    """Compare ``ledger`` with all ``rows`` of its run. Exact; a byte more a message while it works."""
    comparison = _Comparison(ledger)
    for number, arrived_ns in rows:
        comparison.add(number, arrived_ns)
    return comparison.findings()


@dataclass(slots=True)
class _Comparison:
    ledger: Ledger
    marks: bytearray = field(init=False)
    rows: int = 0
    again: int = 0
    unexpected_rows: int = 0
    unexpected: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.marks = bytearray(len(self.ledger))

    def add(self, number: int, arrived_ns: int) -> None:
        self.rows += 1
        if not 0 <= number < len(self.marks) or self.ledger.states[number] == NOT_SENT:
            self.unexpected_rows += 1
            self.unexpected.add(number)
            return
        if self.marks[number] & _SEEN:
            self.again += 1
            self.marks[number] |= _AGAIN
        self.marks[number] |= _SEEN
        if self.ledger.arrived_us(number) == arrived_ns // 1_000:
            self.marks[number] |= _AS_ANSWERED

    def findings(self) -> Findings:
        ledger = self.ledger
        compared = sum(1 for number in self._marked(_SEEN) if ledger.arrived_us(number) is not None)
        twice = Numbers.of(self._marked(_AGAIN))
        return Findings(
            acknowledged=ledger.count(ACKNOWLEDGED),
            refused=ledger.count(REFUSED),
            unknown=ledger.count(UNKNOWN),
            stored=self.rows,
            compared=compared,
            lost=Numbers.of(self._states((ACKNOWLEDGED,), stored=False)),
            duplicated=Numbers(self.again, twice.intervals),
            recovered=Numbers.of(self._states((REFUSED, UNKNOWN), stored=True)),
            unexpected=Numbers(self.unexpected_rows, Numbers.of(sorted(self.unexpected)).intervals),
            moved=Numbers.of(self._moved()),
        )

    def _marked(self, mark: int) -> Iterator[int]:
        return (number for number, marks in enumerate(self.marks) if marks & mark)

    def _states(self, wanted: tuple[int, ...], *, stored: bool) -> Iterator[int]:
        pairs = enumerate(zip(self.ledger.states, self.marks, strict=True))
        return (number for number, (state, marks) in pairs if state in wanted and bool(marks) is stored)

    def _moved(self) -> Iterator[int]:
        for number, marks in enumerate(self.marks):
            if marks & _SEEN and not marks & _AS_ANSWERED and self.ledger.arrived_us(number) is not None:
                yield number
