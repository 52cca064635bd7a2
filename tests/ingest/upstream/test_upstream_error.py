"""What Alpaca's errors mean for a connection."""

import pytest

from ingest.upstream.upstream_error import Retry, UpstreamError, from_http

MEANING = {
    400: Retry.SOON,
    401: Retry.SOON,
    402: Retry.NEVER,
    403: Retry.SOON,
    404: Retry.SOON,
    405: Retry.SOON,
    406: Retry.LATER,
    407: Retry.SOON,
    408: Retry.NEVER,
    409: Retry.NEVER,
    410: Retry.NEVER,
    411: Retry.NEVER,
    412: Retry.NEVER,
    413: Retry.NEVER,
    429: Retry.MUCH_LATER,
    500: Retry.SOON,
    599: Retry.SOON,
    None: Retry.SOON,
}


@pytest.mark.parametrize(("code", "retry"), MEANING.items())
def test_every_code_says_whether_trying_again_helps(code: int | None, retry: Retry) -> None:
    assert UpstreamError("text", code).retry is retry


@pytest.mark.parametrize("code", [code for code, retry in MEANING.items() if retry is Retry.NEVER])
def test_what_waiting_does_not_mend_names_code_text_and_remedy(code: int) -> None:
    error = UpstreamError("Alpaca's own words", code)

    assert str(error).startswith(f"Alpaca's own words ({code}): ")
    assert error.hint
    assert error.hint in str(error)


@pytest.mark.parametrize(
    ("status", "code", "retry"),
    [
        (401, 402, Retry.NEVER),
        (403, None, Retry.SOON),
        (429, 429, Retry.MUCH_LATER),
        (404, None, Retry.SOON),
        (500, None, Retry.SOON),
        (502, None, Retry.SOON),
        (503, None, Retry.SOON),
    ],
)
def test_an_http_status_in_place_of_a_websocket(
    status: int, code: int | None, retry: Retry
) -> None:
    error = from_http(status, "ALPACA_FEED")

    assert (error.code, error.retry) == (code, retry)
    assert str(status) in str(error)


def test_an_http_404_or_403_names_the_settings_of_the_url_and_403_a_proxy_too() -> None:
    assert str(from_http(404, "ALPACA_TRADING_URL")) == (
        "Alpaca answered HTTP 404: check ALPACA_TRADING_URL"
    )
    assert str(from_http(403, "ALPACA_TRADING_URL")) == (
        "Alpaca answered HTTP 403: a proxy or a firewall may reject the connection, "
        "or check ALPACA_TRADING_URL"
    )
