"""The users of the system's own Redis: one per service, with the keys and commands that it needs.

Both modes keep them in one form of folder, readable by the launcher and by Redis:

* ``server/users.acl``: Redis's ``aclfile``. It has hashes of the passwords only.
* ``NAME/password`` and ``NAME/url``: what the service NAME connects with.

Standard library only: the launcher and the container ``secrets`` write them.

The rules are those of https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/. What
reaches beyond a user's keys is revoked, and granted again by name: ``@dangerous`` has FLUSHALL, CONFIG, KEYS,
SHUTDOWN, MONITOR and so on, ``@scripting`` has FUNCTION LOAD. Redis checks each command of a Lua script too.
"""

import hashlib
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from pipeline import private_file
from pipeline.queue import keys

_DEFAULT = "user default off resetpass ~* &* +@all"
"""Nobody can sign in as this user, and without signing in a client may do nothing. Redis itself is this user
while it reads its append-only file: without these rights Redis 7 and 8 skip each transaction in there, and
what was accepted is lost (https://github.com/redis/redis/issues/14541)."""

_DATA = "+@read +@write +@transaction +@connection -@dangerous -@scripting"
_SELF = "+client|setname +client|info +client|id"
"""In Redis 6.2 ``-@dangerous`` revokes all of CLIENT."""
_NO_NAMES = "-scan -randomkey"
"""They return names of keys, whatever keys the user may read."""
_RQ_SCRIPTS = "+eval +evalsha +script|load"
"""RQ registers its scripts."""
_RQ, _OURS = keys.ALL_OF_RQ, keys.ALL_OF_OURS

RULES: Mapping[str, str] = {
    "consumer": (
        f"~{keys.RQ_QUEUES} ~{keys.RQ_QUEUE} ~{keys.RQ_JOB}* ~{_OURS}"
        f" {_DATA} {_NO_NAMES} {_SELF} +eval +info +config|get"
    ),
    "worker": (
        f"~{_RQ} ~{_OURS} &{keys.CHANNELS}"
        f" {_DATA} {_SELF} {_RQ_SCRIPTS} +info +subscribe +unsubscribe +publish"
    ),
    "web": (
        f"%R~{_RQ} %R~{_OURS} {' '.join(f'~{key}' for key in keys.WRITTEN_BY_WEB)}"
        f" {_DATA} {_NO_NAMES} {_SELF} +info (~{_RQ} ~{_OURS} +eval +evalsha)"
    ),
    "launcher": f"%R~{_RQ} -@all +@connection -@dangerous +llen +zcard +role",
    "queue-ui": f"~{_RQ} {_DATA} {_NO_NAMES} {_SELF} {_RQ_SCRIPTS} +info",
}
"""Each user's keys and commands. The worker's are also for RQ's commands and RQ's own worker.

The selector in parentheses is there because EVAL and EVALSHA count as writing all keys that they are passed.
The commands of the script itself have to be allowed outside of it.
"""

SERVICES = tuple(name for name in RULES if name != "launcher")
"""Those that follow the primary where there are several servers."""

SERVER = Path("server") / "users.acl"
SELECTORS = (7, 0)
"""From this version on Redis distinguishes keys that may be read (``%R~``) from keys that may be
written, and knows selectors."""


def keep(  # noqa: PLR0913 - what the files say, and who may read them
    folder: Path,
    address: str,
    *,
    version: tuple[int, int] = SELECTORS,
    shared: int = 0o600,
    own: int = 0o600,
    further: Mapping[str, tuple[str, str]] = MappingProxyType({}),
) -> None:
    """Write the files of all users into ``folder``; a password that is there is kept.

    Args:
        folder: its subfolders are made where they are missing.
        address: the server's URL, without a user.
        version: of the server; an older one than 7.0 gets wider rules: who may read a key may write it.
        shared: mode of the files that Redis reads: the users, and the launcher's password.
        own: mode of the other ones.
        further: rules and password of further users, by name.

    Raises:
        OSError: a file can't be read or written.
    """
    known: dict[str, tuple[str, str]] = {}
    for name, rules in RULES.items():
        mode = shared if name == "launcher" else own
        password = keep_password(folder / name, mode)
        private_file.write(folder / name / "url", _url(address, name, password), mode)
        known[name] = (_for_version(rules, version), password)
    (folder / SERVER).parent.mkdir(mode=0o700, exist_ok=True)
    private_file.write(folder / SERVER, render({**known, **further}), shared)


def keep_password(folder: Path, mode: int) -> str:
    """The password in the folder of a user; a new one where there is none yet. Raises OSError."""
    folder.mkdir(mode=0o700, exist_ok=True)
    password = _password(folder / "password")
    private_file.write(folder / "password", password, mode)
    return password


def render(users: Mapping[str, tuple[str, str]]) -> str:
    """An ``aclfile`` of the rules and the password of each user. Nobody is let in without a password."""
    lines = [_DEFAULT]
    for name, (rules, password) in users.items():
        digest = hashlib.sha256(password.encode()).hexdigest()
        lines.append(f"user {name} on #{digest} resetchannels {rules}")
    return "\n".join(lines) + "\n"


def url_file(folder: Path, name: str) -> Path:
    """The file with the URL by which the user ``name`` connects."""
    return folder / name / "url"


def _password(path: Path) -> str:
    """The one that is kept there, else a new one."""
    kept = path.read_text(encoding="utf-8").strip() if path.exists() else ""
    return kept or secrets.token_urlsafe(32)


def _url(address: str, name: str, password: str) -> str:
    scheme, _, rest = address.partition("://")
    return f"{scheme}://{name}:{password}@{rest}"


def _for_version(rules: str, version: tuple[int, int]) -> str:
    """Redis refuses an ``aclfile`` with a word that it does not know."""
    if version >= SELECTORS:
        return rules
    return re.sub(r"\(.*(\+\w+)\)", r"\1", rules).replace("%R~", "~")
