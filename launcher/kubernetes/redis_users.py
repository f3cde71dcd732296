"""The Secrets of Redis's users; the passwords that the cluster has are kept."""

from pathlib import Path
from tempfile import TemporaryDirectory

from launcher.kubernetes.cluster import Cluster
from pipeline import private_file
from pipeline.queue import sentinel_users, users

_SINGLE = "redis://redis:6379/0"
_GROUP = "redis-group"
"""The passwords of servers and Sentinels for each other; no pod has this Secret."""
_NOT_HERE = "queue-ui"


def secrets(cluster: Cluster, *, replicas: bool) -> dict[str, dict[str, str]]:
    """The files of each Secret, by its name.

    Args:
        cluster: the namespace that has the passwords, or none yet.
        replicas: whether there are several servers, and Sentinels.

    Raises:
        UserError: the cluster does not answer.
    """
    names = [name for name in users.RULES if name != _NOT_HERE]
    with TemporaryDirectory() as path:
        folder = Path(path)
        for name in names:
            _put(folder / name, cluster.secret(f"redis-{name}").get("password", ""))
        found = _kept_of_group(cluster, folder) if replicas else {}
        if not replicas:
            users.keep(folder, _SINGLE)
        found |= {f"redis-{name}": _files(folder / name) for name in names}
        return {**found, "redis-users": _files((folder / users.SERVER).parent)}


def _kept_of_group(cluster: Cluster, folder: Path) -> dict[str, dict[str, str]]:
    """Write the files of all users of a group; the Secrets that one server alone does not need."""
    passwords = folder / sentinel_users.PASSWORDS
    passwords.mkdir()
    for name, password in cluster.secret(_GROUP).items():
        _put(passwords / name, password)
    sentinel_users.keep(folder, sentinel_users.in_kubernetes(cluster.namespace))
    return {
        "redis-sentinels": _files(folder / sentinel_users.SENTINEL_FOLDER),
        _GROUP: {one.name: (one / "password").read_text(encoding="utf-8") for one in passwords.iterdir()},
    }


def _put(folder: Path, password: str) -> None:
    folder.mkdir()
    private_file.write(folder / "password", password)


def _files(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
