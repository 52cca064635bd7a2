"""Alpaca's test stream, `/v2/test`: the symbol FAKEPACA, at any hour of any day.

The values are a fixed cycle around those of Alpaca's own examples
(docs.alpaca.markets/docs/streaming-market-data).
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import count
from typing import Final

from simulator.protocol.wire import Message, Outgoing
from simulator.tape.bars import MINUTE, Bar, bar_fields

SYMBOL: Final = "FAKEPACA"

_PRICES: Final = (133.85, 134.65, 136, 135.2, 134.1, 132.12, 132.65, 133.4)
_SIZES: Final = (4, 25, 1, 10, 100, 7)
_SPREAD: Final = 1.92


def prints() -> Iterator[tuple[int, float, int]]:
    """Yield a trade's id, price in dollars and size, endlessly."""
    for number in count(1):
        yield number, _PRICES[number % len(_PRICES)], _SIZES[number % len(_SIZES)]


def beat(number: int, price: float, size: int, now: int) -> list[Message]:
    """Return the trade and the quote of one beat; `now` is in nanoseconds."""
    trade = {"T": "t", "i": number, "S": SYMBOL, "x": "V", "p": price, "s": size}
    quote = {"T": "q", "S": SYMBOL, "bx": "O", "bp": price, "bs": 4}
    quote |= {"ax": "R", "ap": round(price + _SPREAD, 2), "as": 5}
    return [
        trade | {"t": now, "c": ["@"], "z": "A"},
        quote | {"t": now, "c": ["R"], "z": "A"},
    ]


async def run(
    publish: Callable[[Sequence[Outgoing]], None],
    *,
    clock: Callable[[], int],
    sleep: Callable[[float], Awaitable[None]],
    interval_seconds: float,
) -> None:
    """Publish one beat per interval, and a bar once its minute is over, until cancelled.

    `clock` returns Unix time in nanoseconds.
    """
    bar: Bar | None = None
    for number, price, size in prints():
        now = clock()
        minute = now // MINUTE * MINUTE
        messages = beat(number, price, size, now)
        if bar is not None and bar.start != minute:
            messages.insert(0, {"T": "b", "S": SYMBOL, **bar_fields(bar)})
            bar = None
        bar = bar or Bar(minute)
        bar.add(price, size)
        publish([Outgoing(message) for message in messages])
        await sleep(interval_seconds)
