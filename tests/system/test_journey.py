"""The main job: a trade on Alpaca's wire reaches a client's stream."""

from shared.bus.redis_source import RedisSource
from simulator.service import Simulator, SimulatorSettings
from tests.event_stream import open_stream
from tests.services import running_gateway, running_ingest


async def test_a_trade_on_alpacas_wire_reaches_a_stream(any_source: RedisSource) -> None:
    async with (
        Simulator(SimulatorSettings()) as simulator,
        running_ingest(any_source, simulator),
        running_gateway(any_source) as url,
        open_stream(url, symbols="SPY,IBM", interval="0") as stream,
    ):
        await stream.until(
            lambda s: {p["symbol"] for p in s.of("price") if p["price"]} == {"SPY", "IBM"}
        )

        kinds = [event.kind for event in stream.events]
        assert kinds[0] == "hello"
        assert kinds.count("ready") == 1
        assert kinds[1:3] == ["price", "price"]
        ids = [event.id for event in stream.events if event.kind == "price"]
        assert set(ids) <= {"", stream.events[kinds.index("ready")].id}
