"""Captures written line by line, as ``docs/simulator.md`` describes them."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import msgpack
from websockets.asyncio.client import ClientConnection, connect

from simulator.capture.settings import CaptureSettings
from simulator.service import Simulator, SimulatorSettings
from tests.limits import LIMIT_SECONDS
from tests.services import until

AT = 1_796_000_000_000_000_000
"""Unix ns of the first line."""

HEADER = {"kind": "capture", "format": "tapecast-capture", "version": 1, "feed": "iex"}
WELCOME = [{"T": "success", "msg": "connected"}]
AUTHENTICATED = [{"T": "success", "msg": "authenticated"}]
AUTH = {"action": "auth", "key": "***", "secret": "***"}
SUBSCRIBE = {"action": "subscribe", "trades": ["SPY"]}
ACKNOWLEDGED = [{"T": "subscription", "trades": ["SPY"]}]
STOCKS = "/v2/iex"


def trade(number: int) -> list[dict[str, Any]]:
    """Return the messages of a frame with a numbered trade."""
    return [{"T": "t", "S": "SPY", "i": number, "p": 1.5}]


class Capture:
    """A capture under construction: ``seconds`` is the recorded time of the next line."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.lines: list[dict[str, Any]] = []
        self.add(**HEADER)

    def add(self, **fields: Any) -> Self:
        """Add a line, 10 ms after the one before."""
        at = {"at": AT + round(self.seconds * 1e9), "monotonic": round(self.seconds * 1e9)}
        self.lines.append(at | fields)
        self.seconds += 0.01
        return self

    def frame(
        self, kind: str, content: object, connection: int = 1, stream: str = "stocks"
    ) -> Self:
        """Add a frame: bytes as they are, text as text, anything else as msgpack."""
        given = content if isinstance(content, bytes | str) else msgpack.packb(content)
        shown = (
            {"text": given}
            if isinstance(given, str)
            else {"base64": base64.b64encode(given).decode()}
        )
        return self.add(kind=kind, stream=stream, connection=connection, **shown)

    def connect(self, connection: int = 1, path: str = STOCKS, stream: str = "stocks") -> Self:
        """Add the opening of a connection."""
        return self.add(kind="connect", stream=stream, connection=connection, path=path)

    def session(
        self, *frames: object, connection: int = 1, path: str = STOCKS, stream: str = "stocks"
    ) -> Self:
        """Add a connection that subscribes and gets frames."""
        self.connect(connection, path, stream)
        for kind, content in (
            ("received", WELCOME),
            ("sent", AUTH),
            ("received", AUTHENTICATED),
            ("sent", SUBSCRIBE),
            ("received", ACKNOWLEDGED),
            *(("received", each) for each in frames),
        ):
            self.frame(kind, content, connection, stream)
        return self

    def end(self, connection: int = 1, by: str = "alpaca", code: int = 1006, **more: Any) -> Self:
        """Add the end of a connection."""
        return self.add(
            kind="end", stream="stocks", connection=connection, by=by, code=code, **more
        )

    def rest(self, path: str, body: object, status: int = 200, **more: Any) -> Self:
        """Add an exchange."""
        shown = {"method": "GET", "path": path, "status": status, "text": json.dumps(body)}
        return self.add(kind="rest", **(shown | more))

    def write(self, path: Path) -> Path:
        """Write it."""
        path.write_text("".join(json.dumps(line) + "\n" for line in self.lines))
        return path


@asynccontextmanager
async def replaying(
    capture: Capture,
    folder: Path,
    *,
    shift: Any = "none",
    patience: float = LIMIT_SECONDS,
    now: int | None = None,
) -> AsyncIterator[Simulator]:
    """Run a simulator with a capture, at a high speed unless times are moved.

    ``now``: what its clock shows, in unix ns, instead of the time.
    """
    replay = CaptureSettings(capture.write(folder / "capture.jsonl"), shift, patience)
    settings = SimulatorSettings(replay=replay, speed=1000 if shift == "none" else 1)
    clock = None if now is None else lambda: now
    async with Simulator(settings, clock=clock) as simulator:
        yield simulator


@asynccontextmanager
async def client_of(simulator: Simulator, path: str = STOCKS) -> AsyncIterator[ClientConnection]:
    """Connect to a stream."""
    async with connect(
        f"{simulator.stream_url}{path}", close_timeout=1, max_size=None
    ) as connection:
        yield connection


async def subscribe(client: ClientConnection) -> list[bytes | str]:
    """Sign in and subscribe; return the three answers."""
    answers = [await client.recv()]
    for request in (AUTH, SUBSCRIBE):
        await client.send(msgpack.packb(request))
        answers.append(await client.recv())
    return answers


async def received(client: ClientConnection, count: int) -> list[Any]:
    """Return the next frames, decoded."""
    return [msgpack.unpackb(await client.recv()) for _ in range(count)]


def state(simulator: Simulator) -> dict[str, Any]:
    """Return the replay's progress."""
    found: Any = simulator.state()["capture"]
    return dict(found)


async def until_waiting(simulator: Simulator, act: str | None) -> None:
    """Wait until the replay waits for an act of the client."""
    await until(lambda: state(simulator)["waits_for"] == act)


async def until_ended(simulator: Simulator) -> None:
    """Wait until the replay has come to the end."""
    await until(lambda: state(simulator)["has_ended"])
