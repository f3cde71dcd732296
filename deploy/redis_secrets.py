"""Makes the Secrets of kubernetes/redis-replicas: ``python -m deploy.redis_secrets FOLDER [NAMESPACE]``.

It writes one folder for each Secret below FOLDER, keeps the passwords that are there, and prints the commands
that store them in the cluster. FOLDER holds passwords: keep it as such.
"""

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

from pipeline.queue import sentinel_users, users

_SERVICES = ("consumer", "worker", "web")
USAGE = 2


def main(argv: list[str]) -> int:
    """Write and print. Raises OSError."""
    if not 2 <= len(argv) <= 3:
        print("usage: python -m deploy.redis_secrets FOLDER [NAMESPACE]", file=sys.stderr)
        return USAGE
    folder, namespace = Path(argv[1]), argv[2] if len(argv) == 3 else "fizzbuzz"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    sentinel_users.keep(folder, sentinel_users.in_kubernetes(namespace))
    print("\n".join(commands(folder, namespace)))
    return 0


def commands(folder: Path, namespace: str) -> Iterator[str]:
    """What stores the Secrets, or replaces them."""
    yield _command(namespace, "redis-users", folder / users.SERVER.parent)
    yield _command(namespace, "redis-sentinels", folder / sentinel_users.SENTINEL_FOLDER)
    for name in ("launcher", *_SERVICES):
        yield _command(namespace, f"redis-{name}", folder / name)


def _command(namespace: str, secret: str, folder: Path) -> str:
    kubectl = f"kubectl -n {shlex.quote(namespace)}"
    source = shlex.quote(str(folder))
    # By the server: kubectl's own apply would repeat the passwords in an annotation.
    return (
        f"{kubectl} create secret generic {secret} --from-file={source} --dry-run=client -o yaml"
        f" | {kubectl} apply --server-side --force-conflicts -f -"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv))
