"""The ingest's settings: derived, repaired, or rejected with the remedy."""

from pathlib import Path
from typing import Any

import pytest

from ingest.settings import IngestProcessSettings, IngestSettings
from shared.settings import SettingsError

KEYS: dict[str, Any] = {
    f"alpaca_{kind}{name}": "x" for kind in ("paper_", "") for name in ("api_key", "secret_key")
}


@pytest.mark.parametrize(
    ("given", "endpoint"),
    [
        ({}, "wss://paper-api.alpaca.markets/stream"),
        ({"alpaca_paper": False}, "wss://api.alpaca.markets/stream"),
        ({"alpaca_trading_url": "http://127.0.0.1:7300/"}, "ws://127.0.0.1:7300/stream"),
    ],
)
def test_the_accounts_stream_is_on_the_host_of_its_rest(
    given: dict[str, Any], endpoint: str
) -> None:
    settings = IngestSettings(_env_file=None, **KEYS, **given)  # type: ignore[call-arg]

    assert settings.access is not None
    assert settings.access.account_endpoint == endpoint


PAPER = {"ALPACA_PAPER_API_KEY": "PK1", "ALPACA_PAPER_SECRET_KEY": "s3cret"}
LIVE = {"ALPACA_PAPER": "false", "ALPACA_API_KEY": "AK1", "ALPACA_SECRET_KEY": "s3cret"}


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Run in an empty directory, with none of our variables."""
    monkeypatch.chdir(tmp_path)
    for name in IngestProcessSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def loaded(monkeypatch: pytest.MonkeyPatch, **variables: str) -> IngestSettings:
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    return IngestProcessSettings.load()


def rejection(monkeypatch: pytest.MonkeyPatch, **variables: str) -> str:
    """Return the one line about settings that must be rejected."""
    with pytest.raises(SettingsError) as rejected:
        loaded(monkeypatch, **{"REDIS_URL": "redis://127.0.0.1"} | variables)
    [line] = str(rejected.value).splitlines()
    return line


@pytest.mark.parametrize("around", ["{}/", "{}//", " {}", "{}\n", "\t{}/ \r\n"])
def test_blanks_around_a_url_and_slashes_behind_it_do_not_count(
    monkeypatch: pytest.MonkeyPatch, around: str
) -> None:
    settings = loaded(
        monkeypatch,
        **PAPER,
        REDIS_URL="redis://127.0.0.1",
        ALPACA_STREAM_URL=around.format("ws://127.0.0.1:7300"),
        ALPACA_DATA_URL=around.format("HTTP://127.0.0.1:7301"),
        ALPACA_TRADING_URL=around.format("http://127.0.0.1:7302"),
    )

    assert settings.access is not None
    assert settings.access.stock_endpoint == "ws://127.0.0.1:7300/v2/iex"
    assert settings.access.news_endpoint == "ws://127.0.0.1:7300/v1beta1/news"
    assert settings.access.data_url == "http://127.0.0.1:7301"
    assert settings.access.trading_url == "http://127.0.0.1:7302"
    assert settings.access.account_endpoint == "ws://127.0.0.1:7302/stream"


@pytest.mark.parametrize(
    ("name", "url", "remedy"),
    [
        ("TRADING", "https://paper-api.alpaca.markets/v2", "ends in /v2: set https://paper-api"),
        ("TRADING", "https://paper-api.alpaca.markets/v2/", "set https://paper-api.alpaca.markets"),
        ("DATA", "https://data.alpaca.markets/v2/stocks", "ends in /v2/stocks: set https://data"),
        ("DATA", "https://data.alpaca.markets?feed=sip", "ends in ?feed=sip: set https://data"),
        ("DATA", "https://data.alpaca.markets/#x", "ends in /#x: set https://data"),
        ("STREAM", "wss://stream.data.alpaca.markets/v2/iex", "ends in /v2/iex: set wss://stream"),
        ("STREAM", "https://stream.data.alpaca.markets", "set wss://stream.data.alpaca.markets"),
        ("TRADING", "wss://paper-api.alpaca.markets/stream", "set https://paper-api.alpaca"),
        ("DATA", "data.alpaca.markets", "is not a base URL such as https://host"),
        ("DATA", "https://", "is not a base URL such as https://host"),
        ("DATA", "https://:443", "is not a base URL such as https://host"),
        ("TRADING", "https://api.alpaca.markets", "is the live account's: remove it, or set "),
        ("DATA", "https://data.alpaca .markets", "is not a base URL such as https://host"),
        ("DATA", "'https://data.alpaca.markets'", "has quotes around it, or in it: remove them"),
        ("STREAM", '"wss://stream.data.alpaca.markets"', "has quotes around it"),
        ("DATA", "https://data.alpaca.markets:https", "port"),
        ("DATA", "https://[::1", "Invalid IPv6 URL"),
    ],
)
def test_a_url_that_is_no_base_url_is_rejected_by_name_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, name: str, url: str, remedy: str
) -> None:
    line = rejection(monkeypatch, **PAPER, **{f"ALPACA_{name}_URL": url})

    assert line.startswith(f"ALPACA_{name}_URL: ")
    assert remedy.lower() in line.lower()


def test_blanks_around_any_other_value_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = loaded(
        monkeypatch,
        **PAPER,
        REDIS_URL="redis://127.0.0.1\r",
        ALPACA_PAPER="true\r",
        ALPACA_FEED="delayed_sip\r",
        ALPACA_SYMBOL_LIMIT=" 40\n",
    )
    assert (settings.alpaca_feed, settings.symbol_limit) == ("delayed_sip", 40)


@pytest.mark.parametrize(
    "name", ["REDIS_URL", "ALPACA_PAPER", "ALPACA_FEED", "ALPACA_SYMBOL_LIMIT", "LOG_LEVEL"]
)
def test_quotes_around_any_other_value_are_rejected_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    line = rejection(monkeypatch, **PAPER | {name: '"redis://:secret@127.0.0.1"'})

    assert line.startswith(f"{name}: has quotes around it, or in it: remove them")
    assert name != "REDIS_URL" or "secret" not in line


def test_the_paper_hosts_url_is_rejected_for_a_live_account(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    line = rejection(monkeypatch, **LIVE, ALPACA_TRADING_URL="https://paper-api.alpaca.markets/")
    assert "is the paper account's: remove it, or set ALPACA_PAPER=true" in line


@pytest.mark.parametrize("variables", [PAPER, LIVE], ids=["paper", "live"])
@pytest.mark.parametrize("around", ["{}\n", " {}", "\t{}\r\n"])
def test_keys_lose_the_blanks_around_them(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], around: str
) -> None:
    given = {
        name: around.format(text) if name.endswith("_KEY") else text
        for name, text in variables.items()
    }
    settings = loaded(monkeypatch, REDIS_URL="redis://127.0.0.1", **given)

    assert settings.access is not None
    assert (settings.access.key[1:], settings.access.secret) == ("K1", "s3cret")


@pytest.mark.parametrize(
    ("variables", "name"),
    [(v, name) for v in (PAPER, LIVE) for name in v if name.endswith("_KEY")],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("around", ['"{}"', "'{}'", "\u201c{}\u201d", "{} x", "{}\u00e9"])
def test_a_key_with_quotes_or_blanks_in_it_is_rejected_by_name_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], name: str, around: str
) -> None:
    line = rejection(monkeypatch, **variables | {name: around.format(variables[name])})

    assert line.startswith(f"{name}: has ")
    assert variables[name] not in line


def test_a_key_of_nothing_but_blanks_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    line = rejection(monkeypatch, **PAPER | {"ALPACA_PAPER_SECRET_KEY": " \n"})

    assert line.startswith("ALPACA_PAPER_SECRET_KEY: not set")


def test_a_key_of_the_other_kind_of_account_is_rejected_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    live = rejection(monkeypatch, **PAPER | {"ALPACA_PAPER_API_KEY": "AK12"})
    assert live.startswith("ALPACA_PAPER_API_KEY: starts with AK, so it is a live key")
    assert "ALPACA_PAPER=false" in live
    paper = rejection(monkeypatch, **LIVE | {"ALPACA_API_KEY": "PK12"})
    assert paper.startswith("ALPACA_API_KEY: starts with PK, so it is a paper key")
    assert "AK12" not in live
    assert "PK12" not in paper


@pytest.mark.parametrize("variables", [PAPER | {"ALPACA_API_KEY": "PK1"}, LIVE | PAPER])
def test_keys_that_are_not_in_use_and_unknown_prefixes_pass(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    assert loaded(monkeypatch, REDIS_URL="redis://127.0.0.1", **variables).access is not None
    monkeypatch.setenv("ALPACA_PAPER_API_KEY", "CK1")
    assert IngestProcessSettings.load().access is not None
