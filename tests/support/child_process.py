"""A program that a test starts, freezes, thaws and ends."""

import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.freezing import freeze
from tests.support.ports import listens
from tests.support.waiting import until

PROJECT = Path(__file__).parents[2]
PATIENCE_S = 30.0


class ChildProcess:
    """``command``, not started yet; what it writes is appended to ``log_file``.

    ``environ``: its whole environment; None: that of the test.
    """

    def __init__(
        self, command: Sequence[str], log_file: Path, environ: Mapping[str, str] | None = None
    ) -> None:
        self._command = command
        self._environ = environ
        self._process: subprocess.Popen[bytes] | None = None
        self.log_file = log_file

    def start(self, *options: str) -> None:
        """Start it, with more options if there are any, and don't wait for anything."""
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._command, *options], cwd=PROJECT, env=self._environ, stdout=log, stderr=log
            )

    @contextmanager
    def serving(self, port: int) -> Iterator[None]:
        """Started, and listening on ``port``; ended afterwards."""
        self.start()
        try:
            until(lambda: listens(port), what=f"{self._command[0]} does not answer", log=self.log_file)
            yield
        finally:
            self.end()

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Harmless where it has ended, or never started."""
        if self._process:
            self._process.send_signal(number)

    def freeze(self) -> None:
        freeze(self.pid)

    def thaw(self) -> None:
        self.signal(signal.SIGCONT)

    def stop(self) -> int:
        """End it with SIGTERM; its exit status."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def wait(self, within_s: float = PATIENCE_S) -> int:
        """Its exit status, once it has ended. Raises subprocess.TimeoutExpired."""
        assert self._process
        return self._process.wait(within_s)

    def refusal(self, within_s: float = PATIENCE_S) -> str:
        """The one line in its log of why it does not start; its exit status is 2."""
        assert self.wait(within_s) == 2
        (line,) = self.text().splitlines()
        return line

    def kill(self) -> None:
        """End it at once (SIGKILL); harmless where it has ended, or never started."""
        if self._process:
            self._process.kill()
            self._process.wait(10)

    def end(self) -> None:
        """End it, frozen or not, or where it can't be ended so within 12 s: kill it."""
        if self.runs:
            self.thaw()
            self.signal(signal.SIGTERM)
            try:
                self.wait(12)
            except subprocess.TimeoutExpired:
                self.kill()

    def text(self) -> str:
        """Its log so far."""
        return self.log_file.read_text()
