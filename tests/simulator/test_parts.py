"""Outbox, slots, budget and the test stream's values."""

import asyncio
import json
from collections.abc import Sequence

import pytest

from simulator.protocol.rfc3339 import SECOND
from simulator.protocol.wire import Format, Message, Outgoing
from simulator.rest.budget import Budget
from simulator.streams.outbox import FRAME_BYTES, Outbox
from simulator.streams.slots import Slots
from simulator.tape import fakepaca


def trade(number: int, text: str = "") -> Outgoing:
    return Outgoing({"T": "t", "S": "SPY", "i": number, "x": text})


def frames(outbox: Outbox) -> list[list[object]]:
    taken: list[list[object]] = []
    while (frame := outbox.take()) is not None:
        taken.append([item.get("i", item["T"]) for item in json.loads(frame.payload)])
    return taken


def test_waiting_data_leaves_in_one_array_and_control_messages_alone() -> None:
    outbox = Outbox(Format.JSON, 10_000)
    outbox.add_data(trade(1))
    outbox.add_data(trade(2))
    outbox.add_control({"T": "subscription"})
    outbox.add_control({"T": "error"})
    outbox.add_data(trade(3))

    assert frames(outbox) == [[1, 2], ["subscription"], ["error"], [3]]
    assert frames(outbox) == []


def test_beyond_its_bound_an_outbox_takes_no_data() -> None:
    outbox = Outbox(Format.JSON, 2 * len(trade(1).encoded(Format.JSON)))

    assert [outbox.add_data(trade(number)) for number in (1, 2, 3)] == [True, True, False]
    assert frames(outbox) == [[1, 2]]
    assert outbox.add_data(trade(4))


def test_a_batch_stays_below_what_clients_accept() -> None:
    outbox = Outbox(Format.JSON, 10 * FRAME_BYTES)
    for number in range(12):
        outbox.add_data(trade(number, "x" * (FRAME_BYTES // 4)))

    assert [len(frame) for frame in frames(outbox)] == [4, 4, 4]


def test_one_connection_per_feed_and_key() -> None:
    slots = Slots(0, lambda: 0.0)

    assert slots.claim("iex", "k")
    assert not slots.claim("iex", "k")
    assert slots.claim("sip", "k")
    slots.release("iex", "k", closed=True)
    assert slots.claim("iex", "k")


@pytest.mark.parametrize(("closed", "free_at"), [(True, 0.0), (False, 90.0)])
def test_only_a_connection_that_was_cut_leaves_a_ghost(closed: bool, free_at: float) -> None:
    now = 0.0
    slots = Slots(90, lambda: now)
    slots.claim("iex", "k")
    slots.release("iex", "k", closed=closed)

    assert slots.claim("iex", "k") is (free_at == 0.0)
    now = 90.0
    if not closed:
        assert slots.claim("iex", "k")


def test_the_budget_is_filled_again_every_minute() -> None:
    now = 119.0
    budget = Budget(2, lambda: now)

    assert [budget.spend() for _ in range(3)] == [True, True, False]
    assert budget.headers() == {
        "X-Ratelimit-Limit": "2",
        "X-Ratelimit-Remaining": "0",
        "X-Ratelimit-Reset": "120",
    }
    now = 120.0
    assert budget.spend()
    assert budget.headers()["X-Ratelimit-Remaining"] == "1"


async def test_the_test_stream_beats_and_ends_each_minute_with_a_bar() -> None:
    now = 50 * SECOND
    sent: list[Message] = []

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += round(seconds * SECOND)
        if now > 70 * SECOND:
            raise asyncio.CancelledError

    def publish(messages: Sequence[Outgoing]) -> None:
        sent.extend(message.message for message in messages)

    with pytest.raises(asyncio.CancelledError):
        await fakepaca.run(publish, clock=lambda: now, sleep=sleep, interval_seconds=5)

    assert [message["T"] for message in sent] == list("tqtqbtqtqtq")
    assert {message["S"] for message in sent} == {"FAKEPACA"}
    bar = sent[4]
    assert (bar["t"], bar["n"], bar["v"]) == (0, 2, sent[0]["s"] + sent[2]["s"])  # type: ignore[operator]
