"""The stream as a whole: watched symbols are subscribed, and no event ends it."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

import pytest
from websockets.asyncio.server import ServerConnection

from ingest.alpaca.messages import Message
from ingest.bus.announcer import Announcer
from ingest.bus.outbox import Outbox
from ingest.demand import wanted
from ingest.demand.wanted import Demand
from ingest.sentiment.headline_scorer import HeadlineScorer
from ingest.upstream import reconnect_pace, stream_holder
from ingest.upstream.alpaca_stream import AlpacaStream
from ingest.upstream.news_handler import NewsHandler
from ingest.upstream.stream_health import StreamHealth
from shared.bus.redis_source import RedisSource
from simulator import DEFAULT_KEY, DEFAULT_SECRET
from simulator.protocol import subscription as simulated
from simulator.service import Simulator, SimulatorSettings
from tests.fuzz.seeds import ARTICLE
from tests.ingest.peers import AUTHENTICATED, WELCOME, packed, websocket_server
from tests.ingest.watching import relay, subscribed, trade, until_subscribed, watcher
from tests.keyspace import KEYSPACE
from tests.services import running_ingest, until
from tests.simulator.client import endpoint_state


async def test_exactly_what_is_watched_is_subscribed(any_source: RedisSource) -> None:
    async with relay(any_source) as (simulator, watching, _):
        assert subscribed(simulator) == []
        await watching.watch("SPY", "IBM")
        await until_subscribed(simulator, "SPY", "IBM")
        await watching.watch("BAC", "not a symbol", "BTC/USD")
        await until_subscribed(simulator, "SPY", "IBM", "BAC")

        assert endpoint_state(simulator)["refused"] == {}
        await trade(simulator, "BAC", 12.5)
        await watching.until_price("BAC", 12.5)


async def test_what_nobody_watches_any_more_lingers_and_goes(
    any_source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with relay(any_source) as (simulator, watching, _):
        await watching.watch("SPY", "IBM")
        await until_subscribed(simulator, "SPY", "IBM")
        await watching.leave("IBM")
        await watching.watch("BAC")
        await until_subscribed(simulator, "SPY", "IBM", "BAC")

        monkeypatch.setattr(wanted, "LINGER_SECONDS", 0.0)
        await until_subscribed(simulator, "SPY", "BAC")


async def test_of_35_symbols_the_basic_plan_gets_30_and_the_rest_is_told(
    any_source: RedisSource,
) -> None:
    async with relay(any_source) as (simulator, watching, _):
        symbols = [f"S{number:02}" for number in range(35)]
        await watching.watch(*symbols)
        await until_subscribed(simulator, *symbols[:30])

        async def told() -> bool:
            status = await watching.status()
            return status is not None and (
                (status.over_limit, status.active_symbols) == (symbols[30:], symbols[:30])
            )

        await until(told)
        status = await watching.status()
        assert status is not None
        assert status.alpaca_connected
        assert endpoint_state(simulator)["connections_total"] == 1
        assert endpoint_state(simulator)["refused"] == {}


async def test_a_plan_that_is_smaller_than_configured_is_found_out_on_one_connection(
    any_source: RedisSource,
) -> None:
    small = SimulatorSettings(tape=None, positions=(), symbol_limit=7)
    async with relay(any_source, small) as (simulator, watching, _):
        symbols = [f"S{number:02}" for number in range(20)]
        await watching.watch(*symbols)
        await until_subscribed(simulator, *symbols[:7])
        await trade(simulator, "S00", 5)
        await watching.until_price("S00", 5)

        state = endpoint_state(simulator)
        assert list(state["refused"]) == ["405"]
        assert state["connections_total"] == 1


async def test_a_symbol_that_alpaca_refuses_takes_no_other_with_it(
    any_source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    spelled, real = simulated._is_spelled, simulated.is_symbol

    def is_symbol(value: object) -> bool:
        return real(value) and value != "BAD"

    def is_spelled(value: object, feed: simulated.Feed) -> bool:
        return spelled(value, feed) and value != "BAD"

    monkeypatch.setattr(simulated, "_is_spelled", is_spelled)
    monkeypatch.setattr("simulator.rest.market_data.is_symbol", is_symbol)
    async with relay(any_source) as (simulator, watching, _):
        for symbol in ("SPY", "IBM", "BAC"):
            await trade(simulator, symbol, 50)  # before any client listens: for the snapshot
        await watching.watch("SPY", "BAD", "IBM", "BAC")
        await until_subscribed(simulator, "SPY", "IBM", "BAC")
        for symbol in ("SPY", "IBM", "BAC"):
            await watching.until_price(symbol, 50)

        await watching.until_unknown("BAD")
        assert endpoint_state(simulator)["connections_total"] == 1


async def test_claims_that_have_expired_count_no_more(any_source: RedisSource) -> None:
    async with relay(any_source) as (simulator, watching, _):
        await watching.client.hset(KEYSPACE.interest, "gone price:IBM", "1000 1")
        await watching.watch("SPY")
        await until_subscribed(simulator, "SPY")

        assert await watching.client.hkeys(KEYSPACE.interest) == [b"gateway-1 price:SPY"]


async def test_an_answer_without_what_was_asked_for_is_not_met_with_a_flood(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stream_holder, "STUCK_SECONDS", 3600.0)
    asked: list[object] = []

    async def deaf(connection: ServerConnection) -> None:
        await connection.send(WELCOME)
        await connection.recv()
        await connection.send(AUTHENTICATED)
        async for request in connection:
            asked.append(request)
            await connection.send(packed({"T": "subscription", "news": []}))

    demand = Demand(lambda: 0.0)
    demand.update({"news:SPY": 1})
    handler = NewsHandler(demand, Announcer(Outbox()), HeadlineScorer.load())
    async with websocket_server(deaf) as url:
        work = stream_holder.StreamHolder(
            lambda: AlpacaStream(url, "k", "s"), handler, StreamHealth(asyncio.Event())
        )
        running = asyncio.create_task(work.run())
        await until(lambda: handler.stuck)
        await asyncio.wait([running], timeout=0.2)
        assert not running.done()
        running.cancel()
        await asyncio.wait([running])

    assert len(asked) == 1


async def test_an_error_that_escapes_every_rule_costs_its_frame_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connections = 0

    async def answering(connection: ServerConnection) -> None:
        nonlocal connections
        connections += 1
        await connection.send(WELCOME)
        await connection.recv()
        await connection.send(AUTHENTICATED)
        await connection.recv()
        await connection.send(packed({"T": "odd"}))
        await connection.send(packed({"T": "subscription", "news": ["SPY"]}))
        await connection.send(packed(ARTICLE))
        await connection.wait_closed()

    demand = Demand(lambda: 0.0)
    demand.update({"news:SPY": 1})
    outbox = Outbox()
    handler = NewsHandler(demand, Announcer(outbox), HeadlineScorer.load())
    decode = handler.decode

    def decoded(frame: bytes | str) -> Sequence[Message]:
        if frame == packed({"T": "odd"}):
            raise ZeroDivisionError
        return decode(frame)

    monkeypatch.setattr(handler, "decode", decoded)
    async with websocket_server(answering) as url:
        work = stream_holder.StreamHolder(
            lambda: AlpacaStream(url, "k", "s"), handler, StreamHealth(asyncio.Event())
        )
        running = asyncio.create_task(work.run())
        await until(lambda: bool(outbox.take(1)))
        running.cancel()
        await asyncio.wait([running])

    assert (connections, handler.malformed.first) == (1, "frame: ZeroDivisionError()")


async def test_a_symbol_gets_its_first_price_before_it_trades(any_source: RedisSource) -> None:
    async with relay(any_source) as (simulator, watching, _):
        await trade(simulator, "SPY", 77.25)
        await watching.watch("SPY")
        await watching.until_price("SPY", 77.25)

        assert await watching.client.get("price:SPY") is None, "it has not traded just now"
        await trade(simulator, "SPY", 78)
        await watching.until_price("SPY", 78)


async def test_a_symbol_that_alpaca_lacks_gets_the_reason_in_place_of_a_price(
    any_source: RedisSource,
) -> None:
    async with relay(any_source) as (_, watching, _):
        await watching.watch("NOSUCH")

        await watching.until_unknown("NOSUCH")


async def test_without_rest_the_stream_still_serves(any_source: RedisSource) -> None:
    nobody = "http://127.0.0.1:1"
    async with relay(any_source, alpaca_data_url=nobody, alpaca_trading_url=nobody) as (
        simulator,
        watching,
        _,
    ):
        await watching.watch("SPY")
        await until_subscribed(simulator, "SPY")
        await trade(simulator, "SPY", 12)
        await watching.until_price("SPY", 12)

        status = await watching.status()
        assert status is not None
        assert (status.alpaca_connected, status.session) == (True, "unknown")


async def test_after_a_restart_of_alpaca_everything_is_subscribed_again(
    any_source: RedisSource,
) -> None:
    async with AsyncExitStack() as first_life, watcher(any_source) as watching:
        first = await first_life.enter_async_context(
            Simulator(SimulatorSettings(tape=None, positions=()))
        )
        async with running_ingest(any_source, first):
            await watching.watch("SPY", "IBM")
            await until_subscribed(first, "SPY", "IBM")
            await first_life.aclose()

            status = await watching.until_state("reconnecting")
            assert (status.alpaca_connected, status.active_symbols) == (False, [])
            assert status.reason
            async with Simulator(
                SimulatorSettings(tape=None, positions=(), port=first.port)
            ) as second:
                await until_subscribed(second, "SPY", "IBM")
                status = await watching.until_state("live")
                assert (status.alpaca_connected, status.reason) == (True, None)
                assert status.reconnects >= 1
                await trade(second, "SPY", 9)
                await watching.until_price("SPY", 9)


async def test_sessions_that_alpaca_ends_are_replaced(any_source: RedisSource) -> None:
    async with relay(any_source) as (simulator, watching, _):
        await watching.watch("SPY")
        for sessions in (2, 3):
            await until_subscribed(simulator, "SPY")
            simulator._endpoints["iex"].close(1012)
            await until(lambda n=sessions: endpoint_state(simulator)["sessions_total"] == n)  # type: ignore[misc]
        await until_subscribed(simulator, "SPY")


async def test_connections_that_work_are_replaced_at_once_however_often_they_are_cut(
    any_source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconnect_pace, "FIRST_WAITS", ((0.0, 0.0), (3600.0, 3600.0)))
    async with relay(any_source) as (simulator, watching, _):
        await watching.watch("SPY")
        for sessions in (2, 3, 4):
            await until_subscribed(simulator, "SPY")
            simulator._endpoints["iex"].close(1012)
            await until(lambda n=sessions: endpoint_state(simulator)["sessions_total"] == n)  # type: ignore[misc]


async def test_a_wait_ends_when_a_client_needs_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconnect_pace, "FIRST_WAITS", ((3600.0, 3600.0),))
    monkeypatch.setattr(stream_holder, "URGENT_WAIT_SECONDS", 0.01)
    now = 0.0
    demand = Demand(lambda: now)
    demand.update({"news:SPY": 1})
    health = StreamHealth(asyncio.Event())
    async with Simulator(SimulatorSettings(tape=None, positions=())) as simulator:

        def connect() -> AlpacaStream:
            nonlocal now
            for _ in range(2):  # the clients have left, and their interest has run out
                demand.update({})
                now += wanted.LINGER_SECONDS + 1
            endpoint = f"{simulator.stream_url}/v1beta1/news"
            return AlpacaStream(endpoint, DEFAULT_KEY, DEFAULT_SECRET)

        simulator.faults.refuse_upgrade("news", status=503, count=1)
        handler = NewsHandler(demand, Announcer(Outbox()), HeadlineScorer.load())
        work = stream_holder.StreamHolder(connect, handler, health)
        running = asyncio.create_task(work.run())
        await until(lambda: health.state == "reconnecting")
        demand.update({"news:SPY": 1})
        await until(lambda: health.state == "live")
        running.cancel()
        await asyncio.wait([running])
