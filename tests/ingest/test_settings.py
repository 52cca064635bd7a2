"""What the ingest makes of its settings."""

from typing import Any

import pytest

from ingest.settings import IngestSettings

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
