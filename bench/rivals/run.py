"""The whole benchmark, site by site."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from bench.rivals import catalogue, measure
from bench.rivals.choice import Choice
from bench.rivals.limits import Limits
from bench.rivals.loss import loss
from bench.rivals.own_site import OwnSite
from bench.rivals.rival import Rival
from bench.rivals.rival_site import RivalSite, SetUp
from bench.rivals.site import Site, running, temporary_folder
from launcher import bootstrap
from launcher.local import redis_server
from load import machine

FORMAT = 1
Open = Callable[[Path], OwnSite | RivalSite]


@dataclass(frozen=True, slots=True)
class Options:
    """What to measure.

    ``own_venv`` is the environment of this system, whose redis-server the rivals use too.
    """

    own_venv: Path
    only: tuple[str, ...] = (*catalogue.NAMES, catalogue.OWN)
    limits: Limits = field(default_factory=Limits)
    appendfsync: tuple[str, ...] = ("always", "everysec")
    parts: tuple[str, ...] = ("wrk", "latency", "loss")
    set_up: SetUp | None = None
    """How to run the rivals, instead of the best that is found."""
    progress: Callable[[str], None] = lambda text: None


def run(options: Options) -> dict[str, Any]:
    """Measure one after the other. A site that fails has its ``error``, and the others continue."""
    return {
        "format": FORMAT,
        "kind": "rivals",
        "started_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": machine.machine(),
        "commit": machine.commit(),
        "versions": {**machine.versions(), "redis-server": _redis(options).version},
        "limits": asdict(options.limits),
        "sites": [found for name in options.only for found in _sites(name, options)],
    }


def _redis(options: Options) -> redis_server.Program:
    return redis_server.find(bootstrap.python_of(options.own_venv))


def _sites(name: str, options: Options) -> list[dict[str, Any]]:
    if name == catalogue.OWN:
        return [_own(options)]
    rival = catalogue.load(name)
    described: dict[str, Any] = {
        "name": rival.name,
        "versions": {package: metadata.version(package) for package in rival.packages},
        "docs": list(rival.docs),
        "settings": rival.settings,
        "recovery_s": rival.recovery_s,
    }
    open_site = partial(_rival_site, name, rival, _redis(options).path)
    tries = Choice(open_site, options.limits)
    options.progress(f"{rival.name}: looking for the best set-up")
    try:
        set_up = options.set_up or tries.choose(rival)
    except Exception as error:  # noqa: BLE001 - a rival that does not start is a result too
        return [{**described, "appendfsync": "always", "error": f"{type(error).__name__}: {error}"}]
    described["set_up"] = text_of(set_up)
    described["set_up_key"] = set_up.key
    described["tried"] = [{**one, "set_up": text_of(one["set_up"])} for one in tries.tried]
    options.progress(f"{rival.name}: {text_of(set_up)}")
    return [
        {
            **described,
            "appendfsync": appendfsync,
            **_measure(
                partial(open_site, replace(set_up, appendfsync=appendfsync)),
                rival.recovery_s,
                options,
                f"{rival.name}, {appendfsync}",
            ),
        }
        for appendfsync in options.appendfsync
    ]


def _rival_site(name: str, rival: Rival, redis: Path, set_up: SetUp, directory: Path) -> RivalSite:
    return RivalSite(name, rival, set_up, redis, directory)


def _own(options: Options) -> dict[str, Any]:
    figures = _measure(lambda folder: OwnSite(folder, options.own_venv), 0.0, options, "this system")
    return {"name": "this system", "versions": {}, "appendfsync": "always", "recovery_s": 0.0, **figures}


def _measure(opened: Open, recovery_s: float, options: Options, name: str) -> dict[str, Any]:
    """All figures, each of a site of its own, so that none inherits a full queue."""
    limits = options.limits
    parts: dict[str, Callable[[Site], Any]] = {
        f"wrk_{connections}": partial(_flood, connections, limits) for connections in limits.connections
    }
    parts["latency"] = lambda site: measure.latency(site, limits)
    parts["loss"] = lambda site: {**loss(site, limits, recovery_s), "memory_mb": site.memory_mb()}
    found: dict[str, Any] = {}
    chosen = {part: run for part, run in parts.items() if part.startswith(options.parts)}
    for part, run in chosen.items():
        options.progress(f"{name}: {part}")
        try:
            with temporary_folder() as folder, running(opened(folder)) as site:
                found[part] = run(site)
        except Exception as error:  # noqa: BLE001 - its failure is a result; the other figures are measured
            found[part] = {"error": f"{type(error).__name__}: {error}"}
    return found


def _flood(connections: int, limits: Limits, site: Site) -> dict[str, Any]:
    drain_s = limits.drain_s if connections == max(limits.connections) else 0.0
    return measure.throughput(site, connections, limits.flood_s, drain_s).as_dict()


def text_of(set_up: SetUp) -> str:
    """A set-up, human-readable."""
    threads = "" if set_up.server == "loop" else f", {set_up.threads} threads"
    front = {"loop": "the gateway's server", "threads": "the gateway's server", "gthread": "gunicorn gthread"}
    processes = "1 process" if set_up.processes == 1 else f"{set_up.processes} processes"
    return f"{front[set_up.server]}, {processes}{threads}; worker: {set_up.workers}"
