from collections.abc import Collection

import pytest

from pipeline import hosts


def allows(host: str | None, bind: str = "127.0.0.1", extra: Collection[str] = ()) -> bool:
    return hosts.allowed(host, bind, extra)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LocalHost:5000",
        "localhost.",
        "127.0.0.1:8000",
        "127.8.9.10",
        "[::1]",
        "[0:0:0:0:0:0:0:1]:80",
    ],
)
@pytest.mark.parametrize("bind", ["127.0.0.1", "0.0.0.0", "192.0.2.7"])
def test_loopback_may_always_be_named(host: str, bind: str) -> None:
    assert allows(host, bind)


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "evil.example",
        "evil.example:5000",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil.example@localhost",
        "localhost@evil.example",
        "localhost:80:evil.example",
        "localhost:x",
        "localhost, evil.example",
        "local host",
        "localhost..",
        "[localhost]",
        "[127.0.0.1]",
        "::1",
        "[::1",
        "[::1]evil.example",
        "ｌocalhost",
        "localhost\n",
        "a" * 100_000,
    ],
)
@pytest.mark.parametrize("bind", ["127.0.0.1", "0.0.0.0", "::"])
def test_any_other_name_and_what_is_none_are_refused(host: str | None, bind: str) -> None:
    assert not allows(host, bind, ["page.example"])


@pytest.mark.parametrize(
    ("bind", "host"),
    [
        ("192.0.2.7", "192.0.2.7:5000"),
        ("2001:db8::7", "[2001:DB8:0::7]:5000"),
        ("pipeline.Example", "PIPELINE.example:8000"),
    ],
)
def test_the_bind_address_may_be_named(bind: str, host: str) -> None:
    assert allows(host, bind)
    assert not allows(host, "127.0.0.1")


@pytest.mark.parametrize("host", ["192.0.2.7", "10.0.0.1:8000", "[2001:db8::7]:5000"])
def test_an_ip_address_may_be_named_only_where_all_addresses_are_listened_on(host: str) -> None:
    assert allows(host, "0.0.0.0")
    assert allows(host, "::")
    assert not allows(host, "127.0.0.1")
    assert not allows(host, "192.0.2.8")


def test_configured_hosts_may_be_named_whatever_their_case_and_port() -> None:
    extra = ["page.example", "2001:db8::7"]
    assert allows("Page.Example:8443", extra=extra)
    assert allows("page.example.", extra=extra)
    assert allows("[2001:db8:0::7]", extra=extra)
    assert not allows("sub.page.example", extra=extra)
