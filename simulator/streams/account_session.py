"""A session on `/stream` as a pure state machine: a decoded client message in, an outcome out.

Source: docs.alpaca.markets/docs/websocket-streaming. Every official client authenticates in the
older of the two forms; the simulator accepts both.
"""

from collections.abc import Mapping
from typing import Final

from simulator.protocol.wire import Message
from simulator.streams.session import Outcome, Terms

TRADE_UPDATES: Final = "trade_updates"

_AUTH_FAILED: Final = 402
"""The code under which a rejection is counted; on this stream it has no number."""


class AccountSession:
    """From the opening to the end of one connection."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self.authenticated = False
        self.streams: list[str] = []

    def receive(self, message: object) -> Outcome:
        """Answer one decoded message of the client."""
        match message:
            case {"action": "authenticate", "data": {"key_id": key, "secret_key": secret}}:
                return self._authenticate(key, secret)
            case {"action": "auth", "key": key, "secret": secret}:
                return self._authenticate(key, secret)
            case {"action": "listen"} if not self.authenticated:
                return Outcome((_authorization("unauthorized", "listen"),))
            case {"action": "listen", "data": {"streams": list(streams)}}:
                self.streams = [TRADE_UPDATES] if TRADE_UPDATES in streams else []
                return Outcome(({"stream": "listening", "data": {"streams": self.streams}},))
        return failure(400, "invalid syntax")

    def wants(self, message: Message) -> bool:
        """Return whether this session gets a message."""
        return message["stream"] in self.streams

    def _authenticate(self, key: object, secret: object) -> Outcome:
        if (key, secret) != (self._terms.key, self._terms.secret):
            return unauthorized(_AUTH_FAILED)
        self.authenticated = True
        return Outcome((_authorization("authorized", "authenticate"),))


def unauthorized(code: int, *, close: bool | None = None) -> Outcome:
    """Return the answer to wrong keys, counted under a code, and the close that follows it."""
    text = "access key verification failed"
    reply = _authorization("unauthorized", "authenticate", message=text)
    return Outcome((reply,), close is not False, code)


def failure(code: int, text: str, *, close: bool | None = None) -> Outcome:
    """Return the message of a failure, counted under a code, and the close that follows it."""
    reply = {"action": "error", "data": {"error_message": text}}
    return Outcome((reply,), close is not False, code)


def nothing_listened() -> Outcome:
    """Return the answer to a `listen` whose streams Alpaca does not have.

    Source of the text: alpacahq/alpaca-trade-api-python #337.
    """
    data = {"streams": [], "error": "required stream is not found"}
    return Outcome(({"stream": "listening", "data": data},))


def _authorization(status: str, action: str, **more: str) -> Mapping[str, object]:
    return {"stream": "authorization", "data": {"status": status, "action": action, **more}}
