"""What each container may not do, as configured and as it turns out."""

import json
import socket
import subprocess
from typing import Any

import pytest

from launcher.compose import engine
from tests.support.compose_site import Site, inspect

SERVICES = ("producer", "gateway", "consumer", "worker", "redis", "influxdb", "web", "proxy")
PORTS = {"gateway": 8000, "consumer": 50051, "redis": 6379, "influxdb": 8086, "web": 5000, "proxy": 8000}

# Who may open a connection to whom; anything else must fail.
ALLOWED = {
    ("producer", "gateway"),
    ("gateway", "consumer"),
    ("gateway", "proxy"),
    ("consumer", "redis"),
    ("consumer", "gateway"),
    ("worker", "redis"),
    ("worker", "influxdb"),
    ("worker", "web"),
    ("worker", "proxy"),
    ("web", "redis"),
    ("web", "influxdb"),
    ("web", "proxy"),
    ("influxdb", "web"),
    ("influxdb", "proxy"),
    ("redis", "consumer"),
    ("redis", "web"),
    ("proxy", "gateway"),
    ("proxy", "web"),
    ("proxy", "influxdb"),
}

_CONNECT = """
import socket, sys
from concurrent.futures import ThreadPoolExecutor
def attempt(target):
    host, _, port = target.rpartition(":")
    try:
        socket.create_connection((host, int(port)), 2).close()
    except OSError:
        return ""
    return target
with ThreadPoolExecutor(32) as pool:
    print(*pool.map(attempt, sys.argv[1:]))
"""

_WRITE = (
    "for path in /new /app/new /usr/bin/new /etc/new /var/new; do if echo > $path; then echo $path; fi; done"
)


def _inspected(site: Site, service: str) -> dict[str, Any]:
    return inspect(site.containers(service)[0].id)[0]


@pytest.mark.parametrize("service", SERVICES)
def test_the_engine_was_configured_to_allow_little(site: Site, service: str) -> None:
    found = _inspected(site, service)
    host = found["HostConfig"]
    assert found["Config"]["User"] not in ("", "0", "root")
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert not host["Privileged"]
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert host["Memory"] > 0
    assert host["NanoCpus"] > 0
    assert host["PidsLimit"] > 0
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}
    assert found["State"]["Health"]["Status"] == "healthy"


@pytest.mark.parametrize("service", SERVICES)
def test_the_main_process_has_no_rights_to_give_away(site: Site, service: str) -> None:
    status = site.run_in(service, "cat", "/proc/1/status").stdout
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert "0" not in fields["Uid"].split()
    assert int(fields["CapEff"], 16) == int(fields["CapBnd"], 16) == 0
    assert fields["NoNewPrivs"] == "1"


@pytest.mark.parametrize("service", SERVICES)
def test_the_root_file_system_can_not_be_written(site: Site, service: str) -> None:
    done = site.run_in(service, "sh", "-c", f"{_WRITE}; echo > /tmp/new && echo /tmp/new && rm /tmp/new")
    assert done.stdout.split() == ["/tmp/new"]
    assert "Read-only file system" in done.stderr


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_reaches_only_those_it_works_with(site: Site, service: str) -> None:
    """Tried by address, in every network: that a name is not known would be no guard."""
    targets = {
        f"{network['IPAddress']}:{PORTS[other]}": other
        for other in PORTS
        if other != service
        for network in _inspected(site, other)["NetworkSettings"]["Networks"].values()
    }
    reached = {targets[line] for line in _connect_from(site, service, list(targets))}
    assert reached == {other for one, other in ALLOWED if one == service}


def _connect_from(site: Site, service: str, targets: list[str]) -> list[str]:
    """Those that a process in the container's network can connect to."""
    if service not in ("redis", "influxdb"):  # these have no Python: another image joins their network
        return site.run_in(service, "python", "-c", _CONNECT, *targets).stdout.split()
    joined = ["docker", "run", "--rm", "--network", f"container:{site.containers(service)[0].id}"]
    image = _inspected(site, "gateway")["Image"]
    command = [*joined, image, "python", "-c", _CONNECT, *targets]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def test_only_the_proxy_is_in_a_network_with_a_way_out_of_the_machine(site: Site) -> None:
    names = {name for one in SERVICES for name in _inspected(site, one)["NetworkSettings"]["Networks"]}
    open_ones = {network["Name"] for network in inspect(*names) if not network["Internal"]}
    inside = {
        one for one in SERVICES if open_ones & _inspected(site, one)["NetworkSettings"]["Networks"].keys()
    }
    assert inside == {"proxy"}


def test_only_the_proxy_publishes_ports_and_only_on_the_loopback_address(site: Site) -> None:
    published = {
        (service, binding["HostIp"], binding["HostPort"], port)
        for service in SERVICES
        for port, bindings in (_inspected(site, service)["NetworkSettings"]["Ports"] or {}).items()
        for binding in bindings or ()
    }
    settings = site.settings
    assert published == {
        ("proxy", "127.0.0.1", settings["FIZZBUZZ_WEB_PORT"], "5000/tcp"),
        ("proxy", "127.0.0.1", settings["FIZZBUZZ_GATEWAY_PORT"], "8000/tcp"),
        ("proxy", "127.0.0.1", settings["FIZZBUZZ_INFLUX_PORT"], "8086/tcp"),
    }


def test_no_secret_is_in_an_image_or_in_an_environment(site: Site) -> None:
    password = site.password()
    tokens = [site.run_in(*words).stdout.strip() for words in _TOKENS]
    assert all(len(secret) > 20 for secret in (password, *tokens))
    for container in site.containers():
        (found,) = inspect(container.id)
        (image,) = inspect(found["Image"])
        history = ["docker", "history", "--no-trunc", "--format", "{{json .}}", found["Image"]]
        layers = subprocess.run(history, capture_output=True, text=True, check=True).stdout
        text = json.dumps([found["Config"], image["Config"]]) + layers
        assert not any(secret in text for secret in (password, *tokens))


_TOKENS = (
    ("worker", "cat", "/tokens/write/token"),
    ("web", "cat", "/tokens/read/token"),
    *((service, "cat", "/secrets/redis/password") for service in ("consumer", "worker", "web", "redis")),
)


@pytest.mark.parametrize("service", ["producer", "gateway", "consumer", "web"])
def test_nobody_but_the_worker_has_the_token_that_writes(site: Site, service: str) -> None:
    assert site.run_in("worker", "cat", "/tokens/write/token").returncode == 0
    assert site.run_in(service, "cat", "/tokens/write/token").returncode != 0


_SECRETS = {
    "api-token": {"gateway", "producer"},
    "influxdb-password": set(),
    "write-token": {"worker"},
    "read-token": {"web"},
    "redis-users": {"redis"},
    "redis-launcher": {"redis"},
    "redis-consumer": {"consumer"},
    "redis-worker": {"worker"},
    "redis-web": {"web"},
}


@pytest.mark.parametrize("volume", _SECRETS)
def test_a_secret_is_mounted_where_it_is_needed_and_can_not_be_changed_there(site: Site, volume: str) -> None:
    name = f"{site.project.name}_{volume}"
    mounts = {
        one.service: mount["RW"]
        for one in site.containers()
        for mount in inspect(one.id)[0]["Mounts"]
        if mount.get("Name") == name
    }
    assert mounts == dict.fromkeys(_SECRETS[volume], False)


@pytest.mark.parametrize("service", ["worker", "web"])
def test_tokens_can_not_be_changed_by_those_who_use_them(site: Site, service: str) -> None:
    done = site.run_in(service, "sh", "-c", "rm -f /tokens/*/token")
    assert done.returncode != 0
    assert "Read-only file system" in done.stderr


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_does_not_reach_the_machine_by_an_inner_network(site: Site, service: str) -> None:
    """Tried on a port that listens on every address of the machine."""
    if engine.bridge_mode(engine.check()) != "isolated":
        pytest.skip(f"engine {engine.check()} can't isolate bridges: that needs 28 or newer")
    with socket.create_server(("0.0.0.0", 0)) as server:
        port = server.getsockname()[1]
        gateways = {
            config["Gateway"]
            for name in _inspected(site, service)["NetworkSettings"]["Networks"]
            for network in inspect(name)
            if network["Internal"]
            for config in network["IPAM"]["Config"]
            if config.get("Gateway")
        }
        assert _connect_from(site, service, [f"{gateway}:{port}" for gateway in gateways]) == []


def test_redis_has_each_message_on_disk_before_it_is_answered(site: Site) -> None:
    """kill -9 can't distinguish ``appendfsync always`` from ``everysec``, as the kernel keeps the data."""
    code = (
        "from pipeline.queue.client import connect; from pipeline.settings import load_or_exit;"
        "found = connect(load_or_exit('consumer').redis_url).config_get('append*');"
        "print(found['appendonly'], found['appendfsync'])"
    )
    assert site.run_in("consumer", "python", "-c", code).stdout.strip() == "yes always"
    code = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9090/metrics').read().decode())"
    metrics = site.run_in("consumer", "python", "-c", code).stdout
    assert "fizzbuzz_consumer_queue_durable 1.0" in metrics
