"""The WebSocket side of `/stream`: JSON text in binary frames, as Alpaca's paper host sends it."""

from collections.abc import Sequence

import msgspec
from starlette.websockets import WebSocket

from simulator.faults.armed import ArmedFaults
from simulator.protocol.endpoint import Endpoint
from simulator.protocol.wire import Format, Message, Outgoing, UndecodableError, decode
from simulator.streams.account_session import (
    AccountSession,
    failure,
    nothing_listened,
    unauthorized,
)
from simulator.streams.connection import Connection
from simulator.streams.session import ERRORS, Outcome, Terms
from simulator.streams.slots import Slots

_AUTH_TIMEOUT = 404


class AccountConnection(Connection):
    """A client of `/stream`; it holds the slot until it ends."""

    def __init__(
        self,
        websocket: WebSocket,
        endpoint: Endpoint,
        terms: Terms,
        slots: Slots,
        armed: ArmedFaults,
        outbox_bytes: int,
    ) -> None:
        super().__init__(websocket, endpoint, armed, Format.JSON, outbox_bytes)
        self._terms = terms
        self._slots = slots
        self._session = AccountSession(terms)

    @property
    def authenticated(self) -> bool:
        """Whether the keys were right."""
        return self._session.authenticated

    def symbols(self, channel: str) -> list[str]:
        """Return the streams that it listens to; this endpoint has no symbols."""
        return self._session.streams if channel == "streams" else []

    def offer(self, messages: Sequence[Outgoing]) -> None:
        """Queue the updates, one per frame."""
        for outgoing in messages:
            if self._heeds() and self._session.wants(outgoing.message):
                self._outbox.add_update(msgspec.json.encode(outgoing.message))
        self._wake.set()

    def refuse(self, code: int, *, close: bool | None = None) -> None:
        """Send an error message unprompted."""
        self._apply(_failure(code, close=close))

    def _greeting(self) -> Outcome:
        return Outcome()

    def _answer(self, raw: bytes) -> Outcome:
        try:
            message = decode(raw, self.form)
        except UndecodableError:
            return _failure(400)
        match message:
            case {"action": "authenticate" | "auth"} if fault := self._fault("auth"):
                if fault.code is not None:
                    return unauthorized(fault.code, close=fault.close)
                self.mute()
                return Outcome()
            case {"action": "listen"} if self.authenticated and (fault := self._fault("subscribe")):
                if fault.name == "no_streams":
                    return nothing_listened()
                return Outcome() if fault.code is None else _failure(fault.code, close=fault.close)
        return self._session.receive(message)

    def _expiry(self) -> Outcome:
        return _failure(_AUTH_TIMEOUT)

    def _queue(self, reply: Message) -> None:
        self._outbox.add_raw(msgspec.json.encode(reply), is_text=False)

    def _release(self, *, closed: bool) -> None:
        self._slots.release(self._endpoint.feed.name, self._terms.key, closed=closed)


def _failure(code: int, *, close: bool | None = None) -> Outcome:
    return failure(code, ERRORS.get(code, f"error {code}"), close=close)
