"""The WebSocket side of a session: negotiation, reading, writing, timing out, closing."""

import asyncio
from collections.abc import Sequence
from typing import Final

from starlette.types import Message as ASGIEvent
from starlette.websockets import WebSocket, WebSocketDisconnect

from simulator.endpoint import Endpoint
from simulator.outbox import Outbox
from simulator.session import Outcome, Session, Terms, refusal
from simulator.slots import Slots
from simulator.transport import transport_of
from simulator.wire import Format, Outgoing, UndecodableError, decode

CLOSE_SECONDS: Final = 2.0
"""How long a peer may take to accept our close before the connection is cut."""


class Connection:
    """One accepted WebSocket. `run` returns when it has ended."""

    def __init__(
        self,
        websocket: WebSocket,
        endpoint: Endpoint,
        terms: Terms,
        slots: Slots,
        outbox_bytes: int,
    ) -> None:
        self._websocket = websocket
        self._endpoint = endpoint
        self._terms = terms
        self._slots = slots
        self._form = Format.of_content_type(websocket.headers.get("content-type", ""))
        self._session = Session(
            endpoint.feed, terms, lambda key: slots.claim(endpoint.feed.name, key)
        )
        self._outbox = Outbox(self._form, outbox_bytes)
        self._wake = asyncio.Event()
        self._close_code: int | None = None

    @property
    def authenticated(self) -> bool:
        """Whether the session holds the endpoint's slot."""
        return self._session.authenticated

    @property
    def trades(self) -> list[str]:
        """The symbols of the trades channel."""
        return self._session.subscriptions.symbols("trades")

    async def run(self, auth_timeout_seconds: float) -> None:
        """Serve the connection until either side ends it."""
        await self._websocket.accept()
        self._endpoint.attach(self)
        closed = False
        try:
            async with asyncio.TaskGroup() as tasks:
                writer = tasks.create_task(self._write())
                closed = await self._read(auth_timeout_seconds)
                writer.cancel()
        finally:
            self._endpoint.detach(self)
            if self._session.authenticated:
                self._slots.release(self._endpoint.feed.name, self._terms.key, closed=closed)

    def offer(self, messages: Sequence[Outgoing]) -> None:
        """Queue what is subscribed; a client that is too far behind gets 407 and the end."""
        if self._close_code is not None:
            return
        for message in messages:
            if self._session.wants(message.message) and not self._outbox.add_data(message):
                self._outbox.clear()
                self._apply(refusal(407))
                return
        self._wake.set()

    def close(self, code: int) -> None:
        """Close after what is queued; cut a peer that does not let that happen."""
        if self._close_code is None:
            self._close_code = code
            self._wake.set()
            transport = transport_of(self._websocket)
            asyncio.get_running_loop().call_later(CLOSE_SECONDS, transport.abort)

    async def _read(self, auth_timeout_seconds: float) -> bool:
        """Answer the client until it is gone; True if a WebSocket close was exchanged."""
        headers = self._websocket.headers
        self._apply(
            self._session.open(headers.get("apca-api-key-id"), headers.get("apca-api-secret-key"))
        )
        try:
            # Once the session is let in or refused, there is nothing left to time out.
            async with asyncio.timeout(auth_timeout_seconds) as limit:
                while True:
                    if self.authenticated or self._close_code is not None:
                        limit.reschedule(None)
                    if not self._receive(event := await self._websocket.receive()):
                        break
        except TimeoutError:
            self._apply(refusal(404))
            while self._receive(event := await self._websocket.receive()):
                pass
        # uvicorn reports a lost connection as 1005, like a close without a code, but only
        # what came in a close frame (or went out in ours) has a reason beside it.
        return "reason" in event

    def _receive(self, event: ASGIEvent) -> bool:
        """Answer one event of the client; False if it was the last."""
        if event["type"] != "websocket.receive":
            return False
        if self._close_code is None:
            binary = event.get("bytes")
            raw = binary if binary is not None else event["text"].encode()
            try:
                self._apply(self._session.receive(decode(raw, self._form)))
            except UndecodableError:
                self._apply(refusal(400))
        return True

    def _apply(self, outcome: Outcome) -> None:
        for reply in outcome.replies:
            self._outbox.add_control(reply)
            code = reply.get("code")
            if isinstance(code, int):
                self._endpoint.refused[code] += 1
            elif reply.get("msg") == "authenticated":
                self._endpoint.authenticated()
        self._wake.set()
        if outcome.close:
            self.close(1000)

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
            if self._form is Format.JSON:
                await self._websocket.send_text(frame.payload.decode())
            else:
                await self._websocket.send_bytes(frame.payload)
            self._endpoint.messages_sent += frame.data_messages
