"""Alpaca's REST API: alpaca-py's clients in threads, with the limits that they lack."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

from alpaca.common.exceptions import APIError
from alpaca.data.enums import DataFeed
from alpaca.data.historical import StockHistoricalDataClient
from alpaca.data.requests import StockSnapshotRequest
from alpaca.trading.client import TradingClient
from alpaca.trading.requests import GetCalendarRequest
from requests import RequestException, Session
from requests.adapters import HTTPAdapter
from tenacity import retry, retry_if_exception, stop_after_attempt, wait_random_exponential

CONNECT_READ_SECONDS = (3.0, 5.0)
DEADLINE_SECONDS = 10.0

_FINAL = (400, 401, 403, 404, 422)
"""HTTP statuses that the same request gets again."""


class RestError(Exception):
    """A REST call that failed or took too long; the message says why, ``status`` is HTTP's."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


def _worth_retrying(error: BaseException) -> bool:
    return isinstance(error, RestError) and error.status not in _FINAL


class _LimitedAdapter(HTTPAdapter):
    def send(self, *args: Any, **kwargs: Any) -> Any:
        kwargs["timeout"] = kwargs.get("timeout") or CONNECT_READ_SECONDS
        return super().send(*args, **kwargs)


def _limit(session: Session) -> None:
    """Give every request a timeout: alpaca-py sets none and would hang for ever."""
    for scheme in ("http://", "https://"):
        session.mount(scheme, _LimitedAdapter())


class AlpacaRest:
    """The calls that the ingest needs, as raw JSON. Close it to end its threads."""

    def __init__(
        self, key: str, secret: str, *, data_url: str, trading_url: str, feed: str
    ) -> None:
        self._data = StockHistoricalDataClient(key, secret, raw_data=True, url_override=data_url)
        self._trading = TradingClient(key, secret, raw_data=True, url_override=trading_url)
        _limit(self._data._session)  # noqa: SLF001 - alpaca-py offers no other way
        _limit(self._trading._session)  # noqa: SLF001
        self._feed = feed
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="alpaca-rest")

    async def clock(self) -> dict[str, Any]:
        """Return ``GET /v2/clock``.

        Raises:
            RestError: it failed three times.
        """
        answer: dict[str, Any] = await self._call(self._trading.get_clock)
        return answer

    async def calendar(self, start: date, end: date) -> list[dict[str, Any]]:
        """Return ``GET /v2/calendar`` from one day to another, both included.

        Raises:
            RestError: it failed three times.
        """
        request = GetCalendarRequest(start=start, end=end)
        rows: list[dict[str, Any]] = await self._call(lambda: self._trading.get_calendar(request))
        return rows

    async def snapshots(self, symbols: Sequence[str]) -> dict[str, Any]:
        """Return ``GET /v2/stocks/snapshots``: by symbol, without those that Alpaca lacks.

        Raises:
            RestError: it failed three times.
        """
        request = StockSnapshotRequest(symbol_or_symbols=list(symbols), feed=_data_feed(self._feed))
        found: dict[str, Any] = await self._call(lambda: self._data.get_stock_snapshot(request))
        return found

    def close(self) -> None:
        """Give the threads up; a call under way ends by its own timeout."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    @retry(
        retry=retry_if_exception(_worth_retrying),
        stop=stop_after_attempt(3),
        wait=wait_random_exponential(multiplier=0.3, max=3),
        reraise=True,
    )
    async def _call(self, work: Callable[[], Any]) -> Any:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                return await loop.run_in_executor(self._threads, work)
        except (APIError, RequestException, ValueError, TimeoutError) as error:
            status = error.status_code if isinstance(error, APIError) else None
            raise RestError(f"{type(error).__name__}: {error}"[:300], status) from error


def _data_feed(feed: str) -> DataFeed:
    """Return the REST feed that goes with a stream; the test stream has none, so any will do."""
    return DataFeed(feed) if feed in {each.value for each in DataFeed} else DataFeed.IEX
