"""The system in a namespace of a cluster."""

import json
import os
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from launcher import containerized, layout, log_stream, readiness, saved_state, tls_preflight
from launcher.configuration import Configuration
from launcher.containerized import Containerized
from launcher.errors import USAGE, UserError
from launcher.kubernetes import forward, images, overlay, pods, redis_users, removal, tls_secrets
from launcher.kubernetes.cluster import PART_OF, Cluster, current_context
from launcher.kubernetes.pods import Pod
from launcher.log_line import LogLine
from launcher.mode import KUBERNETES
from launcher.saved_state import SavedState
from launcher.status import HEALTHY, UNHEALTHY, ServiceStatus
from pipeline import private_file

PATIENCE_S = 240.0
"""Nodes may have to fetch the images of Redis and InfluxDB."""
SETUP = "influxdb-setup"
_SETUP_MODULE = ("python", "-m", "deploy.influxdb.exchange")
_SENDERS = ("producer", "gateway", "consumer")
_TOKENS = {"write": "write-token", "read": "read-token"}


class KubernetesSystem(Containerized):
    """One system of its ``FIZZBUZZ_HOME``, in a namespace of its own."""

    mode = KUBERNETES
    runs_notebook = False

    def __init__(self, configuration: Configuration) -> None:
        super().__init__(configuration)
        self.services = pods.services(replicas=configuration.settings.redis_replicas > 0)
        self._saved = _read(configuration)
        settings = configuration.settings
        # What runs is where it was started, whatever the settings are now.
        context = self._saved.get("context") or settings.kubernetes_context
        namespace = self._saved.get("namespace") or settings.kubernetes_namespace
        self._cluster = Cluster(context, namespace, self._home.kubernetes if self._saved else None)
        self._images: Mapping[str, str] = {}

    def is_running(self) -> bool:
        return bool(self._saved) and bool(pods.find(self._cluster))

    def partly_stopped(self) -> str:
        return containerized.lacks(self.services, {one.service for one in pods.find(self._cluster)})

    def prepare(self, saved: SavedState | None) -> None:
        containerized.check_settings(self._configuration, "kubernetes")
        tls_preflight.check_containers(self._configuration)
        tls_preflight.check_gateway_service(self._configuration)
        containerized.check_ports(self._configuration, saved)
        settings = self._configuration.settings
        self._cluster = Cluster(
            settings.kubernetes_context or current_context(), settings.kubernetes_namespace
        )
        self._check_owner()
        for folder in (self._home.logs, self._home.kubernetes):
            layout.make_folder(folder)
        print("building the images that changed", flush=True)
        self._images = images.build(self._configuration)

    def start(self) -> None:
        since_s = time.time()
        forward.stop(self._configuration)  # one of before may lead elsewhere, from other ports
        where = {"context": self._cluster.context, "namespace": self._cluster.namespace}
        self._saved = {"owner": self._owner(), **where}
        private_file.write(_state(self._configuration), json.dumps(self._saved))
        folder = overlay.write(self._configuration, self._images, self._owner())
        print(f"starting pods in the namespace {self._cluster.namespace}", flush=True)
        try:
            if not self._configuration.settings.redis_replicas:
                self._forget_primary()
            self._apply(folder, "app.kubernetes.io/component notin (service)")
            self._store_secrets()
            self._set_up_influxdb()
            self._apply(folder, "app.kubernetes.io/component notin (setup)")
            forward.ensure(self._configuration, self._cluster)
            readiness.wait(self.status, self._configuration.settings, since_s, PATIENCE_S)
        except BaseException:
            self._delete()
            raise

    def _forget_primary(self) -> None:
        """Without replicas the first server alone accepts: what Sentinels knew is of no use to later ones."""
        claims = [f"pvc/data-sentinel-{number}" for number in range(3)]
        self._cluster.run("delete", *claims, "--ignore-not-found", "--wait=false", timeout_s=60)

    def stop(self) -> int | None:
        forward.stop(self._configuration)  # also where the cluster does not answer, perhaps never again
        return self._stop_gracefully() if self._saved else None

    def wipe(self) -> Iterator[str]:
        forward.stop(self._configuration)
        self._home.wipe()  # first: the cluster may be gone
        yield f"deleted the data in {self._home.path}"
        if self._saved:
            self._delete_namespace()
            yield f"deleted the namespace {self._cluster.namespace} with its data"
        layout.delete(self._home.kubernetes)

    def status(self) -> list[ServiceStatus]:
        found = pods.find(self._cluster) if self._saved else []
        now = saved_state.load(self._home)
        if found and now and now.running:  # what a down ends meanwhile would never be ended again
            forward.ensure(self._configuration, self._cluster)
        return self._with_missing(self._checked(found), {one.service for one in found})

    def logs(self, service: str | None, *, follow: bool) -> Iterator[LogLine]:
        found = pods.find(self._cluster) if self._saved else []
        return pods.logs(self._cluster, log_stream.select(found, service), follow=follow)

    def addresses(self) -> Mapping[str, str]:
        return {
            **self._addresses(" ".join(self._cluster.command("exec", "deploy/worker", "--"))),
            "cluster": f"context {self._cluster.context}, namespace {self._cluster.namespace}",
        }

    def environment(self) -> Mapping[str, str]:
        if not self.is_running():
            raise UserError("the system isn't running: start it with ./start.sh up")
        forward.ensure(self._configuration, self._cluster)
        return self._environment(self._cluster.secret("read-token")["token"])

    def in_worker_container(self, words: Sequence[str]) -> tuple[list[str], Mapping[str, str]]:
        terminal = ("--stdin", "--tty") if sys.stdin.isatty() and sys.stdout.isatty() else ()
        return self._cluster.command("exec", *terminal, "deploy/worker", "--", *words), dict(os.environ)

    def _apply(self, folder: Path, selector: str) -> None:
        words = ("apply", "--kustomize", str(folder), "--selector", selector)
        self._cluster.run(*words, failed="the cluster refuses the manifests", timeout_s=None)

    def _store_secrets(self) -> None:
        """Make the passwords of Redis's users where they are missing; the rest is given by the settings."""
        settings = self._configuration.settings
        found = redis_users.secrets(self._cluster, replicas=settings.redis_replicas > 0)
        found |= tls_secrets.secrets(settings)
        for name, text in self._secrets().items():
            found[name.replace("_", "-")] = {name: text}
        self._cluster.store_secrets(found)

    def _set_up_influxdb(self) -> None:
        """Run the set-up in its pod, and keep the tokens that it makes."""
        kept = {action: self._cluster.secret(name).get("token", "") for action, name in _TOKENS.items()}
        timeout = f"--timeout={PATIENCE_S:.0f}s"
        for pod in ("influxdb", SETUP):
            words = ("wait", "--for=condition=Ready", "pod", "--selector", f"app.kubernetes.io/name={pod}")
            self._cluster.run(*words, timeout, failed=f"{pod} does not start", timeout_s=None)
        module = ("exec", "--stdin", f"job/{SETUP}", "--", *_SETUP_MODULE)
        output = self._cluster.run(
            *module, given=json.dumps(kept), failed="InfluxDB can't be set up", timeout_s=120
        )
        found: dict[str, str] = json.loads(output)
        self._cluster.store_secrets({_TOKENS[action]: {"token": token} for action, token in found.items()})
        self._cluster.run("delete", "job", SETUP, "--wait=false")

    def _checked(self, found: Sequence[Pod]) -> Iterator[ServiceStatus]:
        """Gateway and page are ready for the cluster once they answer; here each reports whether it works."""
        settings = self._configuration.settings
        asked = {"gateway": settings.gateway_port, "web": settings.web_port}
        answers = {
            name: readiness.get(f"{readiness.service_url(settings, port)}/readyz")
            for name, port in asked.items()
        }
        for one in found:
            code, body = answers.get(one.service, (200, b""))
            if one.status.state != HEALTHY or code == 200:
                yield one.status
            else:
                text = body.decode("utf-8", "replace").partition("\n")[0][:200]
                yield replace(
                    one.status, state=UNHEALTHY, reason=text or "its forwarded port does not answer"
                )

    def _stop_gracefully(self) -> int:
        """As in Docker mode: senders first, then the queue runs empty for a while, then the rest."""
        removal.release_pods(self._cluster)
        removal.end(self._cluster, f"{PART_OF},app.kubernetes.io/name in ({','.join(_SENDERS)})")
        left = containerized.wait_until_empty(self._waiting)
        self._delete_rest()
        return left

    def _delete(self) -> None:
        forward.stop(self._configuration)
        removal.release_pods(self._cluster)
        self._delete_rest()

    def _delete_namespace(self) -> None:
        namespace = self._cluster.namespace
        try:
            self._check_owner()
            self._cluster.run("delete", "namespace", namespace, "--ignore-not-found", timeout_s=180)
        except UserError as error:
            raise UserError(f"the namespace {namespace} was not deleted: {error}", error.status) from None

    def _delete_rest(self) -> None:
        removal.end(self._cluster, PART_OF, removal.KINDS)
        forward.stop(self._configuration)  # again: a status may have started it as long as there were pods

    def _waiting(self) -> int:
        """How many jobs wait, by the first server that answers; a replica knows it too."""
        servers = (
            pods.REDIS_SERVERS if self._configuration.settings.redis_replicas else pods.REDIS_SERVERS[:1]
        )
        for name in servers:
            with suppress(UserError):
                words = ("exec", name, "--", "sh", "-c", containerized.COUNT_JOBS)
                return containerized.jobs_in(self._cluster.run(*words, timeout_s=3.0))
        return 0

    def _check_owner(self) -> None:
        """Raise UserError where the namespace is somebody else's: ``down --wipe`` would delete it."""
        found = self._cluster.run(
            "get", "namespace", self._cluster.namespace, "--ignore-not-found", "-o", "json"
        )
        labels = json.loads(found)["metadata"].get("labels", {}) if found else {}
        if found and labels.get(overlay.OWNER) != self._owner():
            raise UserError(
                f"the namespace {self._cluster.namespace} was not created by this system: set"
                " FIZZBUZZ_KUBERNETES_NAMESPACE to another one",
                USAGE,
            )

    def _owner(self) -> str:
        """A random name of this system, kept in its home."""
        self._saved.setdefault("owner", uuid.uuid4().hex)
        return self._saved["owner"]


def _state(configuration: Configuration) -> Path:
    return configuration.home.kubernetes / "system.json"


def _read(configuration: Configuration) -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads(_state(configuration).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found
