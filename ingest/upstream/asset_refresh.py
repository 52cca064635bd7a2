"""Reads the list of Alpaca's assets once a day, and keeps it in Redis for the gateways."""

import asyncio
import time
from collections.abc import Callable, Iterable, Set
from types import MappingProxyType
from typing import Any, Protocol

import structlog

from ingest.market.trading_day import day_of
from ingest.upstream.alpaca_rest import AlpacaRest
from ingest.upstream.blocking_calls import RestError
from ingest.upstream.malformed_data import MalformedData
from shared import rfc3339
from shared.asset import Asset, AssetList, AssetType
from shared.bus.errors import BusError
from shared.waiting import wait_at_most

log = structlog.get_logger()

FIRST_SECONDS = 3.0
"""Prices come first: thirteen thousand rows keep the interpreter for a tenth of a second."""

LOOK_SECONDS = 600.0
ASSETS_RETRY_SECONDS = 60.0

_TYPES = MappingProxyType[str, AssetType]({"us_equity": "stock", "crypto": "crypto"})


class StoredAssets(Protocol):
    """The list in Redis."""

    async def read(self) -> AssetList | None:
        """Return it; None if there is none.

        Raises:
            BusError: Redis is unreachable or rejects it.
        """

    async def write(self, listed: AssetList) -> None:
        """Replace it.

        Raises:
            BusError: Redis is unreachable or rejects it.
        """


class AssetRefresh:
    """``on_listed`` gets the symbols of the newest list; ``clock`` gives unix nanoseconds.

    A new leader takes over the list that Redis has of today (New York's day).
    """

    def __init__(
        self,
        rest: AlpacaRest,
        store: StoredAssets,
        on_listed: Callable[[Set[str]], None],
        *,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._rest = rest
        self._store = store
        self._on_listed = on_listed
        self._clock = clock
        self._listed: AssetList | None = None
        self._is_stored = False
        self._failing = False
        self._due = asyncio.Event()

    async def run(self) -> None:
        """Look until cancelled; while Alpaca does not answer, the last list stays in force."""
        await asyncio.sleep(FIRST_SECONDS)
        while True:
            self._due.clear()
            try:
                await self._look()
            except (RestError, BusError) as error:
                if not self._failing:
                    log.warning(
                        "assets_failed",
                        message="the list of assets could not be read; this is repeated",
                        error=str(error),
                    )
                self._failing = True
                await asyncio.sleep(ASSETS_RETRY_SECONDS)
            else:
                self._failing = False
                await wait_at_most(self._due, LOOK_SECONDS)

    def republish(self) -> None:
        """Store the list again, for an emptied Redis."""
        self._is_stored = False
        self._due.set()

    async def _look(self) -> None:
        """Read the list if there is a newer day, and store it.

        Raises:
            RestError: Alpaca failed.
            BusError: Redis failed.
        """
        if self._listed is None:
            # Before the waits: Redis may be emptied meanwhile, and ``republish`` be called.
            self._is_stored = True
            stored = await self._store.read()
            if stored is not None:
                self._take(stored)
        now_ns = self._clock()
        if self._listed is None or _day_of(self._listed) != day_of(now_ns):
            rows = await self._rest.assets()
            assets = assets_of(rows, self._rest.malformed)
            if not assets:
                raise RestError("the list of assets is empty")
            as_of = rfc3339.from_nanoseconds(now_ns)
            self._take(AssetList(as_of=as_of, assets=assets))
            self._is_stored = False
        if self._listed is not None and not self._is_stored:
            await self._write(self._listed)

    async def _write(self, listed: AssetList) -> None:
        self._is_stored = True
        try:
            await self._store.write(listed)
        except BusError:
            self._is_stored = False
            raise

    def _take(self, listed: AssetList) -> None:
        self._listed = listed
        self._on_listed({each.symbol for each in listed.assets})


def assets_of(rows: Iterable[Any], malformed: MalformedData) -> list[Asset]:
    """Return the assets of REST's rows in order; bad rows and other classes are left out.

    Source: https://docs.alpaca.markets/reference/get-v2-assets-1
    """
    found: dict[str, Asset] = {}
    for row in rows:
        try:
            kind = _TYPES.get(_text(row["class"]))
            if kind is not None:
                symbol, name = _text(row["symbol"]), row.get("name")
                exchange = row.get("exchange")
                found[symbol] = Asset(
                    symbol,
                    name.strip() if isinstance(name, str) else "",
                    exchange if isinstance(exchange, str) else "",
                    kind,
                )
        except (LookupError, TypeError, AttributeError) as error:
            malformed.note("asset", ValueError(f"{type(error).__name__}: {error}"), row)
    return [found[symbol] for symbol in sorted(found)]


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError(f"{value!r} is no text")
    return value


def _day_of(listed: AssetList) -> int:
    return day_of(rfc3339.to_nanoseconds(listed.as_of))
