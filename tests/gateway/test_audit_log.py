"""A line for each stream that is opened, changed, rejected or ended, and no secret in it."""

import asyncio
import hashlib
from collections.abc import Callable, MutableMapping, Sequence
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from structlog.testing import capture_logs

from gateway.http import audit_log
from gateway.http.api_error import ApiError
from gateway.http.audit_log import AuditLog
from shared.bus.errors import BusBusyError, BusUnreachableError
from shared.bus.redis_source import RedisSource
from tests.event_stream import open_stream
from tests.gateway.hubs import gateway_with_hub
from tests.services import running_gateway, until

ONE = {"Authorization": "Bearer token-one"}
NAME = hashlib.sha256(b"token-one").hexdigest()[:12]

Lines = Sequence[MutableMapping[str, Any]]


def audit(lines: Lines) -> list[dict[str, Any]]:
    """Return the lines of the audit log."""
    return [dict(each) for each in lines if each["event"].startswith("stream_")]


def ended(lines: Lines) -> Callable[[], bool]:
    return lambda: any(line["event"] == "stream_ended" for line in lines)


async def test_a_stream_leaves_a_line_for_its_beginning_its_changes_and_its_end() -> None:
    with capture_logs() as lines:
        async with (
            running_gateway(RedisSource("memory://"), api_token="token-one") as url,
            httpx.AsyncClient(base_url=url, headers=ONE) as client,
        ):
            ticket = (await client.post("/api/stream/ticket")).json()["ticket"]
            async with open_stream(url, symbols="SPY,IBM", ticket=ticket) as stream:
                await stream.until_kind("ready")
                stream_id = stream.of("hello")[0]["stream_id"]
                change = {"add": ["news:*"], "remove": ["price:SPY", "status:SPY"]}
                await client.patch(f"/api/stream/{stream_id}", json=change)
            await until(ended(lines))

    who = {"stream_id": stream_id, "principal": NAME, "address": "127.0.0.1", "log_level": "info"}
    opened, changed, end = audit(lines)
    assert end.pop("seconds") >= 0
    assert opened == {"event": "stream_opened", "topics": 4, "denied": 0, **who}
    assert changed == {"event": "stream_changed", "added": 1, "removed": 2, **who}
    assert end == {"event": "stream_ended", "reason": "left", **who}
    assert "token-one" not in str(lines)
    assert ticket not in str(lines)
    assert "SPY" not in str(audit(lines))


async def test_the_end_of_a_gateway_is_the_reason_of_the_end_of_its_streams() -> None:
    with capture_logs() as lines:
        async with running_gateway(RedisSource("memory://"), lame_duck_seconds=0) as url:
            connection = await asyncio.open_connection("127.0.0.1", httpx.URL(url).port)
            connection[1].write(
                b"GET /api/stream/prices?symbols=SPY HTTP/1.1\r\nHost: localhost\r\n\r\n"
            )
            await connection[0].readuntil(b"event: ready")
        connection[1].close()

    assert [line.get("reason") for line in audit(lines)] == [None, "shutdown"]
    assert {line["principal"] for line in audit(lines)} == {"anonymous"}


async def test_a_rejection_leaves_a_line_with_its_reason_and_who_is_known_of_the_sender() -> None:
    with capture_logs() as lines:
        async with (
            running_gateway(
                RedisSource("memory://"), api_token="token-one market", max_streams_per_principal=1
            ) as url,
            httpx.AsyncClient(base_url=url) as client,
            open_stream(url, symbols="SPY", headers=ONE) as stream,
        ):
            await stream.until_kind("ready")
            path = "/api/stream/prices?symbols=SPY"
            await client.get(f"{path}&ticket=hush-ticket")
            await client.get(path, headers={"Authorization": "Bearer hush-token"})
            await client.get("/api/stream/orders", headers=ONE)
            await client.get(path, headers=ONE)

    found = [
        (line["principal"], line["reason"], line["count"], line["address"])
        for line in lines
        if line["event"] == "stream_rejected"
    ]
    assert found == [
        (None, "unauthorized", 1, "127.0.0.1"),
        (NAME, "scope_denied", 1, "127.0.0.1"),
        (NAME, "busy", 1, "127.0.0.1"),
    ]
    assert "hush" not in str(lines)


async def test_nothing_is_logged_if_it_is_switched_off() -> None:
    with capture_logs() as lines:
        async with (
            running_gateway(RedisSource("memory://"), audit_log=False) as url,
            open_stream(url, symbols="SPY") as stream,
            httpx.AsyncClient(base_url=url) as client,
        ):
            await stream.until_kind("ready")
            await client.get("/api/stream/prices?symbols=$")

    assert audit(lines) == []


async def test_a_request_that_a_lame_duck_answers_with_bye_leaves_a_line() -> None:
    with capture_logs() as lines:
        async with gateway_with_hub(RedisSource("memory://")) as (url, hub):
            hub.drain()
            async with open_stream(url, symbols="SPY") as stream:
                await stream.until_kind("bye")

    [line] = audit(lines)
    assert (line["event"], line["reason"], line["address"]) == (
        "stream_rejected",
        "shutdown",
        "127.0.0.1",
    )


def rejected(log: AuditLog, address: str, error: Exception) -> None:
    request = Request({"type": "http", "client": (address, 1)})
    with pytest.raises(type(error)), log.rejections(request):
        raise error


def refusal(code: str) -> ApiError:
    return ApiError(401, code=code, message="", hint="")


def test_a_stranger_who_is_rejected_often_fills_no_log() -> None:
    log = AuditLog(True, clock=lambda: 0.0)
    with capture_logs() as lines:
        for _ in range(1_000):
            rejected(log, "192.0.2.1", refusal("unauthorized"))
        rejected(log, "192.0.2.2", refusal("unauthorized"))
        rejected(log, "192.0.2.1", BusUnreachableError("no answer"))
        rejected(log, "192.0.2.1", BusBusyError("all in use"))
        at_once = len(lines)
        log.report_repeated()
        log.report_repeated()

    assert at_once == 4
    assert [(line["address"], line["reason"], line["count"]) for line in lines] == [
        ("192.0.2.1", "unauthorized", 1),
        ("192.0.2.2", "unauthorized", 1),
        ("192.0.2.1", "redis_unavailable", 1),
        ("192.0.2.1", "redis_busy", 1),
        ("192.0.2.1", "unauthorized", 999),
    ]


def test_many_strangers_fill_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_log, "ADDRESSES", 3)
    log = AuditLog(True, clock=lambda: 0.0)
    with capture_logs() as lines:
        for number in range(10):
            rejected(log, f"192.0.2.{number}", refusal("unauthorized"))
        log.report_repeated()

    assert [(line["address"], line["count"]) for line in lines][-2:] == [
        ("others", 1),
        ("others", 6),
    ]
    assert len(lines) == 5
