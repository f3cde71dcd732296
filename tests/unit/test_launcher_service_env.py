from pathlib import Path

from launcher import configuration
from launcher.configuration import Configuration
from launcher.local import influx_server, plan_builder
from launcher.local.system import LocalSystem

SECRETS = {
    "FIZZBUZZ_API_TOKEN": "api-token-0123456789",
    "INFLUXDB_TOKEN": "influx-token",
    "INFLUXDB_PASSWORD": "influx-password",
    "REDIS_URL": "redis://:redis-password@host",
    "INFLUXDB_URL": "http://influx:8086",
}


def load(home: Path, **given: str) -> Configuration:
    return configuration.load({"FIZZBUZZ_HOME": str(home), **given}, home)


def given(environ: dict[str, str]) -> set[str]:
    return {value for value in environ.values() if value in SECRETS.values()}


def test_nobody_is_passed_a_secret_without_need(tmp_path: Path) -> None:
    configuration = load(tmp_path, FIZZBUZZ_STORE="influxdb", **SECRETS)
    known = {
        name: given(plan_builder.environ(configuration, name)) for name in plan_builder.names(configuration)
    }
    store, queue = {"influx-token", "http://influx:8086"}, {"redis://:redis-password@host"}
    assert known == {
        "web": store | queue,
        "worker-1": store | queue,
        "consumer": queue,
        "gateway": {"api-token-0123456789"},
        "producer": {"api-token-0123456789"},
    }


def test_writers_get_the_token_that_writes_and_readers_the_one_that_reads(tmp_path: Path) -> None:
    configuration = load(tmp_path, FIZZBUZZ_STORE="influxdb", FIZZBUZZ_INFLUX_PORT="9999")
    files = {
        name: plan_builder.environ(configuration, name).get("INFLUXDB_TOKEN_FILE")
        for name in plan_builder.names(configuration)
    }
    assert files["worker-1"] == str(influx_server.token_file(configuration, "write"))
    assert files["web"] == str(influx_server.token_file(configuration, "read"))
    assert not files["producer"]
    assert not files["consumer"]
    assert plan_builder.environ(configuration, "web")["INFLUXDB_URL"] == "http://127.0.0.1:9999"


def test_a_service_has_its_own_name_and_its_systems_folders(tmp_path: Path) -> None:
    environ = plan_builder.environ(load(tmp_path, FIZZBUZZ_WORKERS="2"), "worker-2")
    assert environ["FIZZBUZZ_PART"] == "worker-2"
    assert environ["FIZZBUZZ_RUN_DIR"] == str(tmp_path / "run")
    assert environ["FIZZBUZZ_SQLITE_PATH"] == str(tmp_path / "data" / "messages.db")
    assert environ["REDIS_URL_FILE"] == f"{tmp_path}/data/redis-users/worker/url"
    assert "REDIS_URL" not in environ


def test_each_service_of_the_queue_has_a_user_of_its_own_in_the_own_redis(tmp_path: Path) -> None:
    own = load(tmp_path, FIZZBUZZ_WORKERS="2")
    files = {
        name: Path(file).parent.name
        for name in plan_builder.names(own)
        if (file := plan_builder.environ(own, name).get("REDIS_URL_FILE"))
    }
    assert files == {"web": "web", "worker-1": "worker", "worker-2": "worker", "consumer": "consumer"}
    outside = load(tmp_path, REDIS_URL="redis://:redis-password@host")
    assert "REDIS_URL_FILE" not in plan_builder.environ(outside, "consumer")


def test_the_url_of_an_outside_redis_may_be_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("redis://:the-password@host:6380/0\n")
    outside = load(tmp_path, REDIS_URL_FILE=str(file))
    assert "redis" not in plan_builder.names(outside)
    plan = plan_builder.make(outside)
    consumer = plan.find("consumer")
    assert consumer is not None
    assert consumer.env["REDIS_URL_FILE"] == str(file)
    assert plan.redis_url == "redis://:the-password@host:6380/0"
    system = LocalSystem(outside)
    assert f'RQ_REDIS_URL="$(cat {file})"' in system.addresses()["queue"]
    assert list(system.wipe())[1:] == ["not deleted: the data in redis://host:6380/0 (REDIS_URL)"]
    file.unlink()
    assert plan.redis_url == ""


def test_services_are_not_given_one_port_for_all_their_metrics(tmp_path: Path) -> None:
    configuration = load(tmp_path, FIZZBUZZ_METRICS_PORT="9090")
    assert "FIZZBUZZ_METRICS_PORT" not in plan_builder.environ(configuration, "consumer")


def test_outside_servers_are_not_started(tmp_path: Path) -> None:
    own = load(tmp_path, FIZZBUZZ_STORE="influxdb", FIZZBUZZ_WORKERS="2")
    names = ["web", "worker-1", "worker-2", "consumer", "gateway", "producer"]
    assert plan_builder.names(own) == ["redis", "influxdb", *names]
    outside = load(tmp_path, FIZZBUZZ_STORE="influxdb", FIZZBUZZ_WORKERS="2", **SECRETS)
    assert plan_builder.names(outside) == names
