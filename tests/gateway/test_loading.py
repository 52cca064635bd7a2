"""A stream that opens waits for its values as long as it stays, and no longer than the limit."""

import asyncio

import pytest

from gateway.bus import subscriptions
from tests.gateway.fakes import Bench
from tests.limits import LIMIT_SECONDS


async def test_a_client_may_leave_in_the_turn_in_which_the_limit_passes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(subscriptions, "SNAPSHOT_SECONDS", 0)
    bench = Bench()
    client, _ = bench.client("SPY")
    channel = bench.hub.channels[b"price:SPY"]
    channel.loaded.clear()

    waiting = asyncio.create_task(subscriptions._loaded(client, [channel]))
    await asyncio.sleep(0)  # it waits, and its limit of nothing is due in the next turn
    await asyncio.sleep(0)  # the limit has passed, and the task is about to be cancelled
    client.note_left()

    async with asyncio.timeout(LIMIT_SECONDS):
        await waiting


async def test_a_client_that_leaves_is_waited_for_no_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(subscriptions, "SNAPSHOT_SECONDS", 10 * LIMIT_SECONDS)
    bench = Bench()
    client, _ = bench.client("SPY")
    channel = bench.hub.channels[b"price:SPY"]
    channel.loaded.clear()

    waiting = asyncio.create_task(subscriptions._loaded(client, [channel]))
    await asyncio.sleep(0)
    client.note_left()

    async with asyncio.timeout(LIMIT_SECONDS):
        await waiting
