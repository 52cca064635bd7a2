"""The REST calls of the markets below a path of their own: pairs and options."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ingest.upstream.alpaca_rest import AlpacaRest
from ingest.upstream.malformed_data import MalformedData
from ingest.upstream.market_rest import PAGES_AT_MOST, ROWS_AT_ONCE, Trades, read_pages
from ingest.upstream.request_budget import RequestBudget


class MarketPath:
    """Calls below one path, by the client and the budget of ``rest``.

    ``path`` begins with the version of the API: ``v1beta3/crypto/us``. ``delay_seconds``: how far
    the feed's trades are behind the market.
    """

    def __init__(self, rest: AlpacaRest, path: str, delay_seconds: float = 0.0) -> None:
        self.delay_seconds = delay_seconds
        self._rest = rest
        self._version, _, self._path = path.partition("/")

    @property
    def malformed(self) -> MalformedData:
        """The rows of all REST answers that could not be read or applied."""
        return self._rest.malformed

    @property
    def data_budget(self) -> RequestBudget:
        """The budget that all markets share."""
        return self._rest.data_budget

    async def trades(
        self, symbols: Sequence[str], since: float, *, polling: bool = False
    ) -> Trades:
        """Return ``…/trades`` since a time (unix s), earlier by the feed's delay.

        Raises:
            RestError: a page of it failed.
        """
        start = datetime.fromtimestamp(since - self.delay_seconds, UTC)
        query = self.query(symbols, start, None)
        return Trades(*await self.pages("trades", query, symbols, PAGES_AT_MOST, polling=polling))

    async def trades_around(self, symbol: str, moment: float) -> list[Any]:
        """Return the rows of ``…/trades`` within a millisecond of a time (unix s).

        Raises:
            RestError: it failed.
        """
        at, tolerance = datetime.fromtimestamp(moment, UTC), timedelta(milliseconds=1)
        query = self.query([symbol], at - tolerance, at + tolerance)
        rows, _ = await self.pages("trades", query, [symbol], 1, polling=False)
        return rows.get(symbol, [])

    async def pages(
        self, what: str, query: dict[str, Any], symbols: Sequence[str], most: int, *, polling: bool
    ) -> tuple[dict[str, list[Any]], frozenset[str]]:
        """Return the rows of at most so many pages by symbol, and the symbols that have more.

        Raises:
            RestError: a page failed.
        """

        async def read(query: dict[str, Any]) -> Any:
            return await self.get(what, query, polling=polling)

        return await read_pages(read, what, query, symbols, most)

    async def get(self, what: str, query: dict[str, Any], *, polling: bool) -> Any:
        """Return an answer, decoded and not checked.

        Raises:
            RestError: it failed.
        """
        path = f"/{self._path}/{what}"
        return await self._rest.get_data(path, query, version=self._version, polling=polling)

    def query(
        self, symbols: Sequence[str], start: datetime, end: datetime | None
    ) -> dict[str, Any]:
        """Return the parameters of a range of rows, oldest first."""
        bounds = {"start": _text(start)} | ({} if end is None else {"end": _text(end)})
        return {"symbols": ",".join(symbols), "limit": ROWS_AT_ONCE, "sort": "asc", **bounds}


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
