"""The manifests are valid by the schemas of the Kubernetes versions that they are for."""

import json
import subprocess
from typing import Any

import pytest

from launcher.configuration import CHECKOUT

OVERLAYS = ("base", "single", "replicated", "production", "redis-replicas", "keda")
VERSIONS = ("1.33", "1.34", "1.35", "1.36", "1.37")
"""From the one that the tests in a cluster use to the newest one."""
_FOREIGN = ("keda.sh/",)
"""Kinds that Kubernetes itself does not know: tests/kubernetes asks their own schemas."""


@pytest.fixture(scope="module")
def objects() -> list[dict[str, Any]]:
    """Each object of all overlays once."""
    yaml = pytest.importorskip("yaml")
    found: dict[str, dict[str, Any]] = {}
    for name in OVERLAYS:
        command = ["kubectl", "kustomize", str(CHECKOUT / "deploy" / "kubernetes" / name)]
        try:
            text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        except FileNotFoundError:
            pytest.skip("no kubectl on PATH")
        for one in yaml.safe_load_all(text):
            found[json.dumps(one, sort_keys=True)] = one
    return [one for one in found.values() if not one["apiVersion"].startswith(_FOREIGN)]


@pytest.mark.parametrize("version", VERSIONS)
def test_each_object_is_valid_and_has_no_unknown_field(objects: list[dict[str, Any]], version: str) -> None:
    validator = pytest.importorskip("kubernetes_validate")
    assert len(objects) > 60
    for one in objects:
        validator.validate(one, version, strict=True)


def test_an_unknown_field_is_found(objects: list[dict[str, Any]]) -> None:
    validator = pytest.importorskip("kubernetes_validate")
    (one,) = (
        one
        for one in objects
        if (one["kind"], one["metadata"]["name"]) == ("HorizontalPodAutoscaler", "gateway")
    )
    with pytest.raises(validator.ValidationError):
        validator.validate({**one, "spec": {**one["spec"], "replica": 2}}, VERSIONS[-1], strict=True)
