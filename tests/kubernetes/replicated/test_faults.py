"""The primary of Redis is lost under load: a replica takes over, nothing is lost, nothing is doubled."""

import time
from pathlib import Path

import pytest

from tests.kubernetes.faults import RATE, restart_everything
from tests.support.kubernetes_site import Site, lost
from tests.support.waiting import until

TAKES_OVER_S = 15.0

pytestmark = pytest.mark.long


def test_the_primarys_pod_is_deleted_under_load(site: Site, tmp_path: Path) -> None:
    primary = site.primary()
    with site.under_load(RATE, 40, tmp_path) as load:
        site.kubectl("delete", "pod", primary, "--wait=false")
        time.sleep(15)
        assert site.primary() != primary
        until(site.all_healthy, 60, "all healthy")
    assert load.pause_s < TAKES_OVER_S


def test_the_primarys_node_is_lost_under_load_and_comes_back(site: Site, tmp_path: Path) -> None:
    primary = site.primary()
    node = site.node_of(primary)
    print(primary, "on", node, "with", [one.id for one in site.pods() if site.node_of(one.id) == node])
    with site.under_load(RATE, 100, tmp_path) as load:
        with lost(node):
            time.sleep(45)
            assert load.acceptance.longest_pause_s() < TAKES_OVER_S
        assert site.primary() != primary
        until(site.all_healthy, 120, "all healthy")
    assert load.pause_s < TAKES_OVER_S


def test_a_rolling_restart_of_everything_under_load(site: Site, tmp_path: Path) -> None:
    with site.under_load(RATE, 130, tmp_path) as load:
        restart_everything(site)
    assert load.pause_s < TAKES_OVER_S
