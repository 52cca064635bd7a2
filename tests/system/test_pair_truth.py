"""All kinds of a recorded pair, from Alpaca's bytes to an SSE client, against the recording."""

import gzip
import json
from typing import Any

from shared.bus.redis_source import RedisSource
from simulator.crypto.book_tape import GEMINI
from simulator.service import SimulatorSettings
from tests.event_stream import EventStream, open_stream
from tests.ingest.market.book_rows import recorded
from tests.ingest.market.naive_book import top
from tests.ingest.watching import relay
from tests.limits import limit
from tests.services import running_gateway

PAIR = "FIL/USD"
TOPICS = f"price:{PAIR},trade:{PAIR},quote:{PAIR},book:{PAIR},status:{PAIR}"
SIDES = {"B": "buy", "S": "sell"}


def prints() -> list[tuple[float, float, str]]:
    """Return price, size and taker's side of each recorded trade, in the order of arrival."""
    lines = gzip.decompress(GEMINI.read_bytes()).splitlines()
    rows = [json.loads(line) for line in lines]
    return [
        (row["p"], row["s"], SIDES[row["tks"]])
        for row in rows
        if (row["T"], row["S"]) == ("t", PAIR)
    ]


def views() -> list[tuple[Any, Any]]:
    """Return the ten best bids and asks after each recorded message about the book."""
    rows = [row for row in recorded(GEMINI.name) if row["S"] == PAIR]
    return [_view(*top(rows[: number + 1])) for number in range(len(rows))]


def _view(bids: Any, asks: Any) -> tuple[Any, Any]:
    return tuple(map(tuple, bids)), tuple(map(tuple, asks))


def has_a_round(stream: EventStream) -> bool:
    """Return whether as many trades have come as one round of the recording has."""
    return len(stream.of("trade")) >= len(prints())


async def test_an_sse_client_sees_the_recorded_trades_quotes_and_books(source: RedisSource) -> None:
    simulated = SimulatorSettings(tape=None, crypto_tape=GEMINI, speed=10, positions=())
    async with (
        relay(source, simulated),
        running_gateway(source) as url,
        open_stream(url, "/api/stream", topics=TOPICS, interval="0") as stream,
    ):
        await stream.until(has_a_round, limit(120))
        await stream.until(lambda s: len([b for b in s.of("book") if b["valid"]]) >= 20, limit(120))

    trades = [(t["price"], t["size"], t["taker_side"]) for t in stream.of("trade")]
    twice = prints() * 2
    # The client may join in the middle of a round.
    starts = range(len(prints()))
    assert any(twice[start : start + len(prints())] == trades[: len(prints())] for start in starts)
    assert {t["price"] for t in stream.of("price") if t["price"]} <= {p for p, _, _ in prints()}
    naive = views()
    shown = [_view(b["bids"], b["asks"]) for b in stream.of("book") if b["valid"]]
    assert set(shown) <= set(naive)
    best = {(bids[0], asks[0]) for bids, asks in naive if bids and asks}
    quotes = stream.of("quote")
    assert quotes
    for quote in quotes:
        bid, ask = (quote["bid"], quote["bid_size"]), (quote["ask"], quote["ask_size"])
        assert (bid, ask) in best
    assert stream.of("status")[-1]["state"] in ("live", "quiet")
