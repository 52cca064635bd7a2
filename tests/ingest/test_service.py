"""Leading, standing by, handing over; and what Alpaca refuses for good."""

import asyncio
import os
import signal
from contextlib import AsyncExitStack

import pytest
from structlog.testing import capture_logs

from ingest.bus import status_writer
from ingest.upstream.upstream_error import UpstreamError
from shared.bus import keys, redis_source
from shared.bus.redis_source import RedisSource
from shared.bus.valkey_server import ValkeyServer
from simulator.service import Simulator, SimulatorSettings
from tests.ingest.watching import relay, trade, until_subscribed, watcher
from tests.keyspace import KEYSPACE
from tests.limits import LIMIT_SECONDS
from tests.services import ingest_service, running_ingest, until
from tests.simulator.client import endpoint_state

QUIET = SimulatorSettings(tape=None, positions=(), ghost_seconds=90)


@pytest.mark.parametrize(
    ("settings", "code", "remedy"),
    [
        ({"alpaca_paper_secret_key": "not-the-secret"}, 402, "ALPACA_PAPER_SECRET_KEY"),
        ({"alpaca_feed": "sip"}, 409, "ALPACA_FEED=iex"),
    ],
)
async def test_what_waiting_does_not_mend_ends_the_ingest_and_the_reason_stays(
    any_source: RedisSource, settings: dict[str, str], code: int, remedy: str
) -> None:
    async with Simulator(QUIET) as simulator, watcher(any_source) as watching:
        service = ingest_service(any_source, simulator, **settings)
        with pytest.raises(UpstreamError) as caught:
            async with asyncio.timeout(LIMIT_SECONDS):
                await service.run(asyncio.Event())

        assert caught.value.code == code
        status = await watching.status()
        assert status is not None
        assert (status.state, status.alpaca_connected) == ("failed", False)
        assert status.reason is not None
        assert remedy in status.reason
        assert "not-the-secret" not in status.reason
        life = await watching.client.pttl(KEYSPACE.ingest_status)
        assert life > status_writer.FAILED_MILLISECONDS / 2
        assert not await watching.client.exists(KEYSPACE.lease), "the next one need not wait"


async def test_a_failed_report_gives_way_to_the_next_ingest(any_source: RedisSource) -> None:
    async with Simulator(QUIET) as simulator, watcher(any_source) as watching:
        wrong = ingest_service(any_source, simulator, alpaca_paper_secret_key="wrong")
        with pytest.raises(UpstreamError):
            await wrong.run(asyncio.Event())
        async with running_ingest(any_source, simulator):
            await watching.until_state("live")
            life = await watching.client.pttl(KEYSPACE.ingest_status)
            assert life <= keys.INGEST_STATUS_MILLISECONDS


async def test_of_two_ingests_one_connects_and_the_other_takes_over_at_its_clean_stop(
    any_source: RedisSource,
) -> None:
    async with (
        Simulator(QUIET) as simulator,
        watcher(any_source) as watching,
        AsyncExitStack() as first_life,
    ):
        await first_life.enter_async_context(running_ingest(any_source, simulator))
        await watching.watch("SPY")
        await until_subscribed(simulator, "SPY")
        first = await watching.until_state("live")
        async with running_ingest(any_source, simulator):
            await trade(simulator, "SPY", 50)
            await watching.until_price("SPY", 50)
            assert endpoint_state(simulator)["connections_total"] == 1

            await first_life.aclose()
            await until_subscribed(simulator, "SPY")
            await trade(simulator, "SPY", 51)
            await watching.until_price("SPY", 51)
            second = await watching.until_state("live")

        assert second.ingest_id != first.ingest_id
        assert int(second.event_id.split("-")[0]) > int(first.event_id.split("-")[0])
        state = endpoint_state(simulator)
        assert (state["connections_total"], state["connections_peak"]) == (2, 1)
        assert state["refused"] == {}, "the slot was free before the lease was"


async def test_a_clean_stop_says_that_nothing_is_connected_any_more(
    any_source: RedisSource,
) -> None:
    async with Simulator(QUIET) as simulator, watcher(any_source) as watching:
        async with running_ingest(any_source, simulator):
            await watching.watch("SPY")
            await until_subscribed(simulator, "SPY")
        await until(lambda: endpoint_state(simulator)["connections"] == 0)

        assert not await watching.client.exists(KEYSPACE.lease)
        status = await watching.status()
        assert status is not None
        assert (status.alpaca_connected, status.active_symbols) == (False, [])


async def test_who_loses_the_lease_leaves_alpaca_and_stands_by(any_source: RedisSource) -> None:
    async with relay(any_source, QUIET) as (simulator, watching, _):
        await watching.client.set(KEYSPACE.lease, "somebody-else 99999999999999", px=60_000)
        await until(lambda: endpoint_state(simulator)["connections"] == 0)
        await watching.client.delete(KEYSPACE.ingest_status)

        await watching.client.delete(KEYSPACE.lease)
        await watching.until_state("live")
        assert endpoint_state(simulator)["sessions"] == 1
        assert endpoint_state(simulator)["refused"] == {}


async def test_a_redis_that_lost_everything_is_filled_again(
    valkey: ValkeyServer, source: RedisSource
) -> None:
    async with relay(source, QUIET) as (simulator, watching, _):
        await watching.watch("SPY", "IBM")
        await until_subscribed(simulator, "SPY", "IBM")
        for symbol, price in (("SPY", 50), ("IBM", 60)):
            await trade(simulator, symbol, price)
            await watching.until_price(symbol, price)
        last = await watching.last("SPY")
        assert last is not None

        await valkey.stop()
        await trade(simulator, "SPY", 51)
        await valkey.start()
        await watching.client.connection_pool.disconnect()

        await watching.until_price("SPY", 51)
        await watching.until_price("IBM", 60)
        again = await watching.last("SPY")
        assert again is not None
        assert again[0].epoch > last[0].epoch
        status = await watching.until_state("live")
        assert status.alpaca_connected
        assert endpoint_state(simulator)["connections_total"] == 1, "Alpaca was never left"
        await watching.watch("SPY")
        await trade(simulator, "SPY", 52)
        await watching.until_price("SPY", 52)


async def test_it_stops_although_redis_is_gone(valkey: ValkeyServer, source: RedisSource) -> None:
    async with relay(source, QUIET) as (simulator, _, _):
        await valkey.stop()

    await until(lambda: endpoint_state(simulator)["connections"] == 0)


async def test_a_redis_that_does_not_answer_delays_no_end_beyond_that_of_the_lease(
    valkey: ValkeyServer, source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_source, "COMMAND_TIMEOUT_SECONDS", 2 * LIMIT_SECONDS)
    async with Simulator(QUIET) as simulator, watcher(source) as watching:
        try:
            async with asyncio.timeout(LIMIT_SECONDS), running_ingest(source, simulator):
                await watching.until_state("live")
                os.kill(valkey.pid, signal.SIGSTOP)
        finally:
            os.kill(valkey.pid, signal.SIGCONT)


async def test_it_waits_for_a_redis_that_is_not_there_yet(
    valkey: ValkeyServer, source: RedisSource
) -> None:
    await valkey.stop()
    async with (
        Simulator(QUIET) as simulator,
        running_ingest(source, simulator),
        watcher(source) as watching,
    ):
        await asyncio.sleep(0)
        assert endpoint_state(simulator)["connections_total"] == 0
        await valkey.start()
        await watching.until_state("live")


async def test_the_status_tells_what_an_operator_asks(any_source: RedisSource) -> None:
    async with relay(any_source) as (simulator, watching, _):
        await watching.watch("SPY")
        await until_subscribed(simulator, "SPY")
        await trade(simulator, "SPY", 50)
        await watching.until_price("SPY", 50)

        async def complete() -> bool:
            status = await watching.status()
            return (
                status is not None
                and status.tape.ticks == 1
                and status.session != "unknown"
                and status.lag_ms is not None
            )

        await until(complete)
        status = await watching.status()
        assert status is not None
        assert (status.feed, status.active_symbols, status.over_limit) == ("iex", ["SPY"], [])
        assert (status.session, status.reconnects, status.reason) == ("regular", 0, None)
        assert status.published >= 1
        assert status.next_open is not None
        assert status.next_close is not None


async def test_a_redis_that_may_evict_the_lease_is_warned_of(
    valkey: ValkeyServer, source: RedisSource
) -> None:
    async with source.client("test") as client:
        await client.config_set("maxmemory-policy", "allkeys-lru")
    with capture_logs() as lines:
        async with Simulator(QUIET) as simulator, running_ingest(source, simulator):
            await until(lambda: any(line.get("policy") == "allkeys-lru" for line in lines))
