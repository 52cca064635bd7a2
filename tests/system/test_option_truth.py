"""Recorded option contracts, from Alpaca's bytes to an SSE client, against the recording."""

import gzip
import json
from typing import Any

from shared.bus.redis_source import RedisSource
from simulator.options.recording import SHIPPED_OPTION_TAPE
from simulator.service import Simulator, SimulatorSettings
from tests.event_stream import EventStream, open_stream
from tests.ingest.watching import relay
from tests.limits import limit
from tests.services import running_gateway

SPEED = 1800


def rows(kind: str) -> list[dict[str, Any]]:
    """Return the recorded messages of a kind, in the order of arrival."""
    lines = gzip.decompress(SHIPPED_OPTION_TAPE.read_bytes()).splitlines()
    return [row for row in map(json.loads, lines) if row["T"] == kind]


def terms(symbol: str) -> str:
    """Return the end of a symbol, in which the simulator has moved no expiry."""
    return symbol[-9:]


def topics(simulator: Simulator) -> str:
    kinds = ("price", "trade", "quote", "status")
    return ",".join(f"{kind}:{each}" for each in simulator.replayed_options for kind in kinds)


async def test_an_sse_client_sees_the_recorded_trades_and_quotes(source: RedisSource) -> None:
    simulated = SimulatorSettings(
        tape=None, option_tape=SHIPPED_OPTION_TAPE, speed=SPEED, positions=()
    )
    recorded = [(terms(row["S"]), row["p"], row["s"]) for row in rows("t")]

    def has_a_round(stream: EventStream) -> bool:
        return len(stream.of("trade")) >= len(recorded) and len(stream.of("quote")) > 100

    async with (
        relay(source, simulated) as (simulator, _, _),
        running_gateway(source) as url,
        open_stream(url, "/api/stream", topics=topics(simulator), interval="0") as stream,
    ):
        await stream.until(has_a_round, limit(120))

    trades = [(terms(t["symbol"]), t["price"], t["size"]) for t in stream.of("trade")]
    twice = recorded * 2
    # The client may join in the middle of a round.
    starts = range(len(recorded))
    assert any(twice[start : start + len(recorded)] == trades[: len(recorded)] for start in starts)
    assert all(t["delayed"] and t["eligible"] for t in stream.of("trade"))
    prices = {(terms(p["symbol"]), p["price"]) for p in stream.of("price") if p["price"]}
    assert prices <= {(each, price) for each, price, _ in recorded}
    offered = {(terms(row["S"]), row["bp"], row["bs"], row["ap"], row["as"]) for row in rows("q")}
    for quote in stream.of("quote"):
        assert quote["indicative"]
        sides = (quote["bid"] or 0, quote["bid_size"], quote["ask"] or 0, quote["ask_size"])
        assert (terms(quote["symbol"]), *sides) in offered
    assert {status["state"] for status in stream.of("status")} <= {
        "live",
        "quiet",
        "closed",
        "stale",
    }
