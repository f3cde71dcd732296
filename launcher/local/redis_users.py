"""The users of this system's own Redis: one per service, each with a random password in a private file."""

from pathlib import Path

from launcher.layout import Layout
from launcher.local import redis_server
from launcher.local.redis_server import Program
from pipeline.queue import users

LAUNCHER = "launcher"


def keep(home: Layout, program: Program) -> Path:
    """Make what is missing; the file of all users, for Redis. Raises OSError."""
    folder = home.redis_users
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    users.keep(folder, address(home), version=redis_server.parse(program.version))
    return folder / users.SERVER


def address(home: Layout) -> str:
    """The socket of this system's own Redis, as a URL without a user."""
    return f"unix://{home.sockets}/redis.sock"


def url_file(home: Layout, service: str) -> Path:
    """The file with the URL by which a service connects, its password included."""
    return users.url_file(home.redis_users, service)


def url(home: Layout) -> str:
    """The URL by which the launcher itself connects; without a user where Redis was started without any."""
    file = url_file(home, LAUNCHER)
    return file.read_text(encoding="utf-8") if file.exists() else address(home)
