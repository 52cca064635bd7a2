"""Third-party clients lose their gateway and continue at another one."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass

import pytest

from shared.bus.redis_source import RedisSource
from shared.bus.valkey_server import ValkeyServer
from shared.event_id import EventId
from shared.topics import PRICE, TRADE
from tests.event_stream import EventStream
from tests.foreign.clients import ForeignClient, ForeignStream, following
from tests.foreign.forwarder import Forwarder, forwarder
from tests.processes import gateway_process
from tests.programs import Program
from tests.tape import Tape, running_tape

LOSSES = {"drained": signal.SIGTERM, "killed": signal.SIGKILL}
PRICES = "/api/stream/prices?symbols=SPY,IBM&interval=0"
TRADES = "/api/stream/trades?symbols=SPY"
MANY = "/api/stream?topics=trade:SPY,price:SPY,trade:IBM,price:IBM&interval=0"

EARLY_MS = 5.0
"""By how much a client's timer may fire before its time."""


@dataclass
class Stage:
    """Two gateways, of which clients know the forwarder before them, and what they relay."""

    tape: Tape
    forwarder: Forwarder
    first: Program
    second_url: str

    async def lose(self, number: signal.Signals, meanwhile: int = 50) -> None:
        """End the first gateway in the midst of prints; only then let clients to the second."""
        self.forwarder.hold()
        self.tape.offer(50)
        self.first.send(number)
        await self.tape.publish(50)
        await self.first.ended()
        await self.tape.publish(meanwhile)
        self.forwarder.release(self.second_url)


@pytest.fixture
async def stage(valkey: ValkeyServer, source: RedisSource) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as stack:
        # Cursors come from heartbeats too: often, so that one would show that runs ahead.
        starting = [gateway_process(valkey.url, HEARTBEAT_SECONDS="0.05") for _ in range(2)]
        (url, first), (second_url, _) = await asyncio.gather(
            *(stack.enter_async_context(each) for each in starting)
        )
        tape = await stack.enter_async_context(running_tape(source, "SPY", "IBM"))
        yield Stage(tape, await stack.enter_async_context(forwarder(url)), first, second_url)


async def live_through(
    clients: Iterable[ForeignClient],
    stage: Stage,
    path: str,
    number: signal.Signals,
    meanwhile: int = 50,
) -> dict[str, ForeignStream]:
    """Let clients follow a stream through the loss of its gateway; return what each received."""
    url = stage.forwarder.url + path
    async with AsyncExitStack() as stack:
        streams = {
            client.name: await stack.enter_async_context(following(client, url))
            for client in clients
        }

        async def until_caught_up(readies: int) -> None:
            await each(streams, lambda stream: stream.until_kind("ready", readies))
            await stage.tape.publish(50)
            await each(streams, lambda stream: stream.until(lambda s: is_caught_up(s, stage.tape)))

        await until_caught_up(readies=1)
        await stage.lose(number, meanwhile)
        await until_caught_up(readies=2)
    return streams


async def each(
    streams: Mapping[str, ForeignStream], wait: Callable[[ForeignStream], Awaitable[object]]
) -> None:
    """Wait for every client; an error names its client."""

    async def waited(name: str, stream: ForeignStream) -> None:
        with naming(name):
            await wait(stream)

    await asyncio.gather(*(waited(name, stream) for name, stream in streams.items()))


@contextmanager
def naming(client: str) -> Iterator[None]:
    try:
        yield
    except (AssertionError, TimeoutError) as error:
        error.add_note(f"client: {client}")
        raise


def is_caught_up(stream: EventStream, tape: Tape) -> bool:
    """Return whether the newest print has come on all topics of prints that were asked for."""
    newest = {
        f"{event.kind}:{event.data['symbol']}": event.data["price"]
        for event in stream.events
        if event.kind in (PRICE, TRADE)
    }
    asked = [each for each in stream.of("hello")[0]["topics"] if each.startswith((PRICE, TRADE))]
    return all(newest.get(topic) == tape.last for topic in asked)


def prints(stream: ForeignStream, symbol: str) -> list[int]:
    """Return the numbers of a symbol's trades as they came."""
    return [int(trade["id"]) for trade in stream.of(TRADE) if trade["symbol"] == symbol]


def ids(stream: ForeignStream, kind: str, symbol: str | None = None) -> list[EventId]:
    found = [data for data in stream.of(kind) if symbol in (None, data["symbol"])]
    return [EventId.parse(data["event_id"]) for data in found]


def assert_only_grow(found: list[EventId]) -> None:
    assert found == sorted(set(found))


@pytest.mark.parametrize("number", LOSSES.values(), ids=LOSSES)
async def test_prices_never_go_back_end_with_the_newest_and_retry_is_obeyed(
    clients: list[ForeignClient], stage: Stage, number: signal.Signals
) -> None:
    streams = await live_through(clients, stage, PRICES, number)

    for client, stream in streams.items():
        with naming(client):
            for symbol in stage.tape.symbols:
                assert_only_grow(ids(stream, PRICE, symbol))
            byes = [index for index, event in enumerate(stream.events) if event.kind == "bye"]
            assert len(byes) == (number is signal.SIGTERM)
            for bye in byes:
                assert stream.events[bye + 1].kind == "hello"
                waited = stream.times[bye + 1] - stream.times[bye]
                assert waited >= stream.events[bye].data["retry_ms"] - EARLY_MS


@pytest.mark.parametrize(
    ("path", "number"),
    [(TRADES, signal.SIGKILL), (MANY, signal.SIGTERM), (MANY, signal.SIGKILL)],
    ids=["trades-killed", "many-topics-drained", "many-topics-killed"],
)
async def test_every_trade_comes_once_and_in_order(
    clients: list[ForeignClient], stage: Stage, path: str, number: signal.Signals
) -> None:
    streams = await live_through(clients, stage, path, number)

    for client, stream in streams.items():
        with naming(client):
            assert_has_every_trade_once(stream, stage.tape)


def assert_has_every_trade_once(stream: ForeignStream, tape: Tape) -> None:
    assert stream.of("gap") == []
    topics = stream.of("hello")[0]["topics"]
    for symbol in (each for each in tape.symbols if f"trade:{each}" in topics):
        assert prints(stream, symbol) == list(range(1, tape.last + 1))
        assert_only_grow(ids(stream, PRICE, symbol))
    assert_only_grow(ids(stream, TRADE))
    assert all(event.id == event.data["event_id"] for event in stream.events if event.kind == TRADE)


async def test_what_the_history_does_not_hold_any_more_is_a_gap_and_the_rest_comes_once(
    clients: list[ForeignClient], stage: Stage
) -> None:
    one = [client for client in clients if client.name == "eventsource"]
    streams = await live_through(one, stage, TRADES, signal.SIGKILL, meanwhile=3_000)
    stream = streams["eventsource"]

    kinds = [event.kind for event in stream.events if event.kind in (TRADE, "gap")]
    [gap] = stream.of("gap")
    assert gap["topics"] == ["trade:SPY"]
    before = prints(stream, "SPY")[: kinds.index("gap")]
    after = prints(stream, "SPY")[len(before) :]
    assert before == list(range(1, len(before) + 1))
    assert after[0] > len(before) + 1
    assert after == list(range(after[0], stage.tape.last + 1))
