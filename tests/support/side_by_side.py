"""How pytest-xdist spreads the tests over processes."""

import pytest
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

_ORDER = {"docker": 0, "system": 1, "browser": 2, "kubernetes": 3}
"""Folders whose tests take long begin first."""


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
    """Tests of a folder share something dear and run in one process: containers, a browser, InfluxDB."""
    folder = folder_of(nodeid)
    return nodeid.partition("::")[0] if folder == "system" else folder  # a file there starts its own system


def folder_of(nodeid: str) -> str:
    """The folder of ``tests`` that a test lies in."""
    return nodeid.split("/")[1]


def in_order(items: list[pytest.Item]) -> None:
    """Sort ``items`` so that nothing long begins at the end."""
    items.sort(key=lambda item: _ORDER.get(folder_of(item.nodeid), len(_ORDER)))
