"""Checks that the ports are free before anything starts."""

import errno
import socket
from collections.abc import Collection
from functools import partial
from ipaddress import ip_address

from launcher.configuration import Configuration
from launcher.errors import USAGE, UserError
from pipeline.listening import once_released


def wanted(configuration: Configuration, *, grpc: bool, influx: bool) -> dict[str, int]:
    """The ports that a system listens on, by the names of their settings.

    Args:
        configuration: where their numbers are.
        grpc: whether the consumer's is one of them.
        influx: whether that of an InfluxDB of its own is one of them.

    Raises:
        UserError: two of them are the same.
    """
    settings = configuration.settings
    ports = {"FIZZBUZZ_WEB_PORT": settings.web_port, "FIZZBUZZ_GATEWAY_PORT": settings.gateway_port}
    if grpc:
        ports["FIZZBUZZ_GRPC_PORT"] = settings.grpc_port
    if influx:
        ports["FIZZBUZZ_INFLUX_PORT"] = settings.influx_port
    seen: dict[int, str] = {}
    for name, port in ports.items():
        if port in seen:
            raise UserError(f"{name}={port}: {seen[port]} is the same port; each needs one of its own", USAGE)
        seen[port] = name
    return ports


def check(
    bind: str,
    ports: dict[str, int],
    bind_setting: str = "FIZZBUZZ_BIND",
    *,
    ours: Collection[tuple[str, int]] = (),
) -> None:
    """Raise UserError where a port is unavailable; it names the setting of the port, or ``bind_setting``.

    A service whose parent was killed releases its port within a second.

    Args:
        bind: the address; one that this machine does not have is found by a port that the system chooses.
        ports: their numbers, by their settings.
        bind_setting: what sets the address.
        ours: where this very system listens now, which it releases before it starts again.
    """
    free = {
        name: port
        for name, port in ports.items()
        if not any(port == taken and _overlap(bind, address) for address, taken in ours)
    }
    for name, port in {bind_setting: 0, **free}.items():
        try:
            once_released(partial(_listen, bind, port))
        except OSError as error:
            raise UserError(_text(error, f"{bind_setting}={bind}", name, port)) from error


def _overlap(one: str, other: str) -> bool:
    """Whether who listens at one address may prevent listening at the other."""
    first, second = (ip_address(address.strip("[]")) for address in (one, other))
    return first == second or first.is_unspecified or second.is_unspecified


def _listen(bind: str, port: int) -> None:
    host = bind.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # old connections that linger are no harm
        probe.bind((host, port))
        probe.listen(1)


def _text(error: OSError, bind: str, name: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is taken by another program: end that, or set {name} to a free port"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"{name}={port}: no permission to listen on that port; set one above 1023"
    return f"{bind}: can't listen on that address ({error.strerror or error})"
