"""Clients that come back by themselves, as EventSource does."""

import asyncio
import itertools
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

import httpx
from httpx_sse import aconnect_sse

from tests.chaos.account import Account, Positions
from tests.chaos.day_bars import DayBars
from tests.chaos.follower import Complain, Follower, Greeting
from tests.chaos.news import News
from tests.chaos.order_books import OrderBooks
from tests.chaos.orders import Orders
from tests.chaos.prices import Prices
from tests.chaos.quotes import Quotes
from tests.chaos.trades import Trades

RETRY_SECONDS = 0.5


class Request(NamedTuple):
    """The stream that a client opens. With several ``urls`` each one is at the next gateway."""

    urls: Sequence[str]
    path: str
    query: Mapping[str, str]


class Client:
    """One EventSource, and everything that checks its events."""

    def __init__(
        self, name: str, request: Request, followers: Sequence[Follower], complain: Complain
    ) -> None:
        self.name = name
        self.events = 0
        self._request = request
        self._followers = [Greeting(name, complain), *followers]
        self._complain = complain
        self._retry = RETRY_SECONDS
        self._cursor = ""
        self._present = asyncio.Event()
        self._present.set()
        self._stay: asyncio.Timeout | None = None
        """The limit of the open stream, which has none until the client goes away."""

    def go_away(self) -> None:
        """Close the stream, and open none until ``come_back``."""
        self._present.clear()
        if self._stay is not None and not self._stay.expired():
            self._stay.reschedule(asyncio.get_running_loop().time())

    def come_back(self) -> None:
        """Open a stream again, with the newest id that was received."""
        self._present.set()

    async def run(self, http: httpx.AsyncClient) -> None:
        """Follow streams until cancelled."""
        for url in itertools.cycle(self._request.urls):
            await self._present.wait()
            with suppress(httpx.TransportError, TimeoutError):
                async with asyncio.timeout(None) as self._stay:
                    await self._follow(http, url + self._request.path)
            self._stay = None
            await asyncio.sleep(self._retry)

    async def _follow(self, http: httpx.AsyncClient, url: str) -> None:
        headers = {"Last-Event-ID": self._cursor} if self._cursor else {}
        query = dict(self._request.query)
        async with aconnect_sse(http, "GET", url, params=query, headers=headers) as source:
            if source.response.status_code != httpx.codes.OK:
                self._complain(f"{self.name} got {source.response.status_code}: it would give up")
                return
            for follower in self._followers:
                follower.opened()
            self._retry = RETRY_SECONDS
            async for event in source.aiter_sse():
                self.events += 1
                data = json.loads(event.data)
                for follower in self._followers:
                    follower.event(event.event, data)
                self._cursor = event.id or self._cursor
                if event.retry is not None:
                    self._retry = event.retry / 1000


class PriceClient(Client):
    """A client of prices; ``symbols`` are those that it watches."""

    def __init__(
        self,
        name: str,
        urls: Sequence[str],
        symbols: Sequence[str],
        interval: float,
        prices: Prices,
        complain: Complain,
    ) -> None:
        query = {"symbols": ",".join(symbols), "interval": f"{interval:g}"}
        super().__init__(name, Request(urls, "/api/stream/prices", query), [prices], complain)
        self.symbols = tuple(symbols)
        self.prices = prices


class WholeClient(Client):
    """A client of everything else: tapes, quotes, day bars, a book, news, the account, orders."""

    def __init__(
        self,
        name: str,
        urls: Sequence[str],
        topics: Sequence[str],
        interval: float,
        followers: tuple[Trades, Quotes, DayBars, Positions, Account, Orders, News, OrderBooks],
        complain: Complain,
    ) -> None:
        query = {"topics": ",".join(topics), "interval": f"{interval:g}"}
        super().__init__(name, Request(urls, "/api/stream", query), followers, complain)
        self.trades, self.quotes, self.bars, self.positions, self.account = followers[:5]
        self.orders, self.news, self.order_book = followers[5:]

    @property
    def gaps(self) -> int:
        """How many gaps of ordered topics there have been."""
        return self.trades.gaps + self.orders.gaps.count + self.news.gaps.count

    def forgive(self, before: int) -> None:
        """Accept the losses on ordered topics before a time (unix ns): they are known."""
        for follower in (self.trades, self.orders, self.news):
            follower.forgive(before)

    def incomplete(self, before: int) -> list[str]:
        """Return the missing events before a time (unix ns), and the figures that differ."""
        return [
            *self.trades.missing(before),
            *self.orders.missing(before),
            *self.news.missing(before),
            *self.account.differences(),
            *self.positions.differences(prices=False),
        ]
