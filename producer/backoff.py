"""How long to wait before another try: exponential, with full jitter, as the server wishes."""

import random
from collections.abc import Callable

from producer.post import Outcome, Verdict

BASE_S = 0.1
CAP_S = 2.0
"""Low, so that a backlog begins to shrink soon after the gateway is back."""

SLOW_S = 10.0
"""After a refused token, which only a person can mend."""

Uniform = Callable[[float, float], float]


class Backoff:
    """The pauses of one sender: full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter")."""

    def __init__(self, uniform: Uniform = random.uniform) -> None:
        self._uniform = uniform
        self._ceiling_s = BASE_S

    def after(self, outcome: Outcome) -> float:
        """Seconds to wait after a try that failed."""
        if outcome.verdict is Verdict.AGAIN_SLOWLY:
            return self._uniform(SLOW_S / 2, SLOW_S)
        ceiling_s = self._ceiling_s
        self._ceiling_s = min(2 * ceiling_s, CAP_S)
        return max(outcome.retry_after_s, self._uniform(0.0, ceiling_s))

    def reset(self) -> None:
        """A try succeeded."""
        self._ceiling_s = BASE_S
