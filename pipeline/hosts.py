"""Hosts: allowed values of the Host header, and how they are written. Standard library only.

Another site can make its own DNS name point to this machine (DNS rebinding); a browser then lets its pages
read the responses. The ``Host`` header still contains that name, so unknown names are rejected.
"""

import re
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, ip_address

_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*", re.ASCII)
_HOST_AND_PORT = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:]+)(:[0-9]{0,5})?", re.ASCII)


def allowed(host_header: str | None, bind: str, extra: Collection[str]) -> bool:
    """Whether a request with this ``Host`` header is allowed.

    Args:
        host_header: as received, with or without a port; None if missing, which is rejected.
        bind: the address that the service listens on. On all addresses (``0.0.0.0``, ``::``) any IP
            address is allowed; a DNS name can't have the form of one.
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
    """The host of ``host``, ``host:port`` or ``[IPv6]:port`` in canonical form; None if invalid.

    Names are in lower case without a trailing dot; IP addresses are formatted by ``ipaddress``.
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


def host_port(host: str, port: int) -> str:
    """``host:port``, as URLs and gRPC have it, also where the host is an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def loopback_for(bind: str) -> str:
    """The address by which a service on this machine reaches one that listens on ``bind``."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bind, bind)
