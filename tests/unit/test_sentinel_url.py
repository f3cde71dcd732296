"""A URL that names Sentinels: its parts, and that an error in it is one line without any secret."""

import pytest

from pipeline.declaration import SettingsError
from pipeline.queue.sentinel_url import SentinelUrl, is_sentinel, parse
from pipeline.settings import read


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        ("redis+sentinel://a/x", SentinelUrl((("a", 26_379),), "x")),
        ("redis+sentinel://a:1,[::1]:2,c/x/3", SentinelUrl((("a", 1), ("::1", 2), ("c", 26_379)), "x", 3)),
        (
            "redis+sentinel://user:p%40ss@a:1/my-primary_1.x?sentinel_username=u&sentinel_password=s%26s",
            SentinelUrl((("a", 1),), "my-primary_1.x", 0, "user", "p@ss", "u", "s&s"),
        ),
        ("REDIS+SENTINEL://:p@a/x", SentinelUrl((("a", 26_379),), "x", 0, "", "p")),
        ("rediss+sentinel://a/x", SentinelUrl((("a", 26_379),), "x", tls=True)),
        (
            "rediss+sentinel://a/x?ssl_ca_certs=/ca.crt",
            SentinelUrl((("a", 26_379),), "x", tls=True, tls_files=(("ssl_ca_certs", "/ca.crt"),)),
        ),
    ],
)
def test_it_has_where_the_sentinels_are_and_how_to_sign_in(url: str, meant: SentinelUrl) -> None:
    assert is_sentinel(url)
    assert parse(url) == meant
    assert read({"REDIS_URL": url}).redis_url == url


@pytest.mark.parametrize(
    "rest",
    [
        "a:26379",
        "a:26379/",
        "/primary",
        "a:0/primary",
        "a:70000/primary",
        "a:x/primary",
        "a,,b/primary",
        "a b/primary",
        "a/two words",
        "a/primary/x",
        "a/primary?password=geheim",
        "a/primary?ssl_ca_certs=/ca.crt",
    ],
)
def test_what_is_wrong_is_one_line_that_names_the_setting_and_repeats_no_password(rest: str) -> None:
    with pytest.raises(SettingsError, match=r"^REDIS_URL: ") as caught:
        read({"REDIS_URL": f"redis+sentinel://user:geheim@{rest}"})
    assert "geheim" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_sentinels_are_shown_without_credentials() -> None:
    address = parse("redis+sentinel://u:geheim@a:1,[::1]:2/x?sentinel_password=geheim")
    assert address.described == "a:1, [::1]:2"
    assert "geheim" not in repr(address)


@pytest.mark.parametrize("value", ["-1", "17", "one", "1.5"])
def test_a_number_of_replicas_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(SettingsError, match="FIZZBUZZ_REDIS_REPLICAS"):
        read({"FIZZBUZZ_REDIS_REPLICAS": value})
