"""How pytest-xdist spreads the tests over processes."""

import pytest
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

_ORDER = {"docker": 0, "system": 1, "browser": 2, "kubernetes": 3}
"""Folders whose tests take long begin first."""


class Spread(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist brings no types for it
    """Tests that share something dear run in one process: containers, a browser, InfluxDB, a whole system."""

    def _split_scope(self, nodeid: str) -> str:
        folder = folder_of(nodeid)
        if folder == "system":  # each file starts a system of its own
            return nodeid.partition("::")[0]
        return folder if folder in _ORDER else "the rest"

    def remove_node(self, node: WorkerController) -> str | None:
        """A test whose process died has failed; the rest of its scope goes on in another process."""
        died: str | None = super().remove_node(node)
        for unit in self.workqueue.values():
            if died in unit:
                unit[died] = True
        return died


def folder_of(nodeid: str) -> str:
    """The folder of ``tests`` that a test lies in."""
    return nodeid.split("/")[1]


def in_order(items: list[pytest.Item]) -> None:
    """Sort ``items`` so that nothing long begins at the end."""
    items.sort(key=lambda item: _ORDER.get(folder_of(item.nodeid), len(_ORDER)))
