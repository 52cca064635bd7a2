"""The end of a token: its streams end, at every gateway, and its tickets open nothing."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway import token_file
from gateway.bus import inbox
from gateway.http.access import Access
from shared.bus.keys import Keyspace
from shared.bus.redis_source import RedisSource
from tests.event_stream import EventStream, open_stream
from tests.limits import LIMIT_SECONDS
from tests.services import running_gateway, until

MEMORY = "memory://"
TOKENS = "one, other market, desk admin"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def name_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()[:12]


async def end_streams(url: str, principal: str, by: str = "desk") -> httpx.Response:
    async with httpx.AsyncClient(timeout=LIMIT_SECONDS) as client:
        return await client.delete(f"{url}/api/tokens/{principal}/streams", headers=bearer(by))


async def ticket(url: str, token: str) -> str:
    async with httpx.AsyncClient() as client:
        answer = await client.post(f"{url}/api/stream/ticket", headers=bearer(token))
    found: str = answer.json()["ticket"]
    return found


async def status(url: str, *, ticket: str = "", token: str = "") -> int:
    query = f"&ticket={ticket}" if ticket else ""
    headers = bearer(token) if token else {}
    path = f"{url}/api/stream/prices?symbols=SPY{query}"
    async with httpx.AsyncClient() as client, client.stream("GET", path, headers=headers) as got:
        return got.status_code


def is_over(stream: EventStream) -> bool:
    return stream.ended


@asynccontextmanager
async def with_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *entries: str
) -> AsyncIterator[tuple[str, Path]]:
    """Run a gateway whose tokens are in a file."""
    monkeypatch.setattr(token_file, "LOOK_SECONDS", 0.01)
    file = tmp_path / "tokens"
    file.write_text("\n".join(entries))
    async with running_gateway(RedisSource(MEMORY), api_token_file=str(file)) as url:
        yield url, file


async def test_a_token_that_is_taken_from_the_file_loses_its_streams_and_tickets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with with_file(tmp_path, monkeypatch, "one", "other") as (url, file):
        unused = await ticket(url, "one")
        async with (
            open_stream(url, symbols="SPY", headers=bearer("one")) as own,
            open_stream(url, symbols="SPY", ticket=await ticket(url, "one")) as by_ticket,
            open_stream(url, symbols="SPY", headers=bearer("other")) as others,
        ):
            for stream in (own, by_ticket, others):
                await stream.until_kind("ready")
            file.write_text("other, new market")
            for stream in (own, by_ticket):
                await stream.until(is_over)
                assert [bye["reason"] for bye in stream.of("bye")] == ["expired"]

            assert await status(url, token="new") == 200
            assert await status(url, token="one") == 401
            assert await status(url, ticket=unused) == 401
            assert not others.ended


async def test_a_token_that_loses_a_scope_loses_its_streams_and_its_tickets_the_scope(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with with_file(tmp_path, monkeypatch, "one market orders") as (url, file):
        unused = await ticket(url, "one")
        async with open_stream(url, "/api/stream/orders", headers=bearer("one")) as stream:
            await stream.until_kind("ready")
            file.write_text("one market")
            await stream.until(is_over)
        async with open_stream(url, "/api/stream", topics="orders,news:*", ticket=unused) as stream:
            [hello] = await stream.until_kind("hello")

    assert (hello["topics"], hello["denied"]) == (["news:*"], ["orders"])


@pytest.mark.parametrize("content", ["", "one one-more-word", "# nothing"])
async def test_a_file_that_cannot_be_used_changes_nothing_and_is_reported(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    content: str,
) -> None:
    printed: list[str] = []

    def reported(text: str) -> bool:
        printed.append(capsys.readouterr().out)
        return text in "".join(printed)

    async with (
        with_file(tmp_path, monkeypatch, "one") as (url, file),
        open_stream(url, symbols="SPY", headers=bearer("one")) as stream,
    ):
        await stream.until_kind("ready")
        file.write_text(content)
        await until(lambda: reported("token_file_rejected"))
        file.write_text("one, second")
        await until(lambda: reported("token_file_read"))

        assert not stream.ended
        assert await status(url, token="second") == 200


async def test_a_stream_that_is_being_opened_while_its_token_ends_ends_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Revoked(Access):
        def allows(self, *_: object) -> bool:
            return False

    monkeypatch.setattr("gateway.composition.Access", Revoked)
    async with (
        running_gateway(RedisSource(MEMORY), api_token="one") as url,
        open_stream(url, symbols="SPY", headers=bearer("one")) as stream,
    ):
        await stream.until(is_over)

    assert [event.kind for event in stream.events] == ["hello", "bye"]
    assert stream.of("bye")[0]["reason"] == "expired"


async def test_an_operator_ends_the_streams_of_a_token_at_all_gateways_and_no_other(
    any_source: RedisSource,
) -> None:
    async with (
        running_gateway(any_source, api_token=TOKENS) as url,
        running_gateway(any_source, api_token=TOKENS) as second,
        open_stream(url, symbols="SPY", headers=bearer("one")) as one,
        open_stream(second, symbols="SPY", ticket=await ticket(url, "one")) as two,
        open_stream(second, symbols="SPY", headers=bearer("other")) as other,
    ):
        for stream in (one, two, other):
            await stream.until_kind("ready")
        answer = await end_streams(url, name_of("one"))
        for stream in (one, two):
            await stream.until(is_over)
            assert [bye["reason"] for bye in stream.of("bye")] == ["expired"]
        again = await end_streams(second, name_of("one"))

        assert not other.ended
    assert answer.json() == {"principal": name_of("one"), "ended": 2}
    assert again.json() == {"principal": name_of("one"), "ended": 0}


@pytest.mark.parametrize("token", ["one", "other"])
async def test_no_token_without_the_scope_admin_ends_streams(token: str) -> None:
    async with running_gateway(RedisSource(MEMORY), api_token=TOKENS) as url:
        answer = await end_streams(url, name_of("other"), token)

    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "scope_denied")
    assert "admin" in answer.json()["error"]["message"]


async def test_without_tokens_there_is_no_operator() -> None:
    async with running_gateway(RedisSource(MEMORY)) as url:
        assert (await end_streams(url, name_of("one"))).status_code == 403


async def test_what_is_no_name_of_a_token_is_refused() -> None:
    async with running_gateway(RedisSource(MEMORY), api_token=TOKENS) as url:
        answer = await end_streams(url, "anonymous")

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_principal")


async def test_a_gateway_that_does_not_confirm_is_named(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "ANSWER_SECONDS", 0.1)
    names = Keyspace()
    report: dict[str, Any] = {"gateway_id": "deaf", "started": "", "lag_ms": None}
    report |= dict.fromkeys(("clients", "topics", "stalled", "refused", "busy"), 0)
    async with source.client("deaf") as client, running_gateway(source, api_token=TOKENS) as url:
        deaf = client.pubsub()
        await deaf.subscribe(names.inbox("deaf"))
        async with asyncio.timeout(LIMIT_SECONDS):
            assert await deaf.get_message(timeout=None) is not None  # it listens
        await client.set(names.gateway("deaf"), json.dumps(report))
        answer = await end_streams(url, name_of("one"))
        await deaf.unsubscribe()
        await deaf.aclose()  # type: ignore[no-untyped-call]

    assert answer.status_code == 503
    assert "the gateways deaf did not respond" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("tokens", "sees"), [("one", True), ("one market", False), ("one admin", True)]
)
async def test_the_status_names_symbols_and_gateways_to_operators_only(
    tokens: str, sees: bool
) -> None:
    async with (
        running_gateway(RedisSource(MEMORY), api_token=tokens) as url,
        httpx.AsyncClient(base_url=url, headers=bearer("one")) as client,
    ):
        found = (await client.get("/api/stream/status")).json()

    assert (found["active_symbols"] is not None) is sees
    assert (found["gateways"] is not None) is sees
    assert (found["stream_count"], found["clients"]) == (0, 0)
    assert sees or found["ingest"] is found["discrepancy"] is None
