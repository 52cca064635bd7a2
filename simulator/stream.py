"""The WebSocket side of a session: negotiation, reading, writing, timing out, closing, failing."""

import asyncio
from collections.abc import Sequence
from typing import Final

from starlette.types import Message as ASGIEvent
from starlette.websockets import WebSocket, WebSocketDisconnect

from simulator.armed import ArmedFaults, Fault
from simulator.endpoint import Endpoint
from simulator.outbox import Outbox
from simulator.session import Outcome, Session, Terms, refusal
from simulator.slots import Slots
from simulator.transport import protocol_of
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
        armed: ArmedFaults,
        outbox_bytes: int,
    ) -> None:
        self._websocket = websocket
        self._endpoint = endpoint
        self._terms = terms
        self._slots = slots
        self._armed = armed
        self.form = Format.of_content_type(websocket.headers.get("content-type", ""))
        self._session = Session(
            endpoint.feed, terms, lambda key: slots.claim(endpoint.feed.name, key)
        )
        self._outbox = Outbox(self.form, outbox_bytes)
        self._wake = asyncio.Event()
        self._close_code: int | None = None
        self._mute_until = float("-inf")

    @property
    def authenticated(self) -> bool:
        """Whether the session holds the endpoint's slot."""
        return self._session.authenticated

    def symbols(self, channel: str) -> list[str]:
        """Return the symbols of one of its channels."""
        return self._session.subscriptions.symbols(channel)

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
        if self._close_code is not None or self._is_mute():
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
            self._abort_later()

    def mute(self, seconds: float | None = None) -> None:
        """Send nothing and heed nothing from now on, for a while or for ever."""
        until = float("inf") if seconds is None else _now() + seconds
        self._mute_until = max(self._mute_until, until)

    def half_open(self) -> None:
        """Be mute on the level of TCP as well."""
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

    def refuse(self, code: int, *, close: bool | None = None) -> None:
        """Send an error of itself."""
        self._apply(refusal(code, close=close))

    def send(self, payload: bytes, *, text: bool) -> None:
        """Queue a whole frame, whatever it is."""
        if self._close_code is None and not self._is_mute():
            self._outbox.add_raw(payload, is_text=text)
            self._wake.set()

    async def _read(self, auth_timeout_seconds: float) -> bool:
        """Answer the client until it is gone; True if a WebSocket close was exchanged."""
        self._apply(self._greeting())
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
        if self._close_code is None and not self._is_mute():
            binary = event.get("bytes")
            raw = binary if binary is not None else event["text"].encode()
            try:
                self._apply(self._answer(decode(raw, self.form)))
            except UndecodableError:
                self._apply(refusal(400))
        return True

    def _greeting(self) -> Outcome:
        headers = self._websocket.headers
        key, secret = headers.get("apca-api-key-id"), headers.get("apca-api-secret-key")
        has_keys = key is not None or secret is not None
        fault = self._armed.take("auth", self._endpoint.feed.name) if has_keys else None
        if fault is None:
            return self._session.open(key, secret)
        self._apply(self._session.open())
        return self._failure(fault)

    def _answer(self, message: object) -> Outcome:
        fault = None
        match message:
            case {"action": "auth"} if not self.authenticated:
                fault = self._armed.take("auth", self._endpoint.feed.name)
            case {"action": "subscribe"} if self.authenticated:
                fault = self._armed.take("subscribe", self._endpoint.feed.name)
        return self._session.receive(message) if fault is None else self._failure(fault)

    def _failure(self, fault: Fault) -> Outcome:
        if fault.code is not None:
            return refusal(fault.code, close=fault.close)
        if fault.stage == "auth":
            self.mute()
        return Outcome()

    def _abort_later(self) -> None:
        transport = protocol_of(self._websocket).transport
        asyncio.get_running_loop().call_later(CLOSE_SECONDS, transport.abort)

    def _is_mute(self) -> bool:
        return _now() < self._mute_until

    def _apply(self, outcome: Outcome) -> None:
        if self._is_mute():
            return
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
            if frame.is_text:
                await self._websocket.send_text(frame.payload.decode())
            else:
                await self._websocket.send_bytes(frame.payload)
            self._endpoint.messages_sent += frame.data_messages


def _now() -> float:
    return asyncio.get_running_loop().time()
