"""Which hosts a request may name. Standard library only, like ``pipeline.settings``.

A page from elsewhere can make its own DNS name point at this machine (DNS rebinding); a browser then lets
it read what is answered. The ``Host`` header still holds that name, so names that are not known are refused.
"""

import re
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, ip_address

_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*", re.ASCII)
_HOST_AND_PORT = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:]+)(:[0-9]{0,5})?", re.ASCII)


def allowed(host_header: str | None, bind: str, extra: Collection[str]) -> bool:
    """Whether a request with this ``Host`` header may be answered.

    Args:
        host_header: as received, with or without a port; None where there was none, which is refused.
        bind: the address that the service listens on. On all addresses (``0.0.0.0``, ``::``) any IP
            address is a way to reach it; no DNS name can pretend to be one.
        extra: further hosts, as ``parse`` returns them.
    """
    host = parse(host_header or "")
    if host is None:
        return False
    bound = _address(bind) or bind.lower()
    if host in extra or host in ("localhost", str(bound)):
        return True
    address = _address(host)
    if address is None:
        return False
    return address.is_loopback or (bound in _WILDCARDS)


def parse(text: str) -> str | None:
    """The host of ``host``, ``host:port`` or ``[IPv6]:port`` in its one spelling; None where it is invalid.

    Names are lower case and without the dot that may end them, IP addresses are as ``ipaddress`` writes them.
    """
    match = _HOST_AND_PORT.fullmatch(text.lower())
    if match is None:
        return None
    host = match[1]
    if host.startswith("["):
        address = _address(host[1:-1])
        return str(address) if isinstance(address, IPv6Address) else None
    name = host.removesuffix(".")
    return name if len(name) <= 253 and _NAME.fullmatch(name) else None


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


_WILDCARDS = (IPv4Address("0.0.0.0"), IPv6Address("::"))
