"""The users of a group of Redis servers with Sentinels, and the files by which all of them sign in.

Beside the users of the services (``pipeline.queue.users``) each server has one for its replicas and one for
the Sentinels. A Sentinel has two of its own: the other Sentinels, and the services, which only ask where the
primary is. Standard library only. The rules are those of
https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/#redis-access-control-list-authentication
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from pipeline import private_file
from pipeline.hosts import host_port
from pipeline.queue import users
from pipeline.queue.sentinel_url import DEFAULT_PORT, SCHEME

REPLICA, SENTINEL, PEER, CLIENT = "replica", "sentinel", "sentinel-peer", "sentinel-client"
"""Names of users, and of the folders with their passwords, in ``PASSWORDS``."""

SERVER_RULES = {
    REPLICA: "-@all +psync +replconf +ping",
    SENTINEL: "&* -@all +multi +exec +slaveof +ping +subscribe +publish +info +role"
    " +config|rewrite +client|setname +client|kill +script|kill",
}
SENTINEL_RULES = {
    PEER: "&* -@all +ping +publish +client|setname +sentinel|is-master-down-by-addr +sentinel|masters",
    CLIENT: "-@all +ping +client|setinfo"
    " +sentinel|masters +sentinel|replicas +sentinel|get-master-addr-by-name",
}

PASSWORDS = Path("group")
SENTINEL_FOLDER = Path("sentinels")
"""What a Sentinel reads: ``users.acl``, and ``sentinel.conf`` as it is at its first start."""
EPOCH = "epoch"
"""There too: another text after each time without replicas, so that Sentinels begin anew."""

GROUP, REPLICATION, SENTINEL_PASSWORD = "group", "replication.conf", "sentinel-password"
"""What a server reads beside its users, in the same folder: where the Sentinels are and what they call the
primary, as variables of a shell; how it signs in to the primary; and to a Sentinel, to ask which that is."""

DOWN_AFTER_MS = 3_000
"""A primary that gives no valid answer for this long is down; a shorter pause is tolerated."""

FAILOVER_TIMEOUT_MS = 3_000
"""A failover that does not finish is aborted after this. A new one begins after twice as long, also where the
Sentinel that led it was lost in it: with ten seconds no message would be accepted for 23 then."""


@dataclass(frozen=True, slots=True)
class Group:
    """Servers that Sentinels watch."""

    name: str
    """By which Sentinel knows their primary."""
    first: tuple[str, int]
    """The server that is the primary at the first start: host and port."""
    sentinels: Sequence[tuple[str, int]]
    quorum: int = 2
    """Sentinels that must find the primary down before one of them, elected by most, replaces it."""


def in_kubernetes(namespace: str) -> Group:
    """The pods of ``deploy/kubernetes/redis-group``, by their complete names."""
    domain = f"{namespace}.svc.cluster.local"
    sentinels = [(f"sentinel-{number}.sentinel.{domain}", DEFAULT_PORT) for number in range(3)]
    return Group("fizzbuzz", (f"redis-0.redis.{domain}", 6379), sentinels)


def keep(folder: Path, group: Group, *, shared: int = 0o600, own: int = 0o600) -> None:
    """Write the files of all users into ``folder``, as ``users.keep`` does. Raises OSError."""
    (folder / PASSWORDS).mkdir(mode=0o700, exist_ok=True)
    known = {
        name: users.keep_password(folder / PASSWORDS / name, own) for name in (*SERVER_RULES, *SENTINEL_RULES)
    }
    address = f"redis://{host_port(*group.first)}/0"
    further = {name: (rules, known[name]) for name, rules in SERVER_RULES.items()}
    users.keep(folder, address, shared=shared, own=own, further=further)
    for name in users.SERVICES:
        password = (folder / name / "password").read_text(encoding="utf-8").strip()
        url = _url(group, f"{name}:{password}", known[CLIENT])
        private_file.write(users.url_file(folder, name), url, own)
    for path, text in _files(group, known).items():
        (folder / path).parent.mkdir(mode=0o700, exist_ok=True)
        private_file.write(folder / path, text, shared)


def has_group(folder: Path) -> bool:
    """Whether a server that starts from now on is one of a group."""
    return (folder / users.SERVER.parent / GROUP).exists()


def remove_group(folder: Path, *, shared: int = 0o600) -> None:
    """Remove the group, so that a server that starts from now on has no replicas. Raises OSError.

    What Sentinels have learned is of no use to a later group: until then the first server alone accepts. Nor
    may any that still run be part of it, so it has other passwords.
    """
    (folder / users.SERVER.parent / GROUP).unlink(missing_ok=True)
    for password in (folder / PASSWORDS).glob("*/password"):
        password.unlink()
    (folder / SENTINEL_FOLDER).mkdir(mode=0o700, exist_ok=True)
    private_file.write(folder / SENTINEL_FOLDER / EPOCH, secrets.token_hex(8), shared)


def _files(group: Group, known: Mapping[str, str]) -> dict[Path, str]:
    """What servers and Sentinels read, by its path."""
    server = users.SERVER.parent
    hosts = " ".join(host for host, _ in group.sentinels)
    rules = {name: (rule, known[name]) for name, rule in SENTINEL_RULES.items()}
    return {
        server / GROUP: f'PRIMARY={group.name}\nSENTINELS="{hosts}"\n',
        server / REPLICATION: f"masteruser {REPLICA}\nmasterauth {known[REPLICA]}\n",
        server / SENTINEL_PASSWORD: known[CLIENT],
        SENTINEL_FOLDER / "users.acl": users.render(rules),
        SENTINEL_FOLDER / "sentinel.conf": _conf(group, known[SENTINEL], known[PEER]),
    }


def _url(group: Group, credentials: str, sentinel_password: str) -> str:
    hosts = ",".join(host_port(*one) for one in group.sentinels)
    query = urlencode({"sentinel_username": CLIENT, "sentinel_password": sentinel_password})
    return f"{SCHEME}://{credentials}@{hosts}/{group.name}/0?{query}"


def _conf(group: Group, password: str, peer_password: str) -> str:
    """``sentinel.conf``, less the port, the folder and the file of users, which its start adds."""
    host, port = group.first
    return "\n".join(
        [
            "sentinel resolve-hostnames yes",
            "sentinel announce-hostnames yes",
            f"sentinel monitor {group.name} {host} {port} {group.quorum}",
            f"sentinel auth-user {group.name} {SENTINEL}",
            f"sentinel auth-pass {group.name} {password}",
            f"sentinel sentinel-user {PEER}",
            f"sentinel sentinel-pass {peer_password}",
            f"sentinel down-after-milliseconds {group.name} {DOWN_AFTER_MS}",
            f"sentinel failover-timeout {group.name} {FAILOVER_TIMEOUT_MS}",
            f"sentinel parallel-syncs {group.name} 16",
            "",
        ]
    )
