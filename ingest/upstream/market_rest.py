"""The REST calls that every market needs, and their answers page by page."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from alpaca.data.timeframe import TimeFrame, TimeFrameUnit

from ingest.upstream.blocking_calls import checked
from ingest.upstream.malformed_data import MalformedData
from ingest.upstream.request_budget import RequestBudget
from shared.request import Adjustment

ROWS_AT_ONCE = 10_000
PAGES_AT_MOST = 3
"""A busy minute of a hundred symbols takes no more of the budget than this."""

BAR_PAGES_AT_MOST = 8
"""A day and a half of a hundred symbols' minutes."""

BAR_TIMEFRAMES: Mapping[str, TimeFrame] = MappingProxyType(
    {
        "1Min": TimeFrame(1, TimeFrameUnit.Minute),
        "5Min": TimeFrame(5, TimeFrameUnit.Minute),
        "15Min": TimeFrame(15, TimeFrameUnit.Minute),
        "1Hour": TimeFrame(1, TimeFrameUnit.Hour),
        "1Day": TimeFrame(1, TimeFrameUnit.Day),
    }
)
"""The spans of bars by the name that the topics use."""


class Trades(NamedTuple):
    """Rows of trades by symbol, oldest first; the ``incomplete`` symbols have more rows."""

    rows: dict[str, list[Any]]
    incomplete: frozenset[str]


class Bars(NamedTuple):
    """Rows of bars by symbol, oldest first; the ``incomplete`` symbols have more rows."""

    rows: dict[str, list[Any]]
    incomplete: frozenset[str]


class MarketRest(Protocol):
    """The REST API of one market. Each call raises RestError if it failed.

    ``polling`` uses the half of the budget that polling may have.
    """

    @property
    def malformed(self) -> MalformedData:
        """The rows of its answers that could not be read or applied."""

    @property
    def data_budget(self) -> RequestBudget:
        """The budget that all markets share."""

    @property
    def delay_seconds(self) -> float:
        """How far the feed's prints are behind the market."""

    async def snapshots(self, symbols: Sequence[str], *, polling: bool = False) -> dict[str, Any]:
        """Return the snapshots by symbol; symbols that Alpaca lacks are absent."""

    async def daily_bars(self, symbols: Sequence[str], start: date, end: date) -> dict[str, Any]:
        """Return the daily bars, adjusted for splits, from one day to another, both included."""

    async def trades(
        self, symbols: Sequence[str], since: float, *, polling: bool = False
    ) -> Trades:
        """Return the trades since a time (unix s), sorted by symbol first."""

    async def trades_around(self, symbol: str, moment: float) -> list[Any]:
        """Return the rows of trades within a millisecond of a time (unix s)."""

    async def bars(
        self,
        symbols: Sequence[str],
        timeframe: str,
        start: datetime,
        end: datetime,
        *,
        adjusted: Adjustment = "split",
    ) -> Bars:
        """Return the bars with starts from one time to another, both included."""

    async def lists_asset(self, symbol: str) -> bool:
        """Return whether Alpaca lists a symbol."""


async def read_pages(
    read: Callable[[dict[str, Any]], Awaitable[Any]],
    what: str,
    query: dict[str, Any],
    symbols: Sequence[str],
    most: int,
) -> tuple[dict[str, list[Any]], frozenset[str]]:
    """Return the rows that an answer has under ``what`` by symbol, and the symbols that have more.

    ``read`` gets a query and returns a page. At most ``most`` pages are read: alpaca-py's own calls
    would read every one, whatever it costs of the budget.

    Raises:
        RestError: a page failed.
    """
    rows, query = dict[str, list[Any]](), dict(query)
    for _ in range(most):
        page = checked(dict, await read(query))
        for symbol, some in checked(dict, page.get(what) or {}).items():
            rows.setdefault(symbol, []).extend(checked(list, some))
        query["page_token"] = page.get("next_page_token")
        if not query["page_token"]:
            return rows, frozenset()
    # The last page may end within a symbol, so that symbol counts as incomplete as well.
    last = max(rows, default="")
    return rows, frozenset(symbol for symbol in symbols if symbol >= last)
