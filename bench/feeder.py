"""A stand-in for Alpaca that sends prepared frames as fast as they are read."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import msgpack
import msgspec
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from bench.tape_frames import Block, Stamp
from simulator import DEFAULT_KEY, DEFAULT_SECRET
from simulator.tape import hours

SUBSCRIBED_SECONDS = 30.0

_HOURS = hours.AlwaysOpen()

Query = Mapping[str, Sequence[str]]
Bars = Callable[[Query], object]
"""The answer to a request for bars."""


def no_bars(_: Query) -> object:
    """Return the answer of a market that has no bars."""
    return {"bars": {}, "next_page_token": None}


class Feeder:
    """``async with``: a server for one reader on a port of loopback.

    It supports Alpaca's handshake and subscriptions, and the REST calls for an account with no
    positions and a market that is always open and has no data, except ``bars``.
    """

    def __init__(self, bars: Bars = no_bars) -> None:
        self.sent = 0
        self._bars = bars
        self._stamp = Stamp()
        self._server: Server | None = None
        self._reader: ServerConnection | None = None
        self._channels: dict[str, set[str]] = {}
        self._changed = asyncio.Condition()

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._converse, "127.0.0.1", 0, process_request=self._rest, compression=None
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    @property
    def address(self) -> str:
        """Host and port, for the stream and for REST."""
        assert self._server is not None
        return f"127.0.0.1:{next(iter(self._server.sockets)).getsockname()[1]}"

    def environment(self, redis_url: str) -> dict[str, str]:
        """Return the settings of an ingest that reads from here."""
        return {
            "REDIS_URL": redis_url,
            "ALPACA_PAPER_API_KEY": DEFAULT_KEY,
            "ALPACA_PAPER_SECRET_KEY": DEFAULT_SECRET,
            "ALPACA_STREAM_URL": f"ws://{self.address}",
            "ALPACA_DATA_URL": f"http://{self.address}",
            "ALPACA_TRADING_URL": f"http://{self.address}",
            "ALPACA_FEED": "sip",  # it has no limit of symbols
            "ALPACA_TRADE_UPDATES": "false",  # there is one reader
        }

    async def subscribed(
        self,
        symbols: Collection[str],
        channel: str = "trades",
        *,
        seconds: float = SUBSCRIBED_SECONDS,
    ) -> None:
        """Wait until the reader has subscribed to a channel of all these symbols.

        Raises:
            TimeoutError: it has not.
        """
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(
                lambda: self._channels.get(channel, set()).issuperset(symbols)
            )

    async def send(self, block: Block) -> None:
        """Send a block with new ids and times as soon as the reader has room for it."""
        await self.write(self._stamp.put(block.data, block.places))
        self.sent += block.trades

    async def write(self, frames: bytes) -> None:
        """Send frames as they are as soon as the reader has room for them."""
        assert self._reader is not None
        self._reader.transport.write(frames)
        await self._reader.drain()

    async def _converse(self, reader: ServerConnection) -> None:
        self._reader, self._channels = reader, {}
        await reader.send(msgpack.packb([{"T": "success", "msg": "connected"}]))
        try:
            async for data in reader:
                await reader.send(msgpack.packb([self._answer(msgpack.unpackb(data))]))
                async with self._changed:
                    self._changed.notify_all()
        except ConnectionClosed:
            return

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["action"] == "auth":
            return {"T": "success", "msg": "authenticated"}
        for channel, symbols in request.items():
            if channel != "action":
                held = self._channels.setdefault(channel, set())
                change = held.update if request["action"] == "subscribe" else held.difference_update
                change(symbols)
        return {"T": "subscription", **{name: sorted(s) for name, s in self._channels.items()}}

    def _rest(self, reader: ServerConnection, request: Request) -> Response | None:
        """Answer plain HTTP; return None to admit a WebSocket."""
        if "Upgrade" in request.headers:
            return None
        url = urlsplit(request.path)
        found = self._found(url.path, parse_qs(url.query))
        return reader.respond(HTTPStatus.OK, msgspec.json.encode(found).decode())

    def _found(self, path: str, query: Query) -> object:
        match path.rpartition("/")[2]:
            case "clock":
                return hours.clock(_HOURS, datetime.now(UTC))
            case "calendar":
                start, end = (date.fromisoformat(query[name][0][:10]) for name in ("start", "end"))
                return list(hours.calendar(_HOURS, start, end))
            case "positions" | "orders":
                return []
            case "account":
                return {"cash": "0"}
            case "bars":
                return self._bars(query)
            case _:
                return {}
