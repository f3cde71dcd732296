"""How pytest-xdist spreads the tests over processes."""

import pytest
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

LONGEST = (
    "docker",
    "docker/test_tls",
    "browser",
    "docker/test_by_hand",
    "system/test_load_faults",
    "system/test_stream",
    "queue/test_worker_faults",
    "system/test_conditions",
    "system/test_launcher_hangs",
    "system/test_launcher_lifecycle",
    "queue/test_redis_failover",
    "system/test_load",
    "docker/test_redis_replicas",
    "system/test_bursts",
    "system/test_launcher_stop",
    "system/test_launcher_settings",
    "docker/test_stop",
    "gateway/test_tls",
    "queue/test_group_start",
    "gateway/test_border",
    "system/test_launcher_redis",
    "contract",
    "influx",
)
"""Scopes that take long, longest first: each keeps a process busy until long after the others began."""
_ORDER = {"system": 0, "kubernetes": 1}
"""Folders whose tests take long begin first."""
_BY_FILE = {"system", "gateway", "queue", "unit"}
"""Folders whose files share nothing that is slow to start: at most a Redis, which starts in 0.1 s."""
_ALONE = {"docker/test_by_hand", "docker/test_redis_replicas", "docker/test_stop", "docker/test_tls"}
"""Files that start systems of their own, and use nothing of their folder's."""


class Spread(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist brings no types for it
    """Gives each process one scope after another."""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)

    def remove_node(self, node: WorkerController) -> str | None:
        """A test whose process died has failed; the rest of its scope goes on in another process."""
        died: str | None = super().remove_node(node)
        for unit in self.workqueue.values():
            if died in unit:
                unit[died] = True
        return died


def scope_of(nodeid: str) -> str:
    """Tests that share something dear run in one process: containers, a browser, InfluxDB, a system."""
    folder, file = folder_of(nodeid), nodeid.partition("::")[0]
    alone = folder in _BY_FILE or file.removeprefix("tests/").removesuffix(".py") in _ALONE
    return file if alone else folder


def folder_of(nodeid: str) -> str:
    """The folder of ``tests`` that a test lies in."""
    return nodeid.split("/")[1]


def in_order(items: list[pytest.Item]) -> None:
    """Sort ``items`` so that nothing long begins at the end."""
    items.sort(key=lambda item: _rank(item.nodeid))


def _rank(nodeid: str) -> tuple[int, int]:
    scope = scope_of(nodeid).removeprefix("tests/").removesuffix(".py")
    first = (place for place, name in enumerate(LONGEST) if name == scope)
    return next(first, len(LONGEST)), _ORDER.get(folder_of(nodeid), len(_ORDER))
