"""What is applied: an overlay of ``deploy/kubernetes`` with this system's namespace, images and settings."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from launcher.configuration import Configuration
from launcher.containerized import redis_container_bytes
from launcher.kubernetes import images

SINGLE, REPLICATED, HTTP_TLS, GRPC_TLS = (
    Path("deploy") / "kubernetes" / name
    for name in ("single", "replicated", "components/http-tls", "components/grpc-tls")
)
"""Without and with replicas of Redis; what is added to either."""
NAMESPACE = "fizzbuzz"
"""As the overlay itself has it."""
OWNER = "fizzbuzz/owner"
"""Label of the namespace: which FIZZBUZZ_HOME it belongs to."""
TOKEN_FILE = "/secrets/api/api_token"  # noqa: S105 - where it is
_PASSED = (
    "FIZZBUZZ_RATE",
    "FIZZBUZZ_BURST",
    "FIZZBUZZ_BURST_SPAN_MS",
    "FIZZBUZZ_OPEN",
    "FIZZBUZZ_GATEWAY_PROCESSES",
    "FIZZBUZZ_WEB_PROCESSES",
    "FIZZBUZZ_QUEUE_LIMIT",
    "FIZZBUZZ_DEDUPE_WINDOW_S",
    "FIZZBUZZ_REDIS_REPLICAS",
    "FIZZBUZZ_LOG_LEVEL",
    "INFLUXDB_ORG",
    "INFLUXDB_BUCKET",
    "INFLUXDB_USERNAME",
)
"""Settings that services receive as they were given."""


def write(configuration: Configuration, built: Mapping[str, str], owner: str) -> Path:
    """Write the kustomization (JSON is YAML); the folder, for ``kubectl apply -k``. It holds no secret."""
    folder = configuration.home.kubernetes
    text = json.dumps(_kustomization(configuration, built, owner), indent=1)
    (folder / "kustomization.yaml").write_text(text, encoding="utf-8")
    return folder


def _kustomization(configuration: Configuration, built: Mapping[str, str], owner: str) -> dict[str, object]:
    settings = configuration.settings
    overlay = REPLICATED if settings.redis_replicas else SINGLE
    added = ((settings.tls, HTTP_TLS), (settings.grpc_tls, GRPC_TLS))
    all_images = {**built, "redis": settings.redis_image, "influxdb": settings.influx_image}
    limit = [
        {
            "op": "replace",
            "path": "/spec/template/spec/containers/0/resources/limits/memory",
            "value": str(redis_container_bytes(settings)),
        }
    ]
    label = [{"op": "add", "path": f"/metadata/labels/{OWNER.replace('/', '~1')}", "value": owner}]
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": settings.kubernetes_namespace,
        "resources": [_relative(configuration, overlay)],
        "components": [_relative(configuration, path) for wanted, path in added if wanted],
        "images": [{"name": name, **images.split(image)} for name, image in all_images.items()],
        "replicas": [{"name": "worker", "count": settings.workers}],
        "configMapGenerator": [
            _merged("settings", _settings(configuration)),
            _merged("redis", {"MAXMEMORY": str(settings.redis_memory_bytes)}),
        ],
        "patches": [
            {"target": {"kind": "StatefulSet", "name": "redis"}, "patch": json.dumps(limit)},
            {"target": {"kind": "Namespace"}, "patch": json.dumps(label)},
        ],
    }


def _relative(configuration: Configuration, path: Path) -> str:
    there, here = (configuration.checkout / path).resolve(), configuration.home.kubernetes.resolve()
    return Path(os.path.relpath(there, here)).as_posix()


def _merged(name: str, values: Mapping[str, str]) -> dict[str, object]:
    literals = [f"{key}={value}" for key, value in values.items()]
    return {"name": name, "namespace": NAMESPACE, "behavior": "merge", "literals": literals}


def _settings(configuration: Configuration) -> dict[str, str]:
    given = configuration.given
    return {
        **{name: given[name] for name in _PASSED if given.get(name)},
        "FIZZBUZZ_HOSTS": f"gateway,{given.get('FIZZBUZZ_HOSTS', '')}",
        "FIZZBUZZ_PUBLISHED_BIND": configuration.settings.bind,
        "API_TOKEN_FILE": TOKEN_FILE if configuration.settings.api_token else "",
    }
