"""Asking something that may be slow, refuse, or never answer."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import gevent

from pipeline.redact import without_credentials
from web import metrics

Question = TypeVar("Question")
Answer = TypeVar("Answer")

PATIENCE_S = 1.0
"""An answer may take so long before it is said that there is none. A reading asks once a second and waits
half a second, so this is said 1.5 s after the question, and within 3 s of what keeps the answer back."""


class Task(Protocol):
    """A call under way, in a greenlet or in a thread of gevent's pool."""

    def get(self, *, block: bool, timeout: float) -> Any:
        """What it returned. Raises what it raised, or gevent.Timeout."""


@dataclass(frozen=True, slots=True)
class _Refusal:
    """That there is no answer now, and why."""

    reason: str


class Asking(Generic[Question, Answer]):
    """Asks one question at a time and keeps the last answer.

    Args:
        name: what is asked, in words, e.g. ``database``.
        ask: the question's call; it may take long.
        refusal: the exception by which it says that it can't answer now.
        spawn: starts a call elsewhere and returns at once: ``gevent.spawn`` or a thread pool's.
        monotonic: a clock in seconds.
    """

    def __init__(
        self,
        name: str,
        ask: Callable[[Question], Answer],
        refusal: type[Exception],
        *,
        spawn: Callable[..., Task],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._ask = ask
        self._refusal_type = refusal
        self._spawn = spawn
        self._monotonic = monotonic
        self._task: Task | None = None
        self._refusal: _Refusal | None = None
        self._asked_s = monotonic()
        self.answer: Answer | None = None
        """The last answer there was; None before the first."""
        self.answers = 0
        """How many there were."""

    @property
    def error(self) -> str | None:
        """Why there is no answer now, in words; None while all is well."""
        if self._task is not None and self._monotonic() - self._asked_s > PATIENCE_S:
            return f"The {self._name} can't be read: no answer for more than {PATIENCE_S:.0f} s"
        return f"The {self._name} can't be read: {self._refusal.reason}" if self._refusal else None

    def ask(self, question: Question) -> None:
        """Ask, unless an earlier question is still open."""
        self.wait(0.0)
        if self._task is None:
            self._asked_s = self._monotonic()
            self._task = self._spawn(self._answer, question)

    def wait(self, timeout_s: float) -> None:
        """Wait for the answer, ``timeout_s`` at most."""
        if self._task is None:
            return
        try:
            outcome = self._task.get(block=True, timeout=max(0.0, timeout_s))
        except gevent.Timeout:
            return
        self._task = None
        self._hear(outcome)

    def _answer(self, question: Question) -> Answer | _Refusal:
        try:
            return self._ask(question)
        except self._refusal_type as error:
            return _Refusal(without_credentials(str(error)))

    def _hear(self, outcome: Answer | _Refusal) -> None:
        if isinstance(outcome, _Refusal):
            metrics.READING_ERRORS.labels(self._name).inc()
            self._refusal = outcome
        else:
            self._refusal = None
            self.answer = outcome
            self.answers += 1
