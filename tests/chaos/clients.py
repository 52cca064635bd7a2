"""Clients that come back by themselves, as EventSource does."""

import asyncio
import itertools
import json
from collections.abc import Sequence
from contextlib import suppress

import httpx
from httpx_sse import aconnect_sse

from tests.chaos.invariants import Complain, Follower
from tests.chaos.ledger import Ledger

RETRY_SECONDS = 0.5


class Client:
    """One EventSource. With several ``urls`` each of its streams is at the next gateway."""

    def __init__(
        self,
        name: str,
        urls: Sequence[str],
        symbols: Sequence[str],
        interval: float,
        ledger: Ledger,
        complain: Complain,
    ) -> None:
        self.follower = Follower(name, symbols, ledger, complain)
        self.symbols = tuple(symbols)
        self.name = name
        self.events = 0
        self._urls = itertools.cycle(urls)
        self._query = {"symbols": ",".join(symbols), "interval": f"{interval:g}"}
        self._complain = complain
        self._retry = RETRY_SECONDS
        self._cursor = ""

    async def run(self, http: httpx.AsyncClient) -> None:
        """Follow streams until cancelled."""
        for url in self._urls:
            with suppress(httpx.TransportError):
                await self._follow(http, url)
            await asyncio.sleep(self._retry)

    async def _follow(self, http: httpx.AsyncClient, url: str) -> None:
        headers = {"Last-Event-ID": self._cursor} if self._cursor else {}
        async with aconnect_sse(
            http, "GET", f"{url}/api/stream/prices", params=self._query, headers=headers
        ) as source:
            if source.response.status_code != httpx.codes.OK:
                self._complain(f"{self.name} got {source.response.status_code}: it would give up")
                return
            self.follower.opened()
            self._retry = RETRY_SECONDS
            async for event in source.aiter_sse():
                self.events += 1
                self.follower.event(event.event, json.loads(event.data))
                self._cursor = event.id or self._cursor
                if event.retry is not None:
                    self._retry = event.retry / 1000
