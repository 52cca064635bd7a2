"""What the stream has not brought, fetched by REST: every print of a symbol since a time."""

import asyncio
import time
from bisect import bisect
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import msgspec
import structlog

from ingest.alpaca import messages as wire
from ingest.demand.lookups import OpenGap
from ingest.market.snapshot import is_price
from ingest.upstream.alpaca_rest import AlpacaRest, RestError
from shared import rfc3339

log = structlog.get_logger()

OVERLAP_SECONDS = 2.0
"""A print's time is the exchange's, by its own clock, and it may have been on its way."""

SECONDS = 10.0
"""For all pages of a request."""

AGES_SECONDS = (10.0, 60.0)
"""Symbols that have missed much more than others are asked for apart."""

PRINTS_AT_ONCE = 1000
"""A switch of tasks after so many: live frames wait meanwhile."""

_SECOND_NS = 1_000_000_000
_VOID = ("canceled", "incorrect")


class Sink(Protocol):
    """Who hears what was missed."""

    def catch_up(self, symbol: str, prints: Sequence[wire.Trade]) -> None:
        """Take prints in order of time, some of which the stream may have brought."""

    def missed(self, symbols: Sequence[str], since: float) -> None:
        """Hear that what these symbols may have missed since then cannot be had."""


class CatchUp:
    """Fetches and hands on; ``clock`` gives unix seconds."""

    def __init__(
        self, rest: AlpacaRest, sink: Sink, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._rest = rest
        self._sink = sink
        self._clock = clock

    async def run(self, missed: dict[str, OpenGap]) -> None:
        """Catch up with each symbol, and take it off ``missed``.

        Raises:
            RestError: those that are left there could not be had.
        """
        now = self._clock()
        groups: dict[int, dict[str, float]] = defaultdict(dict)
        for symbol, (since, *_) in sorted(missed.items()):
            groups[bisect(AGES_SECONDS, now - since)][symbol] = since
        for _, group in sorted(groups.items()):
            await self._catch_up(group)
            for symbol in group:
                del missed[symbol]

    async def _catch_up(self, since: Mapping[str, float]) -> None:
        try:
            async with asyncio.timeout(SECONDS):
                found = await self._rest.trades(list(since), min(since.values()) - OVERLAP_SECONDS)
        except TimeoutError as error:
            raise RestError(f"no trades within {SECONDS:g} s") from error
        for symbol, at in since.items():
            start = int((at - OVERLAP_SECONDS) * _SECOND_NS)
            complete = await self._hand_on(symbol, found.rows.get(symbol, ()), start)
            if not complete or symbol in found.incomplete:
                self._sink.missed([symbol], at)

    async def _hand_on(self, symbol: str, rows: Sequence[Any], start: int) -> bool:
        for index in range(0, len(rows), PRINTS_AT_ONCE):
            try:
                prints = _prints(symbol, rows[index : index + PRINTS_AT_ONCE], start)
            except ValueError as error:
                log.warning("malformed trades", symbol=symbol, error=str(error))
                return False
            self._sink.catch_up(symbol, prints)
            await asyncio.sleep(0)
        return True


class _Row(msgspec.Struct, rename={"time": "t", "price": "p", "size": "s", "id": "i",
           "exchange": "x", "conditions": "c", "tape": "z", "update": "u"}):  # fmt: skip
    time: str
    price: wire.Number
    size: wire.Number
    id: int | None = None
    exchange: str | None = None
    conditions: tuple[str, ...] | None = None
    tape: str | None = None
    update: str | None = None


def _prints(symbol: str, rows: Iterable[Any], start: int) -> list[wire.Trade]:
    """Return the rows that stand, as the stream would have brought them; ``start`` in unix ns.

    Raises:
        ValueError: one has another form.
    """
    prints = []
    for row in rows:
        found = msgspec.convert(row, _Row)
        at = rfc3339.to_nanoseconds(found.time)
        if at < start or found.update in _VOID or not is_price(found.price):
            continue
        seconds, nanoseconds = divmod(at, _SECOND_NS)
        packed = nanoseconds.to_bytes(4, "big") + seconds.to_bytes(8, "big", signed=True)
        prints.append(
            wire.Trade(
                symbol=symbol,
                price=found.price,
                size=found.size,
                time=msgspec.msgpack.Ext(-1, packed),
                id=found.id,
                exchange=found.exchange,
                conditions=found.conditions,
                tape=found.tape,
            )
        )
    return prints
