"""Alpaca's REST API: the requests that the ingest needs, by alpaca-py's clients."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from functools import partial
from types import MappingProxyType
from typing import Any

from alpaca.common.enums import Sort
from alpaca.data.enums import Adjustment as AlpacaAdjustment
from alpaca.data.enums import DataFeed
from alpaca.data.historical import StockHistoricalDataClient
from alpaca.data.requests import StockBarsRequest, StockSnapshotRequest, StockTradesRequest
from alpaca.data.timeframe import TimeFrame, TimeFrameUnit
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import AssetStatus, QueryOrderStatus
from alpaca.trading.requests import GetAssetsRequest, GetCalendarRequest, GetOrdersRequest

from ingest.market.market_hours import NEW_YORK
from ingest.upstream.blocking_calls import BlockingCalls, RestError, checked
from ingest.upstream.malformed_data import MalformedData
from ingest.upstream.market_rest import (
    BAR_PAGES_AT_MOST,
    BAR_TIMEFRAMES,
    PAGES_AT_MOST,
    ROWS_AT_ONCE,
    Bars,
    Trades,
    read_pages,
)
from ingest.upstream.proxy import reach_loopback_directly
from ingest.upstream.request_budget import REQUESTS_PER_MINUTE, RequestBudget
from ingest.upstream.rest_limits import limit
from ingest.upstream.rest_recording import OnExchange, record_exchanges
from ingest.upstream.rest_text import make_readable
from shared.request import Adjustment

FORBIDDEN = 403

RECENT = timedelta(minutes=16)
"""A plan without SIP may not request SIP's last quarter of an hour; this is a little more."""

DELAY = timedelta(minutes=15)
"""The delay of the delayed feed behind the consolidated one."""

ORDERS_AT_ONCE = 500
"""Alpaca's maximum."""

_BAR_FEEDS: Mapping[DataFeed, DataFeed] = MappingProxyType(
    {DataFeed.DELAYED_SIP: DataFeed.SIP, DataFeed.OVERNIGHT: DataFeed.BOATS}
)
"""Feeds that have no bars of their own name at REST."""

_NOT_LISTED = (400, 404, 422)
_ABOUT_THE_SYMBOL = re.compile(r"asset|symbol", re.IGNORECASE)
_ABOUT_THE_CONTRACT = re.compile(r"contract|asset|symbol", re.IGNORECASE)
"""Alpaca's words about a symbol that it does not list. The code 40410000 is no such sign: for a
time Alpaca answered "endpoint not found" with it on a valid path
(https://github.com/alpacahq/Alpaca-API/issues/137)."""


class AlpacaRest:
    """The calls that the ingest needs, as raw JSON. Close it to end its threads.

    Market data and trading have a budget each. A call fails if it would wait for its budget longer
    than its deadline. ``monotonic`` gives seconds. ``on_exchange`` gets every exchange.
    """

    def __init__(
        self,
        key: str,
        secret: str,
        *,
        data_url: str,
        trading_url: str,
        feed: str,
        requests_per_minute: int = REQUESTS_PER_MINUTE,
        monotonic: Callable[[], float] = time.monotonic,
        on_exchange: OnExchange | None = None,
    ) -> None:
        # Raw JSON: a model of alpaca-py fails the whole answer for one value that it does not know.
        self._data = StockHistoricalDataClient(key, secret, raw_data=True, url_override=data_url)
        self._trading = TradingClient(key, secret, raw_data=True, url_override=trading_url)
        # Before the first call: alpaca-py sets no timeout, and a hung call would keep its thread.
        limit(self._data)
        limit(self._trading)
        for client, url in ((self._data, data_url), (self._trading, trading_url)):
            # First: each looks at the response that the one before has left.
            if on_exchange is not None:
                record_exchanges(client, on_exchange)
            make_readable(client)
            reach_loopback_directly(client, url)
        self.malformed = MalformedData("rest")
        """The rows of its answers that could not be read or applied."""
        self.data_budget = RequestBudget(requests_per_minute, monotonic)
        self.trading_budget = RequestBudget(requests_per_minute, monotonic)
        self._feed = _data_feed(feed)
        self._calls = BlockingCalls()

    @property
    def delay_seconds(self) -> float:
        """How far the feed's prints are behind the market."""
        return DELAY.total_seconds() if self._feed is DataFeed.DELAYED_SIP else 0.0

    async def get_data(
        self,
        path: str,
        query: Mapping[str, Any],
        *,
        version: str = "v2",
        polling: bool = False,
    ) -> Any:
        """Return an answer of the data API, decoded and not checked.

        Raises:
            RestError: it failed.
        """
        work = partial(self._data.get, path, dict(query), api_version=version)
        return await self._calls.run(self.data_budget, work, polling=polling)

    async def clock(self) -> dict[str, Any]:
        """Return ``GET /v2/clock``.

        Raises:
            RestError: it failed.
        """
        return checked(dict, await self._calls.run(self.trading_budget, self._trading.get_clock))

    async def calendar(self, start: date, end: date) -> list[Any]:
        """Return ``GET /v2/calendar`` from one day to another, both included.

        Raises:
            RestError: it failed.
        """
        request = GetCalendarRequest(start=start, end=end)
        rows = await self._calls.run(
            self.trading_budget, lambda: self._trading.get_calendar(request)
        )
        return checked(list, rows)

    async def positions(self) -> list[Any]:
        """Return ``GET /v2/positions``; its numbers are text.

        Raises:
            RestError: it failed.
        """
        return checked(
            list, await self._calls.run(self.trading_budget, self._trading.get_all_positions)
        )

    async def account(self) -> dict[str, Any]:
        """Return ``GET /v2/account``; its numbers are text.

        Raises:
            RestError: it failed.
        """
        return checked(dict, await self._calls.run(self.trading_budget, self._trading.get_account))

    async def orders(self) -> list[Any]:
        """Return the newest ``ORDERS_AT_ONCE`` of ``GET /v2/orders``, open and closed, with legs.

        Raises:
            RestError: it failed.
        """
        request = GetOrdersRequest(
            status=QueryOrderStatus.ALL, limit=ORDERS_AT_ONCE, direction=Sort.DESC, nested=True
        )
        rows = await self._calls.run(self.trading_budget, lambda: self._trading.get_orders(request))
        return checked(list, rows)

    async def assets(self) -> list[Any]:
        """Return ``GET /v2/assets?status=active``: some thirteen thousand rows.

        Raises:
            RestError: it failed.
        """
        request = GetAssetsRequest(status=AssetStatus.ACTIVE)
        rows = await self._calls.run(
            self.trading_budget, lambda: self._trading.get_all_assets(request), polling=True
        )
        return checked(list, rows)

    async def lists_asset(self, symbol: str) -> bool:
        """Return whether Alpaca lists a symbol, by ``GET /v2/assets/{symbol}``.

        It uses the half of the trading budget that polling may have. An error that does not name
        the asset or the symbol is no answer: a proxy without this path answers 404, too.

        Raises:
            RestError: it failed, or its answer says nothing about the symbol.
        """
        try:
            asset = await self._calls.run(
                self.trading_budget, lambda: self._trading.get_asset(symbol), polling=True
            )
        except RestError as error:
            # For example "asset not found for ARAV", in https://github.com/alpacahq/Alpaca-API/issues/114
            if error.status in _NOT_LISTED and _ABOUT_THE_SYMBOL.search(str(error)):
                return False
            raise
        return bool(checked(dict, asset))

    async def asset_attributes(self, symbol: str) -> frozenset[str]:
        """Return the attributes of an asset, by ``GET /v2/assets/{symbol}``.

        It uses the half of the trading budget that polling may have.

        Raises:
            RestError: it failed, or Alpaca does not list the symbol.
        """
        asset = await self._calls.run(
            self.trading_budget, lambda: self._trading.get_asset(symbol), polling=True
        )
        # An asset that has none may lack the field.
        attributes = checked(list, checked(dict, asset).get("attributes") or [])
        return frozenset(each for each in attributes if isinstance(each, str))

    async def lists_contract(self, symbol: str) -> bool:
        """Return whether Alpaca lists an option, by ``GET /v2/options/contracts/{symbol}``.

        Raises:
            RestError: it failed, or its answer says nothing about the contract.
        """
        try:
            contract = await self._calls.run(
                self.trading_budget, lambda: self._trading.get_option_contract(symbol), polling=True
            )
        except RestError as error:
            if error.status in _NOT_LISTED and _ABOUT_THE_CONTRACT.search(str(error)):
                return False
            raise
        return bool(checked(dict, contract))

    async def snapshots(self, symbols: Sequence[str], *, polling: bool = False) -> dict[str, Any]:
        """Return ``GET /v2/stocks/snapshots`` by symbol; symbols that Alpaca lacks are absent.

        ``polling`` uses the half of the budget that polling may have.

        Raises:
            RestError: it failed.
        """
        request = StockSnapshotRequest(symbol_or_symbols=list(symbols), feed=self._feed)
        found = await self._calls.run(
            self.data_budget, lambda: self._data.get_stock_snapshot(request), polling=polling
        )
        return checked(dict, found)

    async def daily_bars(self, symbols: Sequence[str], start: date, end: date) -> dict[str, Any]:
        """Return the daily bars, adjusted for splits, from one day to another, both included.

        By symbol the rows of ``GET /v2/stocks/bars``, oldest first. They are of all exchanges,
        or of the plan's feed if the plan does not include SIP. Days are New York's. The end should
        be a day that is over, since the last quarter of an hour is left out.

        Raises:
            RestError: it failed.
        """
        try:
            return await self._daily_bars(symbols, start, end, DataFeed.SIP)
        except RestError as error:
            # Some plans forbid SIP even for past days: a close of one exchange is better than none.
            if error.status != FORBIDDEN or self._feed is DataFeed.SIP:
                raise
        return await self._daily_bars(symbols, start, end, self._feed)

    async def trades(
        self, symbols: Sequence[str], since: float, *, polling: bool = False
    ) -> Trades:
        """Return ``GET /v2/stocks/trades``: the feed's trades since a time (unix s).

        Alpaca sorts by symbol first, so the rows beyond 3 pages are those of the last symbols.
        ``polling`` uses the half of the budget that polling may have.

        Raises:
            RestError: a page of it failed.
        """
        start, end = datetime.fromtimestamp(since, UTC), None
        if self._feed is DataFeed.DELAYED_SIP:
            start, end = start - DELAY, datetime.now(UTC) - DELAY
        query = self._trades_query(symbols, start, end)
        found = await self._pages("trades", query, symbols, PAGES_AT_MOST, polling=polling)
        return Trades(*found)

    async def bars(
        self,
        symbols: Sequence[str],
        timeframe: str,
        start: datetime,
        end: datetime,
        *,
        adjusted: Adjustment = "split",
    ) -> Bars:
        """Return ``GET /v2/stocks/bars`` of the feed, with starts from one time to another.

        Both are included. Alpaca sorts by symbol first, so the rows beyond ``BAR_PAGES_AT_MOST``
        pages are those of the last symbols. It uses the half of the budget that polling may have:
        prices come first. A plan that forbids the newest quarter of an hour of its feed gets the
        bars before it.

        Raises:
            RestError: a page of it failed.
        """
        feed = _BAR_FEEDS.get(self._feed, self._feed)
        if feed is not self._feed:  # the history of another name ends there
            end = min(end, datetime.now(UTC) - RECENT)
        try:
            return await self._bars(symbols, timeframe, start, end, adjusted, feed)
        except RestError as error:
            recent = datetime.now(UTC) - RECENT
            if error.status != FORBIDDEN or end <= recent or start > recent:
                raise
        return await self._bars(symbols, timeframe, start, recent, adjusted, feed)

    async def trades_around(self, symbol: str, moment: float) -> list[Any]:
        """Return the rows of ``GET /v2/stocks/trades`` within a millisecond of a time (unix s).

        Raises:
            RestError: it failed.
        """
        at, tolerance = datetime.fromtimestamp(moment, UTC), timedelta(milliseconds=1)
        query = self._trades_query([symbol], at - tolerance, at + tolerance)
        page = checked(dict, await self.get_data("/stocks/trades", query))
        return checked(list, checked(dict, page.get("trades") or {}).get(symbol) or [])

    def close(self) -> None:
        """Release the threads; a call under way ends by its own timeout."""
        self._calls.close()

    async def _daily_bars(
        self, symbols: Sequence[str], start: date, end: date, feed: DataFeed
    ) -> dict[str, Any]:
        until = _midnight(end + timedelta(days=1)) - timedelta(seconds=1)
        request = StockBarsRequest(
            symbol_or_symbols=list(symbols),
            timeframe=TimeFrame(1, TimeFrameUnit.Day),
            start=_midnight(start),
            # A plan without SIP gets 403 for the whole request if it touches the last minutes.
            end=min(until, datetime.now(UTC) - RECENT),
            adjustment=AlpacaAdjustment.SPLIT,
            feed=feed,
        )
        found = await self._calls.run(self.data_budget, lambda: self._data.get_stock_bars(request))
        return checked(dict, found)

    async def _bars(
        self,
        symbols: Sequence[str],
        timeframe: str,
        start: datetime,
        end: datetime,
        adjusted: Adjustment,
        feed: DataFeed,
    ) -> Bars:
        if end < start:
            return Bars({}, frozenset())
        request = StockBarsRequest(
            symbol_or_symbols=list(symbols),
            timeframe=BAR_TIMEFRAMES[timeframe],
            start=start,
            end=end,
            limit=ROWS_AT_ONCE,
            feed=feed,
        )
        # alpaca-py's enum lacks spin-offs.
        query = request.to_request_fields() | {"adjustment": adjusted}
        return Bars(*await self._pages("bars", query, symbols, BAR_PAGES_AT_MOST, polling=True))

    async def _pages(
        self,
        what: str,
        query: dict[str, Any],
        symbols: Sequence[str],
        most: int,
        *,
        polling: bool = False,
    ) -> tuple[dict[str, list[Any]], frozenset[str]]:
        async def read(query: dict[str, Any]) -> Any:
            return await self.get_data(f"/stocks/{what}", query, polling=polling)

        return await read_pages(read, what, query, symbols, most)

    def _trades_query(
        self, symbols: Sequence[str], start: datetime, end: datetime | None
    ) -> dict[str, Any]:
        # The delayed feed has no history of its name: it is that of SIP, earlier.
        feed = DataFeed.SIP if self._feed is DataFeed.DELAYED_SIP else self._feed
        request = StockTradesRequest(
            symbol_or_symbols=list(symbols), start=start, end=end, limit=ROWS_AT_ONCE, feed=feed
        )
        return request.to_request_fields()


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time_of_day(), NEW_YORK)


def _data_feed(feed: str) -> DataFeed:
    """Return the REST feed of a stream's feed; the test stream has none, so any will do."""
    return DataFeed(feed) if feed in {each.value for each in DataFeed} else DataFeed.IEX
