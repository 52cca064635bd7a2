"""A stand-in for Alpaca that sends prepared frames as fast as they are read."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import msgpack
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from bench.tape_frames import Block, Stamp
from simulator.tape import hours

SUBSCRIBED_SECONDS = 30.0

_HOURS = hours.AlwaysOpen()


class Feeder:
    """``async with``: a server for one reader on a port of loopback.

    It supports Alpaca's handshake and subscriptions, and the REST calls for an account with no
    positions and a market that is always open and has no data.
    """

    def __init__(self) -> None:
        self.sent = 0
        self._stamp = Stamp()
        self._server: Server | None = None
        self._reader: ServerConnection | None = None
        self._channels: dict[str, set[str]] = {}
        self._changed = asyncio.Condition()

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._converse, "127.0.0.1", 0, process_request=_rest, compression=None
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

    async def subscribed(self, symbols: Sequence[str]) -> None:
        """Wait until the reader has subscribed to the trades of all these symbols.

        Raises:
            TimeoutError: it has not.
        """
        async with asyncio.timeout(SUBSCRIBED_SECONDS), self._changed:
            await self._changed.wait_for(
                lambda: self._channels.get("trades", set()).issuperset(symbols)
            )

    async def send(self, block: Block) -> None:
        """Send a block with new ids and times as soon as the reader has room for it."""
        assert self._reader is not None
        self._reader.transport.write(self._stamp.put(block.data, block.places))
        self.sent += block.trades
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


def _rest(reader: ServerConnection, request: Request) -> Response | None:
    """Answer plain HTTP; return None to admit a WebSocket."""
    if "Upgrade" in request.headers:
        return None
    url = urlsplit(request.path)
    return reader.respond(HTTPStatus.OK, json.dumps(_found(url.path, parse_qs(url.query))))


def _found(path: str, query: Mapping[str, Sequence[str]]) -> object:
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
            return {"bars": {}, "next_page_token": None}
        case _:
            return {}
