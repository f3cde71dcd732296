"""What compose and Kubernetes are passed for a group of Redis servers, and the files by which all sign in."""

import json
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy import keep_secrets, redis_secrets
from launcher import configuration, containerized
from launcher.compose.project import Project
from launcher.configuration import CHECKOUT
from launcher.errors import UserError
from launcher.local import preflight
from launcher.local.system import LocalSystem
from pipeline.queue import sentinel_url, sentinel_users, users
from tests.support.ports import free_port
from tests.support.scripted_group import script_in

OVERLAY = CHECKOUT / "deploy" / "kubernetes" / "redis-replicas"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("api", "influxdb", "redis"):
        (tmp_path / name).mkdir()
    return tmp_path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_services_get_the_sentinels_and_servers_only_hashes_of_the_services_passwords(
    folder: Path,
) -> None:
    redis = folder / "redis"
    keep_secrets.main([], folder, redis, replicas=1)
    address = sentinel_url.parse((redis / "consumer" / "url").read_text())
    assert address.described == "sentinel-1:26379, sentinel-2:26379, sentinel-3:26379"
    assert (address.primary, address.username) == ("fizzbuzz", "consumer")
    assert address.password == (redis / "consumer" / "password").read_text()
    acl = (redis / users.SERVER).read_text()
    assert address.password not in acl
    assert {line.split()[1] for line in acl.splitlines()} >= {"replica", "sentinel", "consumer", "default"}
    sentinel = (redis / sentinel_users.SENTINEL_FOLDER / "users.acl").read_text()
    assert address.sentinel_password not in sentinel
    assert [line.split()[1] for line in sentinel.splitlines()] == [
        "default",
        "sentinel-peer",
        "sentinel-client",
    ]
    assert mode(redis / "consumer" / "url") == mode(redis / "group" / "replica" / "password") == 0o400
    assert mode(redis / "server" / "replication.conf") == 0o444  # Redis's image has another user


def test_passwords_stay_and_one_server_is_one_again(folder: Path) -> None:
    redis = folder / "redis"
    keep_secrets.main([], folder, redis, replicas=2)
    before = {path: path.read_text() for path in redis.rglob("*") if path.is_file()}
    keep_secrets.main([], folder, redis, replicas=2)
    assert {path: path.read_text() for path in redis.rglob("*") if path.is_file()} == before
    keep_secrets.main([], folder, redis)
    assert not (redis / "server" / "group").exists()
    # What still runs of the group is a stranger to the next one.
    assert not [*(redis / "group").rglob("password")]
    password = (redis / "worker" / "password").read_text()
    assert (redis / "worker" / "url").read_text() == f"redis://worker:{password}@redis:6379/0"
    assert "user sentinel" not in (redis / users.SERVER).read_text()


@dataclass(frozen=True)
class Says:
    """What a Sentinel answers: an error, or the primary and the replicas that it knows."""

    primary: str
    epoch: int = 1
    replicas: Sequence[Mapping[str, str]] = ()
    flags: str = "master,s_down"
    is_cut: bool = False
    """The replicas did not come in time."""

    def text(self) -> str:
        if not self.primary or " " in self.primary:
            return "\n".join([self.primary] * 4)
        masters = {"name": "fizzbuzz", "runid": "", "flags": self.flags, "config-epoch": str(self.epoch)}
        known = {"num-slaves": str(len(self.replicas))}
        words = [self.primary, "6379", *_flat({**masters, **known}), "PONG"]
        further = [word for one in self.replicas for word in _flat(one)] if not self.is_cut else []
        return "\n".join([*words, *further])


def _flat(fields: Mapping[str, str]) -> list[str]:
    return [word for field in fields.items() for word in field]


def replica(*, flags: str = "slave", role: str = "slave", offset: int = 1) -> dict[str, str]:
    """As a Sentinel has it; one that has followed nobody since its start has the offset 1."""
    return {"name": "redis-2", "flags": flags, "role-reported": role, "slave-repl-offset": str(offset)}


def started(
    script: str,
    folder: Path,
    *words: str,
    sentinels: Sequence[Says] = (),
    master: str = "",
    pauses: int = 0,
) -> list[str]:
    """The command by which a script starts Redis, with its paths in ``folder``; none where it waits longer.

    Args:
        sentinels: what they answer, the first ones of three.
        master: the host of the server that says that it is the primary.
        pauses: how often it waits, 10 s each time.
    """
    programs, uptime = folder / "bin", folder / "uptime"
    programs.mkdir(exist_ok=True)
    (programs / "pauses").write_text("")
    uptime.write_text("0.00 0.00\n")
    for number, each in enumerate(sentinels, 1):
        (programs / f"sentinel-{number}.says").write_text(each.text())
    stubs = {
        "redis-server": 'echo "$@"',
        "redis-cli": f'[ $4 != 26379 ] || exec cat {programs}/$2.says\n[ "$2" != "{master}" ] || echo master',
        "sleep": f"echo >>{programs}/pauses; n=$(wc -l <{programs}/pauses)\n"
        f"echo $((n * 10)).00 0.00 >{uptime}; [ $n -le {pauses} ] || kill $PPID",
    }
    for name, text in stubs.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    text = script_in(folder, script).replace("/proc/uptime", str(uptime))
    for place in ("secrets", "data", "tmp"):
        (folder / place).mkdir(exist_ok=True)
    environ = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "SELF": "redis"}
    done = subprocess.run(
        ["sh", "-c", text, script, *words], env=environ, capture_output=True, text=True, check=False
    )
    return done.stdout.split()


@pytest.fixture
def group(tmp_path: Path) -> Path:
    """The folder of a server of a group."""
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    keep_secrets_in = tmp_path / "kept"
    for name in ("api", "influxdb", "redis"):
        (keep_secrets_in / name).mkdir(parents=True)
    keep_secrets.main([], keep_secrets_in, keep_secrets_in / "redis", replicas=1)
    shutil.copytree(keep_secrets_in / "redis" / "server", secrets / "users")
    shutil.copytree(keep_secrets_in / "redis" / "sentinels", secrets / "sentinel")
    return tmp_path


def test_a_single_server_is_started_with_its_options_and_no_more(tmp_path: Path) -> None:
    assert started("start-server.sh", tmp_path, "--save", "x") == ["--save", "x"]


def test_a_server_is_the_replica_of_the_primary_that_the_sentinels_name(group: Path) -> None:
    words = started("start-server.sh", group, "--save", "x", sentinels=[Says("redis-2")], master="redis-2")
    assert words[1:3] == ["--save", "x"]
    assert words[-3:] == ["--replicaof", "redis-2", "6379"]
    assert "masterauth" in Path(words[0]).read_text()


def test_the_primary_is_no_replica_and_is_fenced(group: Path) -> None:
    words = started("start-server.sh", group, sentinels=[Says("redis")] * 2)
    assert "--replicaof" not in words
    assert words[words.index("--min-replicas-to-write") + 1] == "1"


def with_data(group: Path) -> Path:
    (group / "data" / "appendonlydir").mkdir(parents=True)
    (group / "data" / "appendonlydir" / "appendonly.aof").touch()
    return group


def test_a_primary_that_has_lost_its_disk_waits_until_another_takes_over(group: Path) -> None:
    """Started empty, it would have its replicas delete what they hold."""
    says = [Says("redis", replicas=[replica(flags="slave,s_down")])] * 3
    assert started("start-server.sh", group, sentinels=says, pauses=20) == []
    assert started("start-server.sh", with_data(group), sentinels=says)


@pytest.mark.parametrize(
    ("says", "replaced_by"),
    [
        ([], None),
        ([Says("")] * 3, None),
        ([Says("NOAUTH Authentication required.")] * 3, None),
        ([Says("redis")], None),  # the two others may know of another primary
        ([Says("redis", 0)] * 2 + [Says("redis-2", 1)], "redis-2"),
        ([Says("redis", 1), Says("redis-2", 1)], "redis-2"),  # it replaces this one at this moment
        ([Says("redis-2", 0), Says("redis", 1), Says("redis", 1)], "redis"),
        ([Says("redis", replicas=[replica(role="master", offset=0)]), Says("redis")], None),
        ([Says("redis", flags="master,o_down,failover_in_progress"), Says("redis")], None),
        ([Says("redis"), Says("redis", replicas=[replica(role="master")], is_cut=True)], None),
    ],
)
def test_a_server_is_the_primary_only_if_no_sentinel_knows_better(
    group: Path, says: list[Says], replaced_by: str | None
) -> None:
    words = started("start-server.sh", with_data(group), sentinels=says, master="redis-2", pauses=20)
    found = words[words.index("--replicaof") + 1] if "--replicaof" in words else "redis"
    assert (found if words else None) == replaced_by


@pytest.mark.parametrize(
    ("known", "pauses", "starts"),
    [
        (replica(offset=2), 1, False),  # it may be about to take over
        (replica(offset=2), 2, True),
        (replica(offset=1), 0, True),
        (replica(offset=2, flags="s_down,slave"), 0, True),
        (replica(offset=2, flags="slave,disconnected"), 0, True),
    ],
)
def test_a_primary_that_starts_again_gives_its_replicas_the_time_to_take_over(
    group: Path, known: dict[str, str], pauses: int, starts: bool
) -> None:
    says = [Says("redis", replicas=[replica(), known])] * 2
    words = started("start-server.sh", with_data(group), sentinels=says, pauses=pauses)
    assert bool(words) is starts
    assert "--replicaof" not in words


@pytest.mark.parametrize(("pauses", "starts"), [(5, False), (6, True)])
def test_a_replica_waits_for_its_primary_so_that_it_is_not_chosen_before_that_has_started(
    group: Path, pauses: int, starts: bool
) -> None:
    words = started("start-server.sh", group, sentinels=[Says("redis-2")] * 3, pauses=pauses)
    assert words[-2:] == (["redis-2", "6379"] if starts else [])


def test_a_sentinel_keeps_what_it_has_learned(group: Path) -> None:
    conf, mark = started("start-sentinel.sh", group)
    assert mark == "--sentinel"
    text = Path(conf).read_text()
    assert "sentinel monitor fizzbuzz redis 6379 2" in text
    assert text.index("resolve-hostnames") < text.index("sentinel announce-ip redis")
    Path(conf).write_text("learned")
    started("start-sentinel.sh", group)
    assert Path(conf).read_text() == "learned"


def test_a_sentinel_begins_anew_after_a_time_without_replicas(group: Path) -> None:
    """Meanwhile one server alone has accepted: as the replica of an old primary it would delete that."""
    (conf, _) = started("start-sentinel.sh", group)
    kept = group / "kept"
    for starts, begins_anew in (((1,), False), ((0, 1), True)):
        Path(conf).write_text("learned")
        for replicas in starts:
            keep_secrets.main([], kept, kept / "redis", replicas=replicas)
        shutil.rmtree(group / "secrets" / "sentinel")
        shutil.copytree(kept / "redis" / "sentinels", group / "secrets" / "sentinel")
        started("start-sentinel.sh", group)
        assert ("sentinel monitor fizzbuzz redis 6379 2" in Path(conf).read_text()) is begins_anew


def rendered() -> str:
    if not shutil.which("kubectl"):
        pytest.skip("no kubectl on PATH")
    return subprocess.run(
        ["kubectl", "kustomize", str(OVERLAY)], capture_output=True, text=True, check=True
    ).stdout


def test_the_overlay_has_three_servers_and_three_sentinels_and_no_redis_outside() -> None:
    text = rendered()
    parts = text.split("\n---\n")
    found = {tuple(re.findall(r"^(?:kind:|  name:) (\S+)", part, re.MULTILINE)[:2]): part for part in parts}
    for name in ("redis", "sentinel"):
        pods = found["StatefulSet", name]
        assert "replicas: 3" in pods
        assert "whenUnsatisfiable: DoNotSchedule" in pods
        assert "readOnlyRootFilesystem: true" in pods
        assert {("PodDisruptionBudget", name), ("NetworkPolicy", name), ("Service", name)} <= found.keys()
    assert "outside-redis" not in text
    assert 'FIZZBUZZ_REDIS_REPLICAS: "1"' in text


def test_the_secrets_of_the_overlay_are_made_once_for_its_pods(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert redis_secrets.main(["", str(tmp_path / "s"), "other"]) == 0
    printed = capsys.readouterr().out.splitlines()
    services = ("redis-launcher", "redis-consumer", "redis-worker", "redis-web")
    assert all(line.endswith(" apply --server-side --force-conflicts -f -") for line in printed)
    assert {line.split()[6] for line in printed} == {"redis-users", "redis-sentinels", *services}
    url = (tmp_path / "s" / "web" / "url").read_text()
    assert "@sentinel-0.sentinel.other.svc.cluster.local:26379,sentinel-1" in url
    conf = (tmp_path / "s" / "sentinels" / "sentinel.conf").read_text()
    assert "monitor fizzbuzz redis-0.redis.other.svc.cluster.local 6379 2" in conf
    redis_secrets.main(["", str(tmp_path / "s"), "other"])
    assert (tmp_path / "s" / "web" / "url").read_text() == url
    assert sentinel_url.parse(url).password not in "".join(printed)
    assert redis_secrets.main([""]) == redis_secrets.USAGE


def test_compose_starts_the_group_with_its_profile_alone() -> None:
    if not shutil.which("docker"):
        pytest.skip("no docker on PATH")
    command = ["docker", "compose", "-f", str(CHECKOUT / "deploy" / "docker-compose.yml")]
    more = {"redis-2", "redis-3", "sentinel-1", "sentinel-2", "sentinel-3"}
    for profile, expected in ((), set()), (("--profile", "redis-replicas"), more):
        words = [*command, *profile, "config", "--format", "json"]
        text = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        assert json.loads(text)["services"].keys() & more == expected


def test_start_sh_starts_the_profile_where_replicas_are_wanted(tmp_path: Path) -> None:
    alone = Project(configuration.load({"FIZZBUZZ_HOME": str(tmp_path)})).environ()
    wanted = {"FIZZBUZZ_HOME": str(tmp_path), "FIZZBUZZ_REDIS_REPLICAS": "2"}
    several = Project(configuration.load(wanted)).environ()
    assert "COMPOSE_PROFILES" not in alone
    assert (several["COMPOSE_PROFILES"], several["FIZZBUZZ_REDIS_REPLICAS"]) == ("redis-replicas", "2")


@pytest.mark.parametrize(("mode", "wanted"), [("docker", "3"), ("kubernetes", "3")])
def test_more_replicas_than_a_mode_has_are_refused_in_one_line(
    tmp_path: Path, mode: str, wanted: str
) -> None:
    given = {"FIZZBUZZ_HOME": str(tmp_path), "FIZZBUZZ_REDIS_REPLICAS": wanted}
    with pytest.raises(
        UserError, match=rf"FIZZBUZZ_REDIS_REPLICAS={wanted}: in {mode} mode at most \d"
    ) as found:
        containerized.check_settings(configuration.load({**given, "INFLUXDB_PASSWORD": "long enough"}), mode)
    assert "\n" not in str(found.value)


def test_the_own_redis_of_local_mode_has_no_replicas(tmp_path: Path) -> None:
    wanted = configuration.load({"FIZZBUZZ_HOME": str(tmp_path), "FIZZBUZZ_REDIS_REPLICAS": "1"})
    with pytest.raises(UserError, match=r"^FIZZBUZZ_REDIS_REPLICAS .*this system's own Redis is one server"):
        preflight.check(wanted, None)


def test_sentinels_where_nobody_answers_are_refused_in_one_line_without_the_password(tmp_path: Path) -> None:
    url = f"redis+sentinel://user:geheim@127.0.0.1:{free_port()},127.0.0.1:{free_port()}/primary"
    wanted = configuration.load({"FIZZBUZZ_HOME": str(tmp_path), "REDIS_URL": url})
    with pytest.raises(UserError, match=r"^REDIS_URL .*no Redis answers there") as found:
        preflight.check(wanted, None)
    assert "geheim" not in str(found.value)


def test_what_stays_outside_is_named_without_any_password(tmp_path: Path) -> None:
    url = "redis+sentinel://user:geheim@192.0.2.1,192.0.2.2/x?sentinel_username=u&sentinel_password=geheim"
    system = LocalSystem(configuration.load({"FIZZBUZZ_HOME": str(tmp_path), "REDIS_URL": url}))
    said = "\n".join(system.wipe())
    assert "the data in redis+sentinel://192.0.2.1,192.0.2.2/x (REDIS_URL)" in said
    assert "geheim" not in said
