"""Where one rival's Redis and database are; its modules read it, since its own programs import them."""

import os
from dataclasses import dataclass
from pathlib import Path

REDIS, DATABASE, CONNECTIONS = "RIVALS_REDIS_URL", "RIVALS_DATABASE", "RIVALS_CONNECTIONS"


@dataclass(frozen=True, slots=True)
class Place:
    """Read once per process."""

    redis_url: str
    """A Unix socket, as this system uses."""
    database: Path
    connections: int
    """Connections to Redis that a front end's threads need at once."""

    def environ(self) -> dict[str, str]:
        """What a process of the rival needs in its environment."""
        return {
            REDIS: self.redis_url,
            DATABASE: str(self.database),
            CONNECTIONS: str(self.connections),
        }


def here() -> Place:
    """The place of this process."""
    environ = os.environ
    return Place(
        environ.get(REDIS, "unix:///nowhere"),
        Path(environ.get(DATABASE, "nowhere.db")),
        int(environ.get(CONNECTIONS, "10")),
    )
