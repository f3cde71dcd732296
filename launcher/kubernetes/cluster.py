"""One namespace of a cluster: the one call of ``kubectl``, and what its errors mean to a user."""

import base64
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from launcher import run_command
from launcher.errors import UserError

CALL_S = 60.0
PART_OF = "app.kubernetes.io/part-of=fizzbuzz"
_UNREACHABLE = (
    "Unable to connect|was refused|no such host|i/o timeout|context deadline|connection refused"
    r"|context \S+ does not exist"  # such as that of a cluster that was deleted
)

_EXIT = re.compile("^command terminated with exit code.*", re.MULTILINE)
"""Added by ``kubectl exec``, after the output of the command itself."""


class Cluster:
    """The namespace ``namespace`` of the cluster that kubectl calls ``context``.

    ``mark`` is what says that it holds something of a system; one that was deleted leaves it behind.
    """

    def __init__(self, context: str, namespace: str, mark: Path | None = None) -> None:
        self.context = context
        self.namespace = namespace
        self._mark = mark

    def command(self, *words: str) -> list[str]:
        """The command line of kubectl."""
        context = ("--context", self.context) if self.context else ()
        return ["kubectl", *context, "--namespace", self.namespace, *words]

    def run(self, *words: str, given: str = "", failed: str = "", timeout_s: float | None = CALL_S) -> str:
        """Run kubectl to its end; its output.

        Raises:
            UserError: it failed; one line says why.
        """
        return run_command.output(
            self.command(*words),
            lambda text: self._explained(text, failed or f"kubectl {words[0]} failed"),
            "kubectl is not installed: install it, or use another --mode",
            f"{self._name()} does not answer within {timeout_s or 0:.0f} s{self._if_gone()}",
            given=given,
            timeout_s=timeout_s,
        )

    def items(self, *words: str) -> list[dict[str, Any]]:
        """The objects that ``kubectl get`` finds."""
        found: list[dict[str, Any]] = json.loads(self.run("get", *words, "--output", "json"))["items"]
        return found

    def secret(self, name: str) -> dict[str, str]:
        """The files of a Secret; none where it does not exist."""
        text = self.run("get", "secret", name, "--ignore-not-found", "--output", "json")
        data: dict[str, str] = json.loads(text).get("data", {}) if text else {}
        return {file: base64.b64decode(value).decode() for file, value in data.items()}

    def store_secrets(self, secrets: Mapping[str, Mapping[str, str]]) -> None:
        """Make or replace Secrets, each with its files; what they hold is on no command line."""
        label = dict([PART_OF.split("=")])
        items = [
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "type": "kubernetes.io/tls" if "tls.key" in files else "Opaque",
                "metadata": {"name": name, "labels": label},
                "data": {file: base64.b64encode(text.encode()).decode() for file, text in files.items()},
            }
            for name, files in secrets.items()
        ]
        given = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
        # By the server: kubectl's own apply would repeat the secrets in an annotation.
        self.run("apply", "--server-side", "--force-conflicts", "--filename", "-", given=given)

    def delete_all(self, kind: str, selector: str, **options: str | int) -> None:
        """Begin to delete what is selected, by one request: ``kubectl delete`` makes one for each object.

        Args:
            kind: as in the path of the API, such as ``apis/apps/v1/deployments``.
            selector: labels.
            options: of the API's ``DeleteOptions``.
        """
        group, _, name = kind.rpartition("/")
        query = urlencode({"labelSelector": selector, **options})
        self.run("delete", "--raw", f"/{group}/namespaces/{self.namespace}/{name}?{query}")

    def _name(self) -> str:
        return f"the cluster of kubectl's context {self.context}" if self.context else "the cluster"

    def _explained(self, text: str, failed: str) -> str:
        last = run_command.last_line(_EXIT.sub("", text), "kubectl wrote nothing")
        if re.search(_UNREACHABLE, text):
            return (
                f"{self._name()} does not answer: start it, or use another --mode{self._if_gone()} ({last})"
            )
        return f"{failed}: {last}"

    def _if_gone(self) -> str:
        return f"; if it is gone for good, delete {self._mark}" if self._mark else ""


def current_context() -> str:
    """The one that kubectl uses now. Raises UserError where there is none."""
    try:
        return Cluster("", "default").run("config", "current-context").strip()
    except UserError as error:
        if "not set" not in str(error):
            raise
        raise UserError(
            "kubectl has no cluster configured: set KUBECONFIG or FIZZBUZZ_KUBERNETES_CONTEXT"
        ) from None
