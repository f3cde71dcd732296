"""Clients of the primary that Sentinel names: each new connection asks for it, so they follow a failover.

redis-py does this (``redis.sentinel``). A connection that is answered READONLY, by a primary that has become
a replica, is closed and reported as a connection error; so is one that gets no answer in time. One that is
answered NOREPLICAS is closed once it is not in use: a primary that was just replaced, and does not know it
yet, answers so.
"""

from typing import Any, cast

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelManagedConnection, SentinelManagedSSLConnection

from pipeline.queue.sentinel_url import SentinelUrl

SENTINEL_TIMEOUT_S = 0.5
"""To connect to a Sentinel, and for its answer. They are asked one after the other: a lost machine that had a
Sentinel delays the first question after its loss by this much."""


class Connection(SentinelManagedConnection):
    """One that is closed where an answer does not come in time, as redis-py's other connections are.

    Its own one for Sentinels stays open then: commands would go on to a machine that is gone, as long as the
    kernel repeats what was not confirmed, and a late answer would be mistaken for that of the next command.
    """

    def read_response(  # type: ignore[override] # the same, with another default
        self, *args: Any, disconnect_on_error: bool = True, **options: Any
    ) -> Any:
        try:
            return super().read_response(*args, disconnect_on_error=disconnect_on_error, **options)
        except ResponseError as error:
            if "NOREPLICAS" in str(error):
                self.mark_for_reconnect()  # type: ignore[no-untyped-call]
            raise


class TlsConnection(Connection, SentinelManagedSSLConnection):
    """The same, by TLS."""


class UnknownPrimary(Exception):
    """Sentinels answer, and none of them watches a primary of this name."""


def connect(address: SentinelUrl, *, timeout_s: float, retry: Retry) -> Redis:
    """A client of the primary. Connects at the first command, which raises redis.RedisError."""
    client: Redis = _sentinel(address).master_for(  # type: ignore[no-untyped-call]
        address.primary,
        connection_class=TlsConnection if address.tls else Connection,
        db=address.database,
        username=address.username or None,
        password=address.password or None,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=retry,
        health_check_interval=0,
        **_tls(address),
    )
    return client


def check_name(address: SentinelUrl) -> None:
    """Return where a Sentinel watches this primary, or where none answers.

    Raises:
        UnknownPrimary: the setting is wrong, and waiting would not help.
    """
    known = [names for sentinel in _sentinel(address).sentinels if (names := _names(sentinel)) is not None]
    if known and not any(address.primary in names for names in known):
        watched = ", ".join(sorted(set().union(*known))) or "none"
        raise UnknownPrimary(
            f"the Sentinels at {address.described} know no primary {address.primary}; they watch: {watched}"
        )


def _names(sentinel: Redis) -> set[str] | None:
    """The primaries that it watches; None where it does not answer."""
    try:
        return set(cast("dict[str, Any]", sentinel.sentinel_masters()))
    except (RedisError, OSError):
        return None


def _sentinel(address: SentinelUrl) -> Sentinel:
    options = {
        "username": address.sentinel_username or None,
        "password": address.sentinel_password or None,
        "socket_timeout": SENTINEL_TIMEOUT_S,
        "socket_connect_timeout": SENTINEL_TIMEOUT_S,
        "retry": Retry(NoBackoff(), 0),
        **_tls(address),
    }
    return Sentinel(address.sentinels, sentinel_kwargs=options)  # type: ignore[no-untyped-call]


def _tls(address: SentinelUrl) -> dict[str, Any]:
    """redis-py's options for TLS, the same for Sentinels and servers."""
    return {"ssl": True, **dict(address.tls_files)} if address.tls else {}
