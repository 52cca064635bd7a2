"""Every price that a stream shows for the tape, against a pass over the tape by other code."""

import gzip
import json
from collections import defaultdict
from typing import Any

from shared import rfc3339
from shared.redis_source import RedisSource
from simulator.service import Simulator, SimulatorSettings
from simulator.tape import SHIPPED
from tests.event_stream import EventStream, open_stream
from tests.services import running_gateway, running_ingest, until

SPEED = 60.0
SYMBOLS = ("SPY", "IBM", "BAC", "AIG")

# What never moves the last price in regular hours on tapes A and B, by the notes of CTA; and what
# does so only as the first of the day.
NEVER = set("BCNHV7IURMQT")
ONLY_FIRST = set("Z4PG")

Row = tuple[float, int, str, tuple[str, ...]]


def expected() -> dict[str, list[tuple[int, Row]]]:
    """Return each symbol's last prices in order: tape time in ns, and what was printed."""
    found: dict[str, list[tuple[int, Row]]] = defaultdict(list)
    with gzip.open(SHIPPED, "rt") as lines:
        for line in lines:
            row = json.loads(line)
            if row["T"] != "t":
                continue
            codes = set(row["c"])
            prints = found[row["S"]]
            if codes & NEVER or (codes & ONLY_FIRST and prints):
                continue
            at = rfc3339.to_nanoseconds(row["t"])
            if prints and at < prints[-1][0]:
                continue
            prints.append((at, (row["p"], row["s"], row["x"], tuple(row["c"]))))
    return found


def shown(stream: EventStream, symbol: str) -> list[dict[str, Any]]:
    return [p for p in stream.of("price") if p["symbol"] == symbol and p["price"] is not None]


def printed(price: dict[str, Any]) -> Row:
    return (price["price"], price["size"], price["exchange"], tuple(price["conditions"]))


def positions(prices: list[dict[str, Any]], truth: list[tuple[int, Row]]) -> list[int]:
    """Return where in the truth each shown price stands, by its time; fail if it stands nowhere.

    The last print of a tape that was replayed to its end fixes how times were moved.
    """
    last_shown = rfc3339.to_nanoseconds(prices[-1]["timestamp"])
    found: list[int] = []
    begin = 0
    for price in prices:
        moved = rfc3339.to_nanoseconds(price["timestamp"]) - last_shown
        for index in range(begin, len(truth)):
            tape = (truth[index][0] - truth[-1][0]) / SPEED
            if abs(tape - moved) < 1_000 and truth[index][1] == printed(price):
                # The first shown is a snapshot's: the stream may bring the same print again.
                begin = index + 1 if found else index
                found.append(index)
                break
        else:
            raise AssertionError(f"never printed, or out of order: {price}")
    return found


def replay_ended(simulator: Simulator) -> bool:
    replay: Any = simulator.state()["replay"]
    return bool(replay["row"] == replay["rows"])


async def test_a_stream_shows_the_tapes_last_prices_and_nothing_else(source: RedisSource) -> None:
    truth = expected()
    assert set(truth) == set(SYMBOLS)
    finals = {symbol: prints[-1][1] for symbol, prints in truth.items()}

    def at_the_end(stream: EventStream) -> bool:
        last = {symbol: shown(stream, symbol)[-1:] for symbol in SYMBOLS}
        return all(last[s] and printed(last[s][0]) == finals[s] for s in SYMBOLS)

    settings = SimulatorSettings(speed=SPEED, loop=False)
    async with (
        running_gateway(source) as url,
        open_stream(url, symbols=",".join(SYMBOLS), interval="0") as every,
        open_stream(url, symbols=",".join(SYMBOLS), interval="0.25") as some,
        Simulator(settings) as simulator,
        running_ingest(source, simulator),
    ):
        await until(lambda: replay_ended(simulator), 90)
        await until(lambda: at_the_end(every))
        await until(lambda: at_the_end(some))

    for symbol in SYMBOLS:
        live = positions(shown(every, symbol), truth[symbol])
        conflated = positions(shown(some, symbol), truth[symbol])
        # From the first print after the snapshot to the end, every one, once, in order.
        assert len(live) > 1000
        assert live[1:] == list(range(live[1], len(truth[symbol])))
        assert conflated == sorted(set(conflated))
        assert truth[symbol][conflated[-1]] == truth[symbol][-1]
        assert 10 < len(conflated) < len(live) / 10
    for stream in (every, some):
        ids = [tuple(map(int, p["event_id"].split("-"))) for p in stream.of("price")]
        for symbol in SYMBOLS:
            own = [i for i, p in zip(ids, stream.of("price"), strict=True) if p["symbol"] == symbol]
            assert own == sorted(set(own))
