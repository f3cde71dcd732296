"""The sender of a request and its rights: tokens, owners of runs, and the rate of new runs."""

import hashlib
import hmac
import ipaddress
import logging
import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

from gateway import metrics
from gateway.problems import Problem, retry_later
from gateway.throttle import Throttle
from pipeline.tokens import Token, TokenSource

INVALID_TOKENS_PER_MINUTE = 60
INVALID_TOKENS_BURST = 10
"""Per address; further requests without a valid token get 429. A valid token is always accepted, so nobody
can lock out another sender behind the same address."""

_KEY = re.compile(r"[A-Za-z0-9_-]{16,128}")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sender:
    """The sender of a request."""

    address: str
    """The client's IPv4 address or IPv6 /64 network."""
    token_name: str = ""

    @property
    def id(self) -> str:
        """The key of its rate limits."""
        return f"token {self.token_name}" if self.token_name else self.address

    def owner(self, run_key: str | None) -> str:
        """The owner of the runs that it starts, for the consumer; empty: nobody.

        Raises:
            Problem: 422 if the key is invalid.
        """
        if run_key is not None and not _KEY.fullmatch(run_key):
            raise Problem(422, "Run-Key: must be 16 to 128 of A-Z a-z 0-9 _ -")
        if self.token_name:
            return f"t:{self.token_name}"
        return f"k:{hashlib.sha256(run_key.encode()).hexdigest()[:32]}" if run_key else ""


@lru_cache(maxsize=1_000)
def network_of(address: str) -> str:
    """The network of a single client: an IPv4 address, or an IPv6 /64 network (RFC 6177)."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, 64), strict=False))


class Tokens:
    """Checks the Authorization header of requests."""

    def __init__(self, source: TokenSource) -> None:
        self._source = source
        self._invalid_tokens = Throttle(INVALID_TOKENS_PER_MINUTE, INVALID_TOKENS_BURST)
        self._logged = Throttle(per_minute=12, burst=5)

    @property
    def needed(self) -> bool:
        """Whether requests need a token."""
        return bool(self._source.current)

    def sender(self, authorization: str, address: str) -> Sender:
        """The sender. Raises Problem: 401 without a valid token, 429 after many such requests."""
        network = network_of(address)
        tokens = self._source.current
        if not tokens:
            return Sender(network)
        token = _find(tokens, authorization)
        if token is None:
            raise self._reject(network)
        return Sender(network, token.name)

    def _reject(self, network: str) -> Problem:
        metrics.UNAUTHORIZED.inc()
        wait_s = self._invalid_tokens.acquire(network)
        if not self._logged.acquire("all"):
            log.warning("a request without a valid token was rejected", extra={"address": network})
        if wait_s:
            return retry_later(429, "too many requests without a valid token", math.ceil(wait_s))
        text = "a valid token is required: Authorization: Bearer …"
        return Problem(401, text, headers={"WWW-Authenticate": "Bearer"})


def _find(tokens: Collection[Token], authorization: str) -> Token | None:
    """The token in the header. Every token is compared, in constant time."""
    given = authorization.encode()
    found = None
    for token in tokens:
        if hmac.compare_digest(given, f"Bearer {token.secret}".encode()):
            found = token
    return found
