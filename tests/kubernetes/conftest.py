"""Says why tests in a cluster are skipped, where they are."""

from pathlib import Path

import pytest

from tests.support import kubernetes_site


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ours = [item for item in items if item.path.is_relative_to(Path(__file__).parent)]
    why = kubernetes_site.missing() if ours else ""
    for item in ours:
        item.add_marker(pytest.mark.kubernetes)
        item.add_marker(pytest.mark.timeout(600))  # the first one of a folder starts its system
        if why:
            item.add_marker(pytest.mark.skip(reason=why))
