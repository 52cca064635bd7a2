"""Every price that a stream shows for the tape, against a pass over the tape by other code."""

import asyncio
import gzip
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from shared import rfc3339
from shared.bus.redis_source import RedisSource
from simulator.service import Simulator, SimulatorSettings
from simulator.tape.recording import SHIPPED
from tests.event_stream import EventStream, open_stream
from tests.limits import limit
from tests.services import running_gateway, running_ingest, until

SPEED = 60.0
SYMBOLS = ("SPY", "IBM", "BAC", "AIG")
INTERVAL = 0.25
"""The least seconds between two prices of a symbol in a conflated stream."""

TICK_SECONDS = 0.002
LONGEST_TICK_NS = 20_000_000

# Conditions that do not move the last price in regular hours on tapes A and B, by the notes of CTA,
# and those that do so only as the first of the day.
NEVER = set("BCNHV7IURMQT")
ONLY_FIRST = set("Z4PG")

Row = tuple[float, int, str, tuple[str, ...]]


@dataclass
class Prints:
    """A symbol's prints in order, each with its time on the tape in ns."""

    last_prices: list[tuple[int, Row]] = field(default_factory=list)
    only_first: list[tuple[int, Row]] = field(default_factory=list)
    """The possible first prices of the day, for a client that has not seen the earlier ones."""


def expected() -> dict[str, Prints]:
    found: dict[str, Prints] = defaultdict(Prints)
    with gzip.open(SHIPPED, "rt") as lines:
        for line in lines:
            row = json.loads(line)
            if row["T"] != "t" or NEVER.intersection(row["c"]):
                continue
            prints = found[row["S"]]
            at = rfc3339.to_nanoseconds(row["t"])
            print_ = (at, (row["p"], row["s"], row["x"], tuple(row["c"])))
            last = prints.last_prices
            if last and ONLY_FIRST.intersection(row["c"]):
                prints.only_first.append(print_)
            elif not last or at >= last[-1][0]:
                last.append(print_)
    return found


class Pace:
    """The time, which stands still while Redis does, and comes back in small steps.

    A simulator that caught up after a stall at once would find readers in the same loop too slow,
    and their prices would be conflated. So would those that had waited for Redis.
    """

    def __init__(self, source: RedisSource) -> None:
        self._source = source
        self._now = time.time_ns()

    def __call__(self) -> int:
        return self._now

    @asynccontextmanager
    async def going(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._go())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _go(self) -> None:
        async with self._source.client("pace") as redis:
            while True:
                await redis.ping()
                self._now += min(max(time.time_ns() - self._now, 0), LONGEST_TICK_NS)
                await asyncio.sleep(TICK_SECONDS)


def shown(stream: EventStream, symbol: str) -> list[dict[str, Any]]:
    """Return the shown prices of a symbol, except one that is repeated with the previous close.

    That happens once, if REST returns the close after the first prices.
    """
    found: list[dict[str, Any]] = []
    again = 0
    for price in stream.of("price"):
        if price["symbol"] != symbol or price["price"] is None:
            continue
        if found and is_told_again(found[-1], price):
            again += 1
        else:
            found.append(price)
    assert again <= 1
    return found


def is_told_again(before: dict[str, Any], price: dict[str, Any]) -> bool:
    new = {"event_id", "previous_close", "change", "change_percent"}
    same = all(before[key] == price[key] for key in price.keys() - new)
    return same and before["previous_close"] is None and price["previous_close"] is not None


def printed(price: dict[str, Any]) -> Row:
    return (price["price"], price["size"], price["exchange"], tuple(price["conditions"]))


def positions(prices: list[dict[str, Any]], prints: Prints) -> list[int | None]:
    """Return where in the truth each shown price stands, by its time; fail if it stands nowhere.

    The last print of a tape that was replayed to its end fixes how times were moved. The first
    price may be REST's, in the tape's first minute: a print that counts only as the day's first
    then stands nowhere.
    """
    truth = prints.last_prices
    last_shown = rfc3339.to_nanoseconds(prices[-1]["timestamp"])
    found: list[int | None] = []
    begin = 0
    for price in prices:
        moved = rfc3339.to_nanoseconds(price["timestamp"]) - last_shown

        def is_shown(print_: tuple[int, Row], price: Any = price, moved: int = moved) -> bool:
            tape = (print_[0] - truth[-1][0]) / SPEED
            return abs(tape - moved) < 1_000 and print_[1] == printed(price)

        index = next((i for i in range(begin, len(truth)) if is_shown(truth[i])), None)
        if index is None:
            as_first = not found and any(map(is_shown, prints.only_first))
            assert as_first, f"never printed, or out of order: {price}"
        else:
            begin = index + 1
        found.append(index)
    return found


def replay_ended(simulator: Simulator) -> bool:
    replay: Any = simulator.state()["replay"]
    return bool(replay["row"] == replay["rows"])


async def test_a_stream_shows_the_tapes_last_prices_and_nothing_else(source: RedisSource) -> None:
    truth = expected()
    assert set(truth) == set(SYMBOLS)
    finals = {symbol: prints.last_prices[-1] for symbol, prints in truth.items()}

    def at_the_end(stream: EventStream) -> bool:
        """Distinguish the last prints from earlier equal ones: all times were moved alike."""
        last = {price["symbol"]: price for price in stream.of("price")}
        moved = [
            rfc3339.to_nanoseconds(last[symbol]["timestamp"]) - round(at / SPEED)
            for symbol, (at, row) in finals.items()
            if printed(last[symbol]) == row
        ]
        return len(moved) == len(finals) and max(moved) - min(moved) < 1_000

    pace = Pace(source)
    settings = SimulatorSettings(speed=SPEED, loop=False)
    began = time.monotonic()
    async with (
        running_gateway(source) as url,
        open_stream(url, symbols=",".join(SYMBOLS), interval="0") as every,
        open_stream(url, symbols=",".join(SYMBOLS), interval=str(INTERVAL)) as some,
        pace.going(),
        Simulator(settings, clock=pace) as simulator,
        running_ingest(source, simulator),
    ):
        await until(lambda: replay_ended(simulator), limit(90))
        await until(lambda: at_the_end(every))
        await until(lambda: at_the_end(some))
    intervals = (time.monotonic() - began) / INTERVAL

    for symbol in SYMBOLS:
        end = len(truth[symbol].last_prices)
        # The first price is REST's or live. REST knows no more than the last print, and prints
        # on their way behind that are late. After it, each price appears once, in order.
        first, *live = positions(shown(every, symbol), truth[symbol])
        assert len(live) > 1000
        assert live[0] is not None
        assert first is None or first < live[0]
        assert live == list(range(live[0], end))
        conflated = positions(shown(some, symbol), truth[symbol])
        assert conflated[-1] is not None
        assert truth[symbol].last_prices[conflated[-1]] == truth[symbol].last_prices[-1]
        # The first interval and the last are not whole. A busy machine replays for longer.
        assert 10 < len(conflated) < intervals + 2
        assert len(conflated) < len(live) / 2
    for stream in (every, some):
        ids = [tuple(map(int, p["event_id"].split("-"))) for p in stream.of("price")]
        for symbol in SYMBOLS:
            own = [i for i, p in zip(ids, stream.of("price"), strict=True) if p["symbol"] == symbol]
            assert own == sorted(set(own))
