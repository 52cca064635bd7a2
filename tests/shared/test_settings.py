from pathlib import Path

import pytest

from gateway.settings import GatewayProcessSettings, GatewaySettings, is_loopback
from gateway.wire.grant import digest_of
from shared.bus.settings import BusSettings
from shared.settings import CommonSettings, SettingsError


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Run in an empty directory, with none of our variables."""
    monkeypatch.chdir(tmp_path)
    for name in GatewayProcessSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def _refusal(settings: type[CommonSettings]) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        settings.load()
    return str(refused.value).splitlines()


def test_without_any_variable_the_defaults_of_the_contract_hold() -> None:
    settings = GatewaySettings.load()

    assert (settings.host, settings.port) == ("127.0.0.1", 8001)
    assert settings.redis_url is None
    assert settings.api_token == ()
    assert settings.update_interval_seconds == 0.25
    assert settings.flush_interval_ms == 20
    assert (settings.max_clients, settings.max_topics_per_client) == (10_000, 500)
    assert (settings.max_streams_per_principal, settings.max_streams_per_address) == (None, None)
    assert (settings.log_level, settings.log_format) == ("info", "auto")
    assert (settings.heartbeat_seconds, settings.slow_client_seconds) == (9, 30)
    assert (settings.lame_duck_seconds, settings.drain_seconds) == (5, 10)


def test_the_environment_goes_before_dot_env(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("PORT=9001\nHEARTBEAT_SECONDS=3\nSOMETHING_ELSE=1\n")
    monkeypatch.setenv("PORT", "9002")

    settings = GatewaySettings.load()

    assert (settings.port, settings.heartbeat_seconds) == (9002, 3)


def test_an_empty_variable_is_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REDIS_URL", "PORT", "API_TOKEN", "LOG_LEVEL", "HEARTBEAT_SECONDS"):
        monkeypatch.setenv(name, "")

    settings = GatewaySettings.load()

    assert (settings.redis_url, settings.port, settings.api_token) == (None, 8001, ())


def test_every_problem_is_told_at_once_with_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "70000")
    monkeypatch.setenv("LOG_LEVEL", "e")
    monkeypatch.setenv("HEARTBEAT_SECONDS", "soon")
    monkeypatch.setenv("REDIS_URL", "http://cache:6379")

    problems = _refusal(GatewaySettings)

    assert {line.partition(":")[0] for line in problems} == {
        "PORT",
        "LOG_LEVEL",
        "HEARTBEAT_SECONDS",
        "REDIS_URL",
    }
    told = "\n".join(problems)
    assert "'70000'" in told
    assert "'e'" in told
    assert "'soon'" in told
    assert "'http://…' is not a Redis URL: expected redis://" in told


def test_what_does_not_fit_together_is_told_beside_what_is_malformed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOST", "0.0.0.0")
    monkeypatch.setenv("PORT", "http")

    problems = _refusal(GatewayProcessSettings)

    assert [line.partition(":")[0] for line in problems] == ["REDIS_URL", "PORT", "API_TOKEN"]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.4", "gateway.internal", "0"])
def test_an_address_that_others_reach_needs_a_token(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("HOST", host)
    assert _refusal(GatewaySettings) == [
        (
            f"API_TOKEN: not set, and HOST is {host}: anyone who reaches this address could read "
            "the prices. Set API_TOKEN or API_TOKEN_FILE, or HOST=127.0.0.1"
        )
    ]

    monkeypatch.setenv("API_TOKEN", "a-s3cret-of-16-characters")
    assert GatewaySettings.load().host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_loopback_needs_none(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("HOST", host)

    assert is_loopback(host)
    assert GatewaySettings.load().api_token == ()


def test_origins_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    origins = ("https://app.example", "http://localhost:3000", "http://[::1]:8080", "http://a:443")
    monkeypatch.setenv("CORS_ORIGINS", ", ".join(origins))
    assert GatewaySettings.load().cors_origins == origins

    monkeypatch.setenv("CORS_ORIGINS", "*")
    assert GatewaySettings.load().cors_origins == ("*",)


@pytest.mark.parametrize(
    "origin",
    [
        "app.example",
        "//app.example",
        "https://",
        "https://app.example/",
        "https://app.example/page?x",
        "https://user@app.example",
        "https://app.example:443",
        "http://app.example:80",
        "https://App.example",
        "https://*.example",
        "https://straße.example",
        "null",
    ],
)
def test_what_no_browser_sends_as_an_origin_is_refused(
    monkeypatch: pytest.MonkeyPatch, origin: str
) -> None:
    monkeypatch.setenv("CORS_ORIGINS", f"https://app.example,{origin}")

    [problem] = _refusal(GatewaySettings)
    assert problem.startswith(f"CORS_ORIGINS: {origin!r} is not an origin: expected https://HOST")


def test_proxies_are_addresses_and_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert GatewaySettings.load().forwarded_allow_ips == ("127.0.0.1",)

    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "10.0.0.0/8, ::1,*")
    assert GatewaySettings.load().forwarded_allow_ips == ("10.0.0.0/8", "::1", "*")


@pytest.mark.parametrize("proxy", ["balancer", "10.0.0.1/8", "10.0.0", "10.0.0.0/40", "::1/64"])
def test_a_proxy_that_would_never_match_is_refused(
    monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", f"127.0.0.1,{proxy}")

    [problem] = _refusal(GatewaySettings)
    assert problem.startswith("FORWARDED_ALLOW_IPS: ")
    assert proxy in problem
    assert "expected the addresses or networks of proxies" in problem


def test_a_list_of_commas_is_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST", "0.0.0.0")
    monkeypatch.setenv("API_TOKEN", " , ,")

    assert _refusal(GatewaySettings)[0].startswith("API_TOKEN: not set")


def test_several_tokens_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKEN", "old-one, new-one ,")

    grants = GatewaySettings.load().api_token

    assert [grant.digest for grant in grants] == [digest_of(b"old-one"), digest_of(b"new-one")]


@pytest.mark.parametrize("given", ["shh", "long-enough-to-be-safe, shh market"])
def test_a_short_token_is_refused_where_others_can_send_one(
    monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv("API_TOKEN", given)
    assert GatewaySettings.load().grants

    monkeypatch.setenv("HOST", "0.0.0.0")
    [problem] = _refusal(GatewaySettings)
    assert f"API_TOKEN: entry {given.count(',') + 1} has fewer than 16 characters" in problem
    assert "openssl rand -hex 32" in problem
    assert "shh" not in problem


def test_the_length_of_a_hashed_token_is_its_authors_business(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOST", "0.0.0.0")
    monkeypatch.setenv("API_TOKEN", f"sha256:{digest_of(b'shh').hex().upper()} market")

    [grant] = GatewaySettings.load().grants

    assert (grant.digest, grant.scopes) == (digest_of(b"shh"), frozenset({"market"}))


def test_the_tokens_of_the_file_and_of_the_variable_both_count(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "tokens"
    file.write_text("# the desk\nfile-one market, file-two\n\nfile-three\n")
    monkeypatch.setenv("API_TOKEN", "own-one")
    monkeypatch.setenv("API_TOKEN_FILE", str(file))

    found = GatewaySettings.load().grants

    tokens = (b"own-one", b"file-one", b"file-two", b"file-three")
    assert [grant.digest for grant in found] == [digest_of(token) for token in tokens]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "has no token: write one entry in a line"),
        (b"# hush\n,\n", "has no token"),
        (b"hush prices", "entry 1: 'prices' is not a scope"),
        (b"hush\nhush", "entry 2 has the token of an earlier entry"),
        (b"hush\nown-one", "has a token that is in API_TOKEN too"),
        (b"hu\xffsh", "is not text"),
        (b"sha256:hush", "entry 1 begins with sha256: but is not the SHA-256 of a token"),
    ],
)
def test_a_file_of_tokens_that_cannot_be_used_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, says: str
) -> None:
    file = tmp_path / "tokens"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("API_TOKEN", "own-one")
    monkeypatch.setenv("API_TOKEN_FILE", str(file))

    [problem] = _refusal(GatewaySettings)

    assert says in problem
    assert "hush" not in problem


def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKEN", "hush-token")
    monkeypatch.setenv("REDIS_URL", "redis://:hush-word@cache:6379/0")

    assert "hush" not in repr(GatewaySettings.load())
    assert "hush" not in str(GatewaySettings.load())


@pytest.mark.parametrize(
    "url",
    [
        "redsi://:hush@cache:6379",
        "redis://:hush@cache:port",
        "redis://user:hush#x@cache:6379",
        "redis://cache:x?password=hush",
        ":hush@cache",
        "redis://user:hush",
        "redis://user:hu/sh@cache:6379",
        "redis://user:hush?@cache:6379",
        "redis://:hush@a,b",
        "redis+sentinel://:hush@a,b",
        "redis://:hush@cache/name",
        "redis://:hush@cache?hush=1",
        "redis://:hush@cache?ssl_cert_reqs=none",
    ],
)
def test_a_wrong_url_is_told_without_its_password(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("REDIS_URL", url)

    [problem] = _refusal(BusSettings)

    assert problem.startswith("REDIS_URL: ")
    assert "is not a Redis URL: " in problem
    assert "hush" not in problem


@pytest.mark.parametrize(
    "url",
    [
        "redis://cache",
        "redis://:p%40ss@cache:6379/1",
        "rediss://user:word@cache:6380",
        "unix:///run/redis.sock",
        "redis+sentinel://user:word@a:26379,b:26379/mymaster/0",
        "memory://",
    ],
)
def test_every_kind_of_redis_url_is_taken(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("REDIS_URL", url)

    assert BusSettings.load().redis_url == url


def test_settings_do_not_change_after_they_are_read() -> None:
    settings = CommonSettings.load()

    with pytest.raises(ValueError, match="frozen"):
        settings.log_level = "debug"


def test_memory_serves_no_gateway_on_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "memory://")

    assert _refusal(GatewayProcessSettings) == [
        (
            "REDIS_URL: memory:// exists within one process, and no ingest would write to "
            "this one; use it with: tapecast run"
        )
    ]
