"""Attempts that Alpaca refuses: the ingest tries again if waiting helps, and reports the rest."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from ingest.upstream.upstream_error import UpstreamError
from shared.bus.redis_source import RedisSource
from simulator.faults.catalogue import Faults
from simulator.service import Simulator, SimulatorSettings
from tests.ingest.pace import patient_for
from tests.ingest.watching import Watcher, watcher
from tests.limits import LIMIT_SECONDS
from tests.services import ingest_service, running_ingest, until
from tests.simulator.client import StreamClient, endpoint_state, open_stream

TERMINAL = [402, 408, 409, 410, 411, 412, 413]
MENDED = [400, 401, 404, 405, 406, 407, 500]


@pytest.mark.parametrize("code", TERMINAL)
async def test_an_error_that_waiting_does_not_mend_ends_the_ingest_with_its_code(
    source: RedisSource, code: int
) -> None:
    async with (
        Simulator(SimulatorSettings(tape=None, positions=())) as simulator,
        watcher(source) as watching,
    ):
        simulator.faults.refuse_auth("iex", code=code, count=100)
        service = ingest_service(source, simulator)
        with pytest.raises(UpstreamError) as caught:
            await asyncio.wait_for(service.run(asyncio.Event()), LIMIT_SECONDS)

        assert caught.value.code == code
        status = await watching.status()
        assert status is not None
        assert (status.state, status.alpaca_connected) == ("failed", False)
        assert f"({code})" in str(status.reason)
        assert [alarm.code for alarm in status.alarms] == ["stream_failed"]
        assert endpoint_state(simulator)["refused"] == {str(code): 1}


@pytest.mark.parametrize("code", MENDED)
async def test_an_error_that_waiting_mends_is_tried_again(source: RedisSource, code: int) -> None:
    async with (
        Simulator(SimulatorSettings(tape=None, positions=())) as simulator,
        watcher(source) as watching,
    ):
        simulator.faults.refuse_auth("iex", code=code, count=2)
        async with running_ingest(source, simulator):
            status = await watching.until_state("live")

            assert status.reconnects == 2
            assert endpoint_state(simulator)["refused"] == {str(code): 2}


async def test_a_taken_slot_is_reported_in_words(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        Simulator(SimulatorSettings(tape=None, positions=())) as simulator,
        watcher(source) as watching,
    ):
        simulator.faults.refuse_auth("iex", code=406, seconds=600)
        async with running_ingest(source, simulator):
            status = await watching.until_state("reconnecting")

            assert "another session holds Alpaca's slot" in str(status.reason)
            assert [alarm.code for alarm in status.alarms] == ["slot_taken"]
            simulator.faults.clear()
            await watching.until_state("live")


@asynccontextmanager
async def waiting_for_the_slot(
    source: RedisSource,
) -> AsyncIterator[tuple[Simulator, Watcher, StreamClient]]:
    """Run an ingest while another session holds the slot; at its end the ingest leaves no socket.

    The session is yielded too.
    """
    async with (
        Simulator(SimulatorSettings(tape=None, positions=())) as simulator,
        watcher(source) as watching,
        open_stream(simulator) as other,
    ):
        await other.sign_in()
        async with running_ingest(source, simulator):
            await watching.until_state("reconnecting")
            yield simulator, watching, other
        await other.connection.close()
        await until(lambda: endpoint_state(simulator)["connections"] == 0)


async def test_a_slot_that_becomes_free_is_taken_on_the_socket_that_waits(
    source: RedisSource,
) -> None:
    async with waiting_for_the_slot(source) as (simulator, watching, other):
        await other.connection.close()
        await watching.until_state("live")
        assert endpoint_state(simulator)["connections_total"] == 2


async def test_an_ingest_that_ends_leaves_no_socket_that_waits_for_the_slot(
    source: RedisSource,
) -> None:
    async with waiting_for_the_slot(source) as (simulator, _, _):
        await until(lambda: endpoint_state(simulator)["connections"] == 2)


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_an_http_status_in_place_of_the_upgrade_is_tried_again(
    source: RedisSource, status: int
) -> None:
    async with (
        Simulator(SimulatorSettings(tape=None, positions=())) as simulator,
        watcher(source) as watching,
    ):
        simulator.faults.refuse_upgrade("iex", status=status, count=2)
        async with running_ingest(source, simulator):
            assert (await watching.until_state("live")).reconnects == 2


@pytest.mark.parametrize("fault", [Faults.mute_after_connect, Faults.mute_after_auth])
async def test_a_server_that_falls_silent_before_it_lets_us_in_is_left(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch, fault: Callable[..., None]
) -> None:
    patient_for(0.3, monkeypatch)
    async with (
        Simulator(SimulatorSettings(tape=None, positions=())) as simulator,
        watcher(source) as watching,
    ):
        fault(simulator.faults, "iex", count=1)
        async with running_ingest(source, simulator):
            assert (await watching.until_state("live")).reconnects == 1
