"""When the last message arrived, although clocks differ."""


class LastArrival:
    """The last arrival of some messages; of one that arrived in the future, when it was first seen.

    A clock was ahead for a while then, and what is seen says when messages came.
    """

    def __init__(self) -> None:
        self._seen: tuple[int | None, ...] | None = None
        self._last_ns: int | None = None

    def update(self, at_ns: int, last_ns: int | None, *counts: int | None) -> int | None:
        """The moment in ns.

        Args:
            at_ns: now.
            last_ns: the last arrival as it was stamped; None if there is none.
            counts: of these messages; another one means that messages came.
        """
        seen = (last_ns, *counts)
        if seen != self._seen:
            self._seen = seen
            self._last_ns = None if last_ns is None else min(last_ns, at_ns)
        return self._last_ns
