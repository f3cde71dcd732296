"""How one part is, in the same words for every mode."""

from dataclasses import dataclass
from datetime import UTC, datetime

HEALTHY = "healthy"
STARTING = "starting"
UNHEALTHY = "unhealthy"
STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class PartStatus:
    """One part, as it is now."""

    name: str
    state: str
    since_s: float | None = None
    """Unix time at which its process started."""
    restarts: int = 0
    """How often it was started again by itself since ``up``."""

    def line(self) -> str:
        """The part on one line."""
        since = "-" if self.since_s is None else _local_time(self.since_s)
        return f"{self.name:<11} {self.state:<10} since {since:<25}  restarts {self.restarts}"


def _local_time(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).astimezone().isoformat(timespec="seconds")
