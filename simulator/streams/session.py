"""One stream session as a pure state machine: a decoded client message in, an outcome out.

It knows no socket, clock or encoding. Decisions of the outside are passed in: `claim` returns
whether the endpoint's one connection is free for a key.
Source: docs.alpaca.markets/docs/streaming-market-data. It does not document which errors close the
connection; here 402, 404 and 407 do. After 406 and 409 Alpaca has been observed to keep it open for
its ten seconds (2026-09, feed iex), and to accept the keys on it once the slot is free. Nor is it
documented when 412 comes; here the client's first message is answered with it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from simulator.protocol.subscription import Feed, RefusedError, Subscriptions, requested_channels
from simulator.protocol.wire import Message, Outgoing

ERRORS: Final[Mapping[int, str]] = {
    400: "invalid syntax",
    401: "not authenticated",
    402: "auth failed",
    403: "already authenticated",
    404: "auth timeout",
    405: "symbol limit exceeded",
    406: "connection limit exceeded",
    407: "slow client",
    408: "v2 not enabled",
    409: "insufficient subscription",
    410: "invalid subscribe action for this feed",
    411: "insufficient scope",
    412: "option messages are only available in MsgPack format",
    413: "star subscription is not allowed for option quotes",
    500: "internal error",
}
"""Alpaca's error codes and their texts."""

CLOSING: Final = frozenset({402, 404, 407})
"""The errors after which the connection is closed."""


@dataclass(frozen=True)
class Terms:
    """One user: a key pair, a plan, and its limit on symbols (None = no limit)."""

    key: str
    secret: str
    plan: str
    symbol_limit: int | None


@dataclass(frozen=True)
class Outcome:
    """The outcome of an input: control messages to send, and whether to close after them.

    `code` is that of the error among them. `data` are the market's messages that follow.
    """

    replies: tuple[Message, ...] = ()
    close: bool = False
    code: int | None = None
    data: tuple[Outgoing, ...] = ()


class Session:
    """One connection, from `connected` to its end."""

    def __init__(self, feed: Feed, terms: Terms, claim: Callable[[str], bool]) -> None:
        self._feed = feed
        self._terms = terms
        self._claim = claim
        limit = terms.symbol_limit if feed.symbol_limit == "plan" else feed.symbol_limit
        self.subscriptions = Subscriptions(feed, limit)
        self.authenticated = False
        self.counts_bars = False
        """Whether symbols of the channels of bars count against the plan's limit."""

    def open(self, key: str | None = None, secret: str | None = None) -> Outcome:
        """Greet; if the handshake's headers have credentials, authenticate with them."""
        greeting = success("connected")
        if key is None and secret is None:
            return Outcome((greeting,))
        outcome = self._authenticate(key, secret)
        return Outcome((greeting, *outcome.replies), outcome.close, outcome.code)

    def receive(self, message: object) -> Outcome:
        """Answer one decoded message of the client."""
        try:
            return self._answer(message)
        except RefusedError as refused:
            return refusal(refused.code)

    def wants(self, message: Message) -> bool:
        """Return whether this session gets a data message."""
        if not self.authenticated:
            return False
        kind = message["T"]
        if kind == "n":  # an article is about any number of symbols, even none
            symbols = message.get("symbols")
            return self.subscriptions.wants(kind, *(symbols if isinstance(symbols, list) else ()))
        return self.subscriptions.wants(kind, message.get("S"))

    def _answer(self, message: object) -> Outcome:
        if not isinstance(message, dict):
            raise RefusedError(400)
        match message.get("action"):
            case "auth":
                return self._authenticate(message.get("key"), message.get("secret"))
            case "subscribe":
                self.subscriptions.add(self._request(message), counts_bars=self.counts_bars)
            case "unsubscribe":
                self.subscriptions.remove(self._request(message))
            case _:
                raise RefusedError(400)
        return Outcome((self.subscriptions.acknowledgement(),))

    def _request(self, message: Mapping[object, object]) -> dict[str, list[str]]:
        if not self.authenticated:
            raise RefusedError(401)
        return requested_channels(message, self._feed)

    def _authenticate(self, key: object, secret: object) -> Outcome:
        if self.authenticated:
            return refusal(403)
        if not isinstance(key, str) or not isinstance(secret, str):
            return refusal(400)
        if (key, secret) != (self._terms.key, self._terms.secret):
            return refusal(402)
        if self._terms.plan not in self._feed.plans:
            return refusal(409)
        if not self._claim(key):
            return refusal(406)
        self.authenticated = True
        return Outcome((success("authenticated"),))


def success(text: str) -> Message:
    """Return a `success` control message."""
    return {"T": "success", "msg": text}


def refusal(code: int, *, close: bool | None = None) -> Outcome:
    """Return the error message for a code, and the close that follows some of them.

    `close` decides on the close instead, if it is given.
    """
    message = {"T": "error", "code": code, "msg": ERRORS.get(code, f"error {code}")}
    return Outcome((message,), code in CLOSING if close is None else close, code)
