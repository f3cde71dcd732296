"""``./start.sh status``: how every service is, what is wrong, and where the messages are."""

import json
import sys
import time
from collections.abc import Sequence

from launcher import audit, configuration, mode, saved_state
from launcher.audit import Audit
from launcher.errors import FAILED
from launcher.status import HEALTHY, STOPPED, ServiceStatus, explain
from launcher.system import find_running, last_configuration, open_system

WATCH_S = 2.0


def status(*, as_json: bool, watch: bool) -> int:
    """Print the state of every service."""
    while True:
        name, statuses, found = _check()
        if watch and not as_json and sys.stdout.isatty():
            print("\x1b[H\x1b[J", end="")
        _print_status(name, statuses, found, as_json=as_json)
        code = 0 if all(one.state == HEALTHY for one in statuses) else FAILED
        if not watch:
            return code
        try:
            time.sleep(WATCH_S)
        except KeyboardInterrupt:
            return code


def _check() -> tuple[str, Sequence[ServiceStatus], Audit | None]:
    home = configuration.home_of()
    saved = saved_state.load(home)
    name = saved.mode if saved else mode.default()
    last = last_configuration(home)
    system = find_running(home) or open_system(name, last)
    statuses = explain(system.status())
    runs = any(one.state != STOPPED for one in statuses)
    return name, statuses, audit.read(last.settings) if runs else None


def _print_status(
    name: str, statuses: Sequence[ServiceStatus], found: Audit | None, *, as_json: bool
) -> None:
    if as_json:
        report = {
            "mode": name,
            "healthy": all(one.state == HEALTHY for one in statuses),
            "services": [one.as_dict() for one in statuses],
            "ledger": found.ledger if found else None,
            "conditions": found.conditions if found else None,
        }
        print(json.dumps(report, ensure_ascii=False), flush=True)
    else:
        for one in statuses:
            print(one.line(), flush=True)
        for line in found.lines() if found else ():
            print(line, flush=True)
