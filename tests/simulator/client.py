"""A plain WebSocket client in either format, as the tests need it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Self, cast

import msgpack
from websockets.asyncio.client import ClientConnection, connect

from simulator import DEFAULT_KEY, DEFAULT_SECRET
from simulator.protocol.wire import Format
from simulator.service import Simulator, SimulatorSettings
from tests.limits import LIMIT_SECONDS

KEYS = {"APCA-API-KEY-ID": DEFAULT_KEY, "APCA-API-SECRET-KEY": DEFAULT_SECRET}
Frame = list[dict[str, Any]]


class StreamClient:
    """Sends and receives decoded messages."""

    def __init__(self, connection: ClientConnection, form: Format) -> None:
        self.connection = connection
        self._form = form

    async def send(self, message: object, *, fragments: int = 1) -> None:
        raw: str | bytes
        raw = json.dumps(message) if self._form is Format.JSON else msgpack.packb(message)
        if fragments == 1:
            await self.connection.send(raw)
            return
        step = max(1, len(raw) // fragments)
        await self.connection.send([raw[at : at + step] for at in range(0, len(raw), step)])

    async def receive(self) -> Frame:
        raw = await self.connection.recv()
        assert isinstance(raw, str) == (self._form is Format.JSON)
        return cast("Frame", json.loads(raw) if isinstance(raw, str) else msgpack.unpackb(raw))

    async def receive_data(self, count: int) -> Frame:
        """Wait for that many data messages, over any number of frames."""
        received: Frame = []
        while len(received) < count:
            received += await self.receive()
        return received

    async def ask(self, message: object) -> dict[str, Any]:
        """Send, and return the control message that answers."""
        await self.send(message)
        return await self.control()

    async def control(self) -> dict[str, Any]:
        while (frame := await self.receive())[0]["T"] not in {"success", "error", "subscription"}:
            pass
        assert len(frame) == 1
        return frame[0]

    async def sign_in(self) -> Self:
        assert await self.control() == {"T": "success", "msg": "connected"}
        answer = await self.ask({"action": "auth", "key": DEFAULT_KEY, "secret": DEFAULT_SECRET})
        assert answer == {"T": "success", "msg": "authenticated"}
        return self


async def until(condition: Callable[[], bool]) -> None:
    """Poll, with a time limit, for a condition that has no event."""
    async with asyncio.timeout(LIMIT_SECONDS):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def endpoint_state(simulator: Simulator, feed: str = "iex") -> dict[str, Any]:
    """Return what the simulator counts of one endpoint."""
    return cast("dict[str, dict[str, Any]]", simulator.state()["endpoints"])[feed]


@asynccontextmanager
async def open_stream(
    simulator: Simulator,
    feed: str = "iex",
    form: Format = Format.MSGPACK,
    headers: dict[str, str] | None = None,
    **options: Any,
) -> AsyncIterator[StreamClient]:
    """Connect without signing in."""
    sent = {"Content-Type": form.value} | (headers or {})
    paths = {one.name: one.path for one in SimulatorSettings().feeds}
    url = simulator.stream_url + paths.get(feed, f"/v2/{feed}")
    async with connect(url, additional_headers=sent, close_timeout=1, **options) as connection:
        yield StreamClient(connection, form)
