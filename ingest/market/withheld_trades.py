"""Symbols whose trades the stream withholds, by two witnesses: REST's newer trade, and silence.

Alpaca's stream may stop to bring single symbols while it serves the others, with no error
(https://forum.alpaca.markets/t/17587, https://github.com/alpacahq/alpaca-trade-api-csharp/issues/763).
Nothing on the connection shows that: such a symbol looks quiet. So each answer of REST is compared
with the trades that the *stream* brought. Pure; the looks come once a second.
"""

import math
from collections.abc import Callable, Set
from dataclasses import dataclass

OWED_LOOKS = 5
"""The looks for which the stream may still bring a trade that REST shows. Looks and not seconds:
while this process is stopped, the stream waits with it."""

OVERTAKEN_LOOKS = 2
OVERTAKEN_NS = 5_000_000_000
"""Fewer looks are enough if the stream has brought trades of other symbols, newer by this."""

BEHIND_LOOKS = 15
"""The same if the stream moves and is not as far as the trade: it may only be late."""

CLOCKS_NS = 2_000_000_000
"""The difference of the exchange's clock and ours, and the time that a trade is on its way."""

ROUNDING_NS = 1_000
"""Times in seconds are rounded by less."""

SETTLE_SECONDS = 5.0
"""The time after a renewed subscription in which its first trades arrive."""

FIRST_RENEWAL_SECONDS, LONGEST_RENEWAL_SECONDS = 30.0, 600.0
"""The wait after a symbol's first renewal doubles with each one, up to this."""


@dataclass
class _Subscribed:
    """A symbol on the stream. Times are unix ns, ``at`` is monotonic seconds."""

    at: float
    due_after_ns: int
    """Until the stream has brought a trade, it owes those after this time."""
    streamed_ns: int
    """The time of the newest trade that the stream brought before."""
    awaits_answer: bool
    """No trade of it was known: REST's first answer is the start."""


@dataclass
class _Owed:
    """Trades of a symbol that REST has shown and the stream has not brought. Times are unix ns."""

    first_ns: int
    newest_ns: int
    stream_ns: int
    """The stream's newest trade of any symbol at REST's answer."""
    looks: int = 0


@dataclass
class _Withheld:
    """A withheld symbol. Times are unix ns."""

    streamed_ns: int
    """The time of its newest streamed trade when it was found. A newer one ends it."""
    owed_ns: int
    """The time of the newest trade that proves it."""
    rest_ns: int
    """The time of the newest trade that REST has shown."""
    fetched_ns: int
    """The time up to which the prints have been fetched, or their loss announced. A snapshot may
    show a newer trade, and none of those before it."""


class _Renewals:
    """The renewals of a symbol's subscription. Times are monotonic seconds."""

    def __init__(self) -> None:
        self.count = 0
        self.next_at = 0.0

    def count_one(self, now: float) -> None:
        wait = FIRST_RENEWAL_SECONDS * 2.0**self.count
        self.count += 1
        self.next_at = now + min(wait, LONGEST_RENEWAL_SECONDS)


class WithheldTrades:
    """Compares REST with the stream, symbol by symbol.

    ``streamed_ns`` returns the time of the newest trade that the stream brought of a symbol (-1 if
    none), ``known_ns`` that of the newest trade from any source, and ``newest_streamed_ns`` that of
    the trade, of any symbol, that the stream brought last. Exchange times are unix nanoseconds.
    ``delay_ns`` is that of the feed: a delayed one owes trades that are older than their arrival.
    """

    def __init__(
        self,
        *,
        streamed_ns: Callable[[str], int],
        known_ns: Callable[[str], int | None],
        newest_streamed_ns: Callable[[], int],
        delay_ns: int = 0,
    ) -> None:
        self._delay_ns = delay_ns
        self._streamed_ns = streamed_ns
        self._known_ns = known_ns
        self._newest_streamed_ns = newest_streamed_ns
        self._subscribed: dict[str, _Subscribed] = {}
        self._owed: dict[str, _Owed] = {}
        self._withheld: dict[str, _Withheld] = {}
        self._renewals: dict[str, _Renewals] = {}
        self._found: dict[str, float] = {}
        self._ended: dict[str, float] = {}

    @property
    def symbols(self) -> Set[str]:
        """The symbols whose trades the stream withholds."""
        return self._withheld.keys()

    @property
    def lasting(self) -> Set[str]:
        """Those that remained withheld although they were subscribed again."""
        return {s for s in self._withheld if (found := self._renewals.get(s)) and found.count > 1}

    @property
    def disputed(self) -> Set[str]:
        """The symbols of which REST has shown a trade that the stream may still bring."""
        return self._owed.keys()

    def on_subscribed(self, symbols: Set[str], now_ns: int, monotonic: float) -> None:
        """Accept all the symbols that the stream brings now. ``now_ns`` is our clock."""
        for symbol in self._subscribed.keys() - symbols:
            # A withheld symbol that is being subscribed again remains withheld.
            del self._subscribed[symbol]
            self._owed.pop(symbol, None)
        for symbol in symbols - self._subscribed.keys():
            known_ns = self._known_ns(symbol)
            self._subscribed[symbol] = _Subscribed(
                at=monotonic,
                # Both, because our clock may be wrong, and the newest known trade may be old.
                due_after_ns=max(now_ns - self._delay_ns + CLOCKS_NS, known_ns or 0),
                streamed_ns=self._streamed_ns(symbol),
                awaits_answer=known_ns is None,
            )

    def on_stream_lost(self) -> dict[str, float]:
        """Forget all that the connection owed; return the symbols of which it owed trades.

        Each with the time (unix s) since which its prints are missing: longer than the connection.
        Withheld symbols remain so until the next connection brings one, or REST has no newer trade.
        """
        owed = {symbol: self._owed_since(symbol) for symbol in self._owed}
        lost = owed | self._ended | self.missing_since() | self._found
        self._subscribed.clear()
        self._owed.clear()
        # The next connection may withhold them too. A trade that it brings before anything shows
        # that would hide the ones since the connection was lost.
        self._found.clear()
        self._ended.clear()
        return lost

    def brought_until(self, symbol: str) -> float:
        """Return the time (unix s) since which the stream has brought nothing of a symbol.

        Infinite if it is not subscribed.
        """
        return self._owed_since(symbol) if symbol in self._subscribed else math.inf

    def on_fetched(self, symbol: str, since_ns: int, newest_ns: int) -> None:
        """Note that REST has returned the prints of a symbol from one time to another."""
        withheld = self._withheld.get(symbol)
        # An answer about a later time leaves a hole before it.
        if withheld is not None and since_ns <= withheld.fetched_ns + ROUNDING_NS:
            withheld.fetched_ns = max(withheld.fetched_ns, newest_ns)

    def on_unrepairable(self, symbol: str) -> None:
        """Note that the loss of the prints that REST has shown is announced."""
        withheld = self._withheld.get(symbol)
        if withheld is not None:
            withheld.fetched_ns = max(withheld.fetched_ns, withheld.rest_ns)

    def on_rest(self, symbol: str, traded_ns: int | None, asked_at: float) -> None:
        """Compare REST's newest trade of a symbol with the stream; None if REST has none.

        ``asked_at``: monotonic seconds of the question.
        """
        subscribed = self._subscribed.get(symbol)
        if subscribed is None:
            return
        if subscribed.awaits_answer:
            subscribed.awaits_answer = False
            subscribed.due_after_ns = max(subscribed.due_after_ns, traded_ns or 0)
        withheld = self._withheld.get(symbol)
        if withheld is not None:
            withheld.rest_ns = max(withheld.rest_ns, traded_ns or 0)
        if traded_ns is not None and traded_ns > self._brought_ns(symbol, subscribed):
            self._owe(symbol, traded_ns)
        # The renewed subscription lacks no trade: the stream had lost single prints.
        elif (
            withheld is not None
            and withheld.owed_ns <= subscribed.due_after_ns
            and asked_at > subscribed.at + SETTLE_SECONDS
        ):
            self._end(symbol, withheld)

    def look(self) -> None:
        """Count a look, find withheld symbols, and end those that the stream brings again.

        To be called once a second.
        """
        for symbol, owed in list(self._owed.items()):
            streamed_ns = self._streamed_ns(symbol)
            if streamed_ns >= owed.newest_ns:
                del self._owed[symbol]
                continue
            # The stream follows REST at a distance: only a newer trade is owed.
            if streamed_ns >= owed.first_ns:
                stream_ns = self._newest_streamed_ns()
                self._owed[symbol] = _Owed(owed.newest_ns, owed.newest_ns, stream_ns)
                continue
            owed.looks += 1
            if self._is_withheld(owed):
                self._find(symbol, owed)
        for symbol, withheld in list(self._withheld.items()):
            if self._streamed_ns(symbol) > withheld.streamed_ns:
                self._renewals.pop(symbol, None)
                self._end(symbol, withheld)

    def take_found(self) -> dict[str, float]:
        """Return, once, new withheld symbols: prints since a time (unix s) may be missing."""
        found, self._found = self._found, {}
        return found

    def take_ended(self) -> dict[str, float]:
        """Return, once, symbols that the stream brings again, as ``take_found`` does."""
        ended, self._ended = self._ended, {}
        return ended

    def missing_since(self) -> dict[str, float]:
        """Return, for each withheld symbol, the time (unix s) since which prints are missing."""
        return {
            symbol: self._received_at(each.fetched_ns) for symbol, each in self._withheld.items()
        }

    def take_renewals(self, now: float) -> list[str]:
        """Return, once each, symbols to subscribe again now; ``now`` is monotonic seconds."""
        due = []
        for symbol, withheld in self._withheld.items():
            # On a connection that brings nothing, a new subscription is no remedy.
            lives = self._newest_streamed_ns() > withheld.owed_ns
            renewals = self._renewals.setdefault(symbol, _Renewals())
            # Single prints that were lost hours apart do not belong together.
            if now >= renewals.next_at + LONGEST_RENEWAL_SECONDS:
                renewals.count = 0
            if symbol in self._subscribed and lives and now >= renewals.next_at:
                renewals.count_one(now)
                due.append(symbol)
        return due

    def forget_others(self, wanted: Set[str]) -> None:
        """Forget the symbols that no client wants."""
        for left in (self._withheld, self._renewals, self._found, self._ended):
            for symbol in left.keys() - wanted:
                del left[symbol]

    def _brought_ns(self, symbol: str, subscribed: _Subscribed) -> int:
        """Return the time up to which the stream has brought all trades, as far as is known."""
        streamed_ns = self._streamed_ns(symbol)
        # A trade from before the subscription was never due.
        has_brought = streamed_ns > subscribed.streamed_ns
        return streamed_ns if has_brought else max(streamed_ns, subscribed.due_after_ns)

    def _owe(self, symbol: str, traded_ns: int) -> None:
        owed = self._owed.get(symbol)
        if owed is None:
            self._owed[symbol] = _Owed(traded_ns, traded_ns, self._newest_streamed_ns())
        # Counted from the first of them: each answer about a busy symbol shows a newer one.
        else:
            owed.newest_ns = max(owed.newest_ns, traded_ns)

    def _is_withheld(self, owed: _Owed) -> bool:
        stream_ns = self._newest_streamed_ns()
        if stream_ns >= owed.first_ns + OVERTAKEN_NS:
            return owed.looks >= OVERTAKEN_LOOKS
        # A stream that brings nothing at all is not behind: ``stream_silence`` judges it.
        is_behind = owed.stream_ns != stream_ns < owed.first_ns
        return owed.looks >= (BEHIND_LOOKS if is_behind else OWED_LOOKS)

    def _find(self, symbol: str, owed: _Owed) -> None:
        del self._owed[symbol]
        known = self._withheld.get(symbol)
        if known is not None:
            known.owed_ns = owed.newest_ns
            return
        self._found[symbol] = self._owed_since(symbol)
        streamed_ns = self._streamed_ns(symbol)
        # The prints up to now are fetched, or their loss is announced.
        newest_ns = owed.newest_ns
        self._withheld[symbol] = _Withheld(streamed_ns, newest_ns, newest_ns, newest_ns)

    def _end(self, symbol: str, withheld: _Withheld) -> None:
        """End it; the prints between the last answer and the stream's next trade are missing."""
        since = self._found.pop(symbol, self._received_at(withheld.fetched_ns))
        del self._withheld[symbol]
        self._ended[symbol] = since

    def _owed_since(self, symbol: str) -> float:
        """Return the time (unix s) of the last streamed print or of the subscription."""
        return self._received_at(self._brought_ns(symbol, self._subscribed[symbol]) - CLOCKS_NS)

    def _received_at(self, at_ns: int) -> float:
        """Return the time (unix s) at which a trade of a time arrives."""
        return (at_ns + self._delay_ns) / 1e9
