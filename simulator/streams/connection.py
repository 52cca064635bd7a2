"""One accepted WebSocket: reading, writing, timing out, closing, failing.

The subclasses define the protocol: `stream.py` for market data, `account_stream.py` for the
account's updates.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Final

from starlette.types import Message as ASGIEvent
from starlette.websockets import WebSocket, WebSocketDisconnect

from simulator.faults.armed import ArmedFaults, Fault, Stage
from simulator.protocol.endpoint import Endpoint
from simulator.protocol.wire import Format, Message, Outgoing
from simulator.streams.outbox import Outbox
from simulator.streams.session import Outcome
from simulator.streams.transport import protocol_of

CLOSE_SECONDS: Final = 2.0
"""The time in which a peer must accept our close before the connection is cut."""


class Connection(ABC):
    """A peer of one endpoint. `run` returns when the connection has ended."""

    def __init__(
        self,
        websocket: WebSocket,
        endpoint: Endpoint,
        armed: ArmedFaults,
        form: Format,
        outbox_bytes: int,
    ) -> None:
        self.form = form
        self._websocket = websocket
        self._endpoint = endpoint
        self._armed = armed
        self._outbox = Outbox(form, outbox_bytes)
        self._wake = asyncio.Event()
        self._close_code: int | None = None
        self._mute_until = float("-inf")
        self._is_counted = False

    @property
    @abstractmethod
    def authenticated(self) -> bool:
        """Whether the session is authenticated."""

    @abstractmethod
    def symbols(self, channel: str) -> list[str]:
        """Return its subscriptions on one of its channels."""

    @abstractmethod
    def offer(self, messages: Sequence[Outgoing]) -> None:
        """Queue the subscribed messages."""

    @abstractmethod
    def refuse(self, code: int, *, close: bool | None = None) -> None:
        """Send an error unprompted."""

    @abstractmethod
    def _greeting(self) -> Outcome:
        """Return the greeting."""

    @abstractmethod
    def _answer(self, raw: bytes) -> Outcome:
        """Return the response to a client's message."""

    @abstractmethod
    def _expiry(self) -> Outcome:
        """Return the response to a client that has not authenticated in time."""

    @abstractmethod
    def _queue(self, reply: Message) -> None:
        """Put a control message into the outbox."""

    @abstractmethod
    def _release(self, *, closed: bool) -> None:
        """Release the slot; `closed` is whether a WebSocket close was exchanged."""

    async def run(self, auth_timeout_seconds: float) -> None:
        """Serve the connection until either side ends it."""
        closed = False
        try:
            await self._websocket.accept()
            self._endpoint.attach(self)
            async with asyncio.TaskGroup() as tasks:
                writer = tasks.create_task(self._write())
                closed = await self._read(auth_timeout_seconds)
                writer.cancel()
        finally:
            self._endpoint.detach(self)
            self._release(closed=closed)

    def close(self, code: int) -> None:
        """Close after sending the queue; cut the connection if the peer does not read it."""
        if self._close_code is None:
            self._close_code = code
            self._wake.set()
            self._abort_later()

    def mute(self, seconds: float | None = None) -> None:
        """Send nothing and process nothing from now on, for a time or permanently."""
        until = float("inf") if seconds is None else _now() + seconds
        self._mute_until = max(self._mute_until, until)

    def half_open(self) -> None:
        """Be mute at the TCP level as well."""
        self.mute()
        self._outbox.clear()
        protocol_of(self._websocket).freeze()

    def cut(self, *, reset: bool) -> None:
        """End the TCP connection without a WebSocket close."""
        self.mute()
        self._outbox.clear()
        protocol = protocol_of(self._websocket)
        if reset:
            protocol.reset()
        else:
            protocol.transport.close()
            self._abort_later()

    def send(self, payload: bytes, *, text: bool) -> None:
        """Queue a whole frame of any content."""
        if self._heeds():
            self._outbox.add_raw(payload, is_text=text)
            self._wake.set()

    def _heeds(self) -> bool:
        """Return whether it still sends and processes messages."""
        return self._close_code is None and not self._is_mute()

    def _fault(self, stage: Stage) -> Fault | None:
        return self._armed.take(stage, self._endpoint.feed.name)

    def _apply(self, outcome: Outcome) -> None:
        if self._is_mute():
            return
        for reply in outcome.replies:
            self._queue(reply)
        if outcome.code is not None:
            self._endpoint.refused[outcome.code] += 1
        if self.authenticated and not self._is_counted:
            self._is_counted = True
            self._endpoint.authenticated()
        self._wake.set()
        if outcome.close:
            self.close(1000)

    async def _read(self, auth_timeout_seconds: float) -> bool:
        """Answer the client until it ends; return whether a WebSocket close was exchanged."""
        self._apply(self._greeting())
        try:
            # The timeout ends once the session is authenticated or rejected.
            async with asyncio.timeout(auth_timeout_seconds) as limit:
                while True:
                    if self.authenticated or self._close_code is not None:
                        limit.reschedule(None)
                    if not self._receive(event := await self._websocket.receive()):
                        break
        except TimeoutError:
            self._apply(self._expiry())
            while self._receive(event := await self._websocket.receive()):
                pass
        # uvicorn reports a lost connection as 1005, like a close that has no code. Only a close
        # frame, received or sent, also has a reason.
        return "reason" in event

    def _receive(self, event: ASGIEvent) -> bool:
        """Answer one event of the client; return False if it was the last."""
        if event["type"] != "websocket.receive":
            return False
        if self._heeds():
            binary = event.get("bytes")
            self._apply(self._answer(binary if binary is not None else event["text"].encode()))
        return True

    def _abort_later(self) -> None:
        transport = protocol_of(self._websocket).transport
        asyncio.get_running_loop().call_later(CLOSE_SECONDS, transport.abort)

    def _is_mute(self) -> bool:
        return _now() < self._mute_until

    async def _write(self) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                await self._flush()
                if self._close_code is not None:
                    await self._websocket.close(self._close_code)
                    return
        except WebSocketDisconnect:
            return  # the reader sees it too

    async def _flush(self) -> None:
        while (frame := self._outbox.take()) is not None:
            if frame.is_text:
                await self._websocket.send_text(frame.payload.decode())
            else:
                await self._websocket.send_bytes(frame.payload)
            self._endpoint.messages_sent += frame.data_messages


def _now() -> float:
    return asyncio.get_running_loop().time()
