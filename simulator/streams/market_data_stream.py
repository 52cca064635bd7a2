"""The WebSocket side of a market-data session: its format, its greeting, its errors."""

from collections.abc import Sequence
from dataclasses import replace

from starlette.websockets import WebSocket

from simulator.faults.armed import ArmedFaults, Fault
from simulator.protocol.endpoint import Endpoint
from simulator.protocol.wire import Format, Message, Outgoing, UndecodableError, decode
from simulator.streams.connection import Connection
from simulator.streams.session import Outcome, Session, Terms, refusal
from simulator.streams.slots import Slots


class MarketDataConnection(Connection):
    """A client of a market-data endpoint such as `/v2/iex`, in the format that it requested."""

    def __init__(
        self,
        websocket: WebSocket,
        endpoint: Endpoint,
        terms: Terms,
        slots: Slots,
        armed: ArmedFaults,
        outbox_bytes: int,
    ) -> None:
        form = Format.of_content_type(websocket.headers.get("content-type", ""))
        super().__init__(websocket, endpoint, armed, form, outbox_bytes)
        self._terms = terms
        self._slots = slots
        self._session = Session(
            endpoint.feed, terms, lambda key: slots.claim(endpoint.feed.name, key)
        )

    @property
    def authenticated(self) -> bool:
        """Whether the session holds the endpoint's slot."""
        return self._session.authenticated

    def symbols(self, channel: str) -> list[str]:
        """Return the symbols of one of its channels."""
        return self._session.subscriptions.symbols(channel)

    def offer(self, messages: Sequence[Outgoing]) -> None:
        """Queue the subscribed messages; a client that is too far behind gets 407 and is closed."""
        if not self._heeds():
            return
        withheld = self._endpoint.withheld
        for message in messages:
            if message.message.get("S") in withheld:
                continue
            if self._session.wants(message.message) and not self._outbox.add_data(message):
                self._outbox.clear()
                self._apply(refusal(407))
                return
        self._wake.set()

    def refuse(self, code: int, *, close: bool | None = None) -> None:
        """Send an error unprompted."""
        self._apply(refusal(code, close=close))

    def _greeting(self) -> Outcome:
        headers = self._websocket.headers
        key, secret = headers.get("apca-api-key-id"), headers.get("apca-api-secret-key")
        has_keys = key is not None or secret is not None
        if has_keys and self._has_wrong_format:
            self._apply(self._session.open())
            return refusal(412)
        fault = self._fault("auth") if has_keys else None
        if fault is None:
            return self._session.open(key, secret)
        self._apply(self._session.open())
        return self._failure(fault)

    @property
    def _has_wrong_format(self) -> bool:
        return self._endpoint.feed.is_msgpack_only and self.form is not Format.MSGPACK

    def _answer(self, raw: bytes) -> Outcome:
        if self._has_wrong_format:
            return refusal(412)
        try:
            message = decode(raw, self.form)
        except UndecodableError:
            return refusal(400)
        fault = None
        match message:
            case {"action": "auth"} if not self.authenticated:
                fault = self._fault("auth")
            case {"action": "subscribe"} if self.authenticated:
                fault = self._fault("subscribe")
        if fault is not None:
            return self._failure(fault)
        trades, books = self._subscribed()
        self._session.counts_bars = self._endpoint.counts_bars
        outcome = self._session.receive(message)
        trades_now, books_now = self._subscribed()
        self._endpoint.withheld.on_subscribed((trades_now - trades) | (books_now - books))
        return replace(outcome, data=tuple(self._endpoint.whole_books(books_now, books)))

    def _subscribed(self) -> tuple[set[str], set[str]]:
        return set(self.symbols("trades")), set(self.symbols("orderbooks"))

    def _apply(self, outcome: Outcome) -> None:
        super()._apply(outcome)
        if outcome.data:
            self.offer(outcome.data)
        # After the acknowledgement, so that no data come before it.
        self._endpoint.on_subscriptions()

    def _failure(self, fault: Fault) -> Outcome:
        if fault.code is not None:
            return refusal(fault.code, close=fault.close)
        if fault.stage == "auth":
            self.mute()
        return Outcome()

    def _expiry(self) -> Outcome:
        return refusal(404)

    def _queue(self, reply: Message) -> None:
        self._outbox.add_control(reply)

    def _release(self, *, closed: bool) -> None:
        if self._session.authenticated:
            self._slots.release(self._endpoint.feed.name, self._terms.key, closed=closed)
