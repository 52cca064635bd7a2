"""What Alpaca's errors mean, and how long to wait after each."""

from typing import Any

import pytest
from tenacity import Future, RetryCallState, Retrying

from ingest.upstream.stream_holder import wait_for
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


def waits(error: BaseException | None, attempt: int) -> list[float]:
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = attempt
    if error is not None:
        future: Future = Future(attempt)
        future.set_exception(error)
        state.outcome = future
    return [wait_for(state) for _ in range(300)]


@pytest.mark.parametrize("attempt", [1, 3, 30])
@pytest.mark.parametrize(
    ("error", "shortest", "longest"),
    [
        (UpstreamError("too many", 429), 90, 110),
        (UpstreamError("slot", 406), 3, 10),
        (UpstreamError("no such stream", retry=Retry.MUCH_LATER), 90, 110),
    ],
)
def test_a_refused_connection_waits_its_own_time_however_often(
    error: Any, attempt: int, shortest: float, longest: float
) -> None:
    drawn = waits(error, attempt)

    assert shortest <= min(drawn) < max(drawn) <= longest


@pytest.mark.parametrize(("attempt", "longest"), [(1, 0.5), (2, 1), (4, 4), (7, 30), (40, 30)])
def test_a_lost_connection_waits_longer_each_time_with_jitter(attempt: int, longest: float) -> None:
    drawn = waits(UpstreamError("lost"), attempt)

    assert 0.1 <= min(drawn) < max(drawn) <= longest
    assert max(drawn) > longest * 0.75
