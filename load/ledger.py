"""What a sender knows of each message that it sent, by number."""

from array import array

NOT_SENT, UNKNOWN, REFUSED, ACKNOWLEDGED = range(4)
"""States of a number: never sent · no answer · answered otherwise than 202 · answered 202."""

_NO_ARRIVAL = -(2**63)


class Ledger:
    """States of the numbers from 0 on, and the arrival times that answers reported.

    A byte a message and eight a request: 9 MB for a million messages sent one by one.

    Args:
        batch: messages a request carries at most; an answer reports the arrival of its first message.
    """

    def __init__(self, batch: int = 1) -> None:
        self._batch = batch
        self._states = bytearray()
        self._arrivals_us = array("q")

    def __len__(self) -> int:
        """One more than the highest number that was sent."""
        return len(self._states)

    @property
    def states(self) -> bytes | bytearray:
        """The state of each number."""
        return self._states

    def sent(self, first: int, count: int = 1) -> None:
        """A request with ``count`` messages from ``first`` on is sent for the first time."""
        self._grow(first + count)
        self._states[first : first + count] = bytes((UNKNOWN,)) * count

    def refused(self, first: int, count: int = 1) -> None:
        """It was answered otherwise than 202."""
        self._states[first : first + count] = bytes((REFUSED,)) * count

    def acknowledged(self, first: int, count: int = 1, arrived_us: int | None = None) -> None:
        """It was answered 202; ``arrived_us``: Unix microseconds, None where the answer had none."""
        self._states[first : first + count] = bytes((ACKNOWLEDGED,)) * count
        if arrived_us is not None:
            self._arrivals_us[first // self._batch] = arrived_us

    def arrived_us(self, number: int) -> int | None:
        """The arrival that an answer reported for ``number``."""
        request, rest = divmod(number, self._batch)
        if rest or number >= len(self._states):
            return None
        arrived_us = self._arrivals_us[request]
        return None if arrived_us == _NO_ARRIVAL else arrived_us

    def count(self, state: int) -> int:
        """Numbers in that state."""
        return self._states.count(state)

    def _grow(self, size: int) -> None:
        self._states.extend(bytes(max(0, size - len(self._states))))
        requests = -(-size // self._batch)
        missing = requests - len(self._arrivals_us)
        if missing > 0:
            self._arrivals_us.extend([_NO_ARRIVAL] * missing)
