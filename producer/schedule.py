"""When the bursts are due: at multiples of the period in Unix time, so nothing can add up to a drift."""

from fractions import Fraction

from pipeline.clock import NS_PER_S, Clock


class Schedule:
    """The deadlines for ``rate`` bursts a second (above 0): deadline k is k / rate seconds after 1970."""

    def __init__(self, rate: float) -> None:
        # By its decimal text, so that 0.1 means a tenth and not the float beside it.
        self._period_ns = NS_PER_S / Fraction(str(rate))

    @property
    def period_ns(self) -> int:
        """Time between two bursts, rounded down."""
        return int(self._period_ns)

    def deadline_ns(self, index: int) -> int:
        """When burst ``index`` is due, Unix nanoseconds."""
        return int(index * self._period_ns)

    def after(self, now_ns: int) -> int:
        """The index of the first deadline that is later than ``now_ns``."""
        index = int(now_ns // self._period_ns)
        while self.deadline_ns(index) <= now_ns:  # once or twice: a deadline is rounded down
            index += 1
        return index


class Ticker:
    """Walks through a schedule by the wall clock, which may be set, and on a machine that may sleep.

    Args:
        tolerance_ns: a burst that could not begin within this time of its deadline is missed.
    """

    def __init__(self, schedule: Schedule, clock: Clock, *, tolerance_ns: int) -> None:
        self._schedule = schedule
        self._clock = clock
        self._tolerance_ns = tolerance_ns
        self._next = schedule.after(clock())
        self.missed = 0
        """Deadlines that passed without a burst."""

    def wait_ns(self) -> int:
        """Time until the next burst is due; 0 or less where that is now. Skips missed ones."""
        now_ns = self._clock()
        self._catch_up(now_ns)
        return self._schedule.deadline_ns(self._next) - now_ns

    def advance(self) -> int:
        """The deadline of the next burst, Unix nanoseconds; from now on the one after it is next."""
        deadline_ns = self._schedule.deadline_ns(self._next)
        self._next += 1
        return deadline_ns

    def _catch_up(self, now_ns: int) -> None:
        upcoming = self._schedule.after(now_ns)
        if self._next > upcoming + 1:  # the clock was set back by more than a period
            self._next = upcoming
            return
        newest_ns = self._schedule.deadline_ns(upcoming - 1)
        possible = upcoming if now_ns - newest_ns > self._tolerance_ns else upcoming - 1
        if self._next < possible:
            self.missed += possible - self._next
            self._next = possible
