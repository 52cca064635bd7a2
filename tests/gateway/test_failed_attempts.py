"""Wrong tokens and tickets are counted and slowed down; right ones are always accepted."""

import asyncio
import json

import httpx
import pytest
from starlette.requests import Request

from gateway.http import failed_attempts
from gateway.http.failed_attempts import ADDRESSES, ALLOWED, PER_MINUTE, FailedAttempts
from shared.bus.redis_source import RedisSource
from tests.services import running_gateway, until

RIGHT = {"Authorization": "Bearer right-one"}
WRONG = {"Authorization": "Bearer wrong-one"}
FORGED = "/api/stream/prices?symbols=SPY&ticket=" + "A" * 32
EVENT_SOURCE = {"Accept": "text/event-stream"}


class Clock:
    """Seconds that a test sets."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def sent_from(address: str) -> Request:
    return Request({"type": "http", "headers": [], "client": (address, 1)})


def fail(attempts: FailedAttempts, address: str, times: int) -> list[int | None]:
    """Fail so many times; return the statuses of the rejections other than 401."""
    rejections = [attempts.on_failure(sent_from(address)) for _ in range(times)]
    return [rejection.status if rejection else None for rejection in rejections]


def test_an_address_that_fails_too_often_is_slowed_down_until_time_has_passed() -> None:
    clock = Clock()
    attempts = FailedAttempts(clock)
    assert fail(attempts, "192.0.2.1", ALLOWED + 1) == [None] * ALLOWED + [429]
    assert attempts.is_suspect(sent_from("192.0.2.1"))
    assert not attempts.is_suspect(sent_from("192.0.2.2"))

    clock.now += 60 / PER_MINUTE
    assert not attempts.is_suspect(sent_from("192.0.2.1"))
    assert fail(attempts, "192.0.2.1", 1) == [429]


def test_an_address_that_has_sent_very_many_is_forgiven_within_a_minute() -> None:
    clock = Clock()
    attempts = FailedAttempts(clock)
    fail(attempts, "192.0.2.1", 1_000)
    rejection = attempts.on_failure(sent_from("192.0.2.1"))
    assert rejection is not None
    assert rejection.headers == {"Retry-After": "60", "Connection": "close"}

    clock.now += 60
    assert not attempts.is_suspect(sent_from("192.0.2.1"))


def test_a_clock_that_is_set_back_locks_no_address_out() -> None:
    clock = Clock()
    attempts = FailedAttempts(clock)
    fail(attempts, "192.0.2.1", ALLOWED)
    clock.now -= 3_600
    assert fail(attempts, "192.0.2.2", 1) == [None]
    assert fail(attempts, "192.0.2.1", 1) == [429]


def test_ipv6_is_slowed_down_by_its_network_of_64_bits() -> None:
    attempts = FailedAttempts(Clock())
    statuses = [fail(attempts, f"2001:db8:1:2::{each:x}", 1)[0] for each in range(ALLOWED + 1)]

    assert statuses[-1] == 429
    assert fail(attempts, "2001:db8:1:3::1", 1) == [None]


def test_the_memory_for_addresses_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failed_attempts, "ADDRESSES", 3)
    attempts = FailedAttempts(Clock())
    for last in range(10):
        fail(attempts, f"192.0.2.{last}", ALLOWED + 1)

    remembered = [last for last in range(10) if attempts.is_suspect(sent_from(f"192.0.2.{last}"))]
    assert remembered == [7, 8, 9]
    assert attempts.total == 10 * (ALLOWED + 1)
    assert ADDRESSES == 10_000


async def test_failures_are_logged_at_once_and_then_at_intervals(
    capsys: pytest.CaptureFixture[str],
) -> None:
    attempts = FailedAttempts(Clock(), log_seconds=0.01)
    fail(attempts, "192.0.2.1", 2)
    fail(attempts, "2001:db8::1", 3)
    running = asyncio.create_task(attempts.run())
    lines: list[str] = []

    def logged(count: int) -> bool:
        lines.extend(line for line in capsys.readouterr().out.splitlines() if "rejected" in line)
        return len(lines) >= count

    await until(lambda: logged(1))
    fail(attempts, "192.0.2.9", 1)
    await until(lambda: logged(2))
    running.cancel()

    assert "count=5" in lines[0]
    assert "addresses=2" in lines[0]
    assert "address=2001:db8::/64" in lines[0]
    assert "most=3" in lines[0]
    assert "count=1" in lines[1]
    assert "address=192.0.2.9" in lines[1]


@pytest.fixture
def time_forgives_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the figures of a test not depend on how long its requests take."""
    monkeypatch.setattr(failed_attempts, "PER_MINUTE", 1e-6)


@pytest.mark.usefixtures("time_forgives_nothing")
@pytest.mark.parametrize(("path", "headers"), [("/api/prices?symbols=SPY", WRONG), (FORGED, {})])
async def test_wrong_tokens_and_tickets_are_counted_where_an_operator_looks(
    path: str, headers: dict[str, str]
) -> None:
    async with (
        running_gateway(RedisSource("memory://"), api_token="right-one") as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        statuses = [(await client.get(path, headers=headers)).status_code for _ in range(22)]
        rejection = await client.get(path, headers=headers)
        status = (await client.get("/api/stream/status", headers=RIGHT)).json()

    assert statuses == [401] * ALLOWED + [429] * 2
    assert rejection.json()["error"]["code"] == "too_many_failures"
    assert rejection.headers["connection"] == "close"
    assert int(rejection.headers["retry-after"]) >= 1
    assert status["unauthorized"] == status["gateways"][0]["unauthorized"] == 23


@pytest.mark.usefixtures("time_forgives_nothing")
async def test_a_right_token_and_a_right_ticket_are_accepted_from_an_address_that_sends_wrong_ones(
    any_source: RedisSource,
) -> None:
    async with (
        running_gateway(any_source, api_token="right-one") as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        wrong = [await client.get(FORGED) for _ in range(ALLOWED + 1)]
        ticket = (await client.post("/api/stream/ticket", headers=RIGHT)).json()["ticket"]
        async with client.stream("GET", f"/api/stream/news?ticket={ticket}") as opened:
            assert opened.status_code == 200
        known = await client.get("/api/prices?symbols=SPY", headers=RIGHT)

    assert wrong[-1].status_code == 429
    assert known.status_code == 200


async def test_a_request_without_a_token_is_no_attempt() -> None:
    async with (
        running_gateway(RedisSource("memory://"), api_token="right-one") as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        statuses = {(await client.get("/api/prices?symbols=SPY")).status_code for _ in range(30)}
        status = (await client.get("/api/stream/status", headers=RIGHT)).json()

    assert statuses == {401}
    assert status["unauthorized"] == 0


async def test_an_event_source_is_asked_to_come_back_while_redis_is_unreachable() -> None:
    async with (
        running_gateway(RedisSource("redis://127.0.0.1:1"), api_token="right-one") as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        answers = [await client.get(FORGED, headers=EVENT_SOURCE) for _ in range(5)]
        script = await client.get(FORGED)

    for answer in answers:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        lines = answer.text.split("\n")
        assert lines[0] == "event: bye"
        bye = json.loads(lines[2].removeprefix("data: "))
        assert bye["reason"] == "unavailable"
        assert lines[1] == f"retry: {bye['retry_ms']}"
        assert 2_000 <= bye["retry_ms"] <= 5_000
        assert "127.0.0.1" not in answer.text
    assert len({answer.text for answer in answers}) > 1, "they would come back together"
    assert (script.status_code, script.json()["error"]["code"]) == (503, "redis_unavailable")
