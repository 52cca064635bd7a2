"""Which symbols are to be looked up by REST now, and why. No I/O."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from datetime import date
from enum import IntEnum
from typing import NamedTuple

SYMBOLS_AT_ONCE = 100

BATCHES_AT_ONCE = 3
"""So that one that Alpaca answers late does not hold up the others."""

POLL_SECONDS = 5.0
DOUBTFUL_SECONDS = 1.0
RETRY_SECONDS = (1.0, 10.0)
"""After the first failure of a symbol's look-up, doubled at each, and at most."""

MISSED_SECONDS = 30.0
MISSED_TRIES = 3
"""After so many failures, or so long, what was missed cannot be had."""


class Reason(IntEnum):
    """Why a symbol is looked up, the most urgent first."""

    NEW = 1
    """It has just become wanted, or this process has just become the leader."""
    RECONNECT = 2
    """It is on the stream, again or at last: trades before that may have been missed."""
    DOUBTFUL = 3
    """Somebody has asked for it."""
    PREVIOUS_CLOSE = 4
    """The day's previous close is not known yet: a new day, or an earlier failure."""
    POLL = 5
    """It has no slot in the stream."""


class _Asked(NamedTuple):
    due: float
    tries: int


class Missed(NamedTuple):
    """What a symbol may have missed: all ``since`` a time (unix s), to be had ``until`` another.

    ``until`` is monotonic; infinite as long as the stream does not bring the symbol.
    """

    since: float
    until: float = math.inf
    tries: int = 0


class Batch(NamedTuple):
    """What goes into one request: symbol → reason, and how often it has failed before.

    ``missed`` is what of it has to be caught up with; who has done so clears it.
    """

    reasons: dict[str, Reason]
    tries: dict[str, int]
    missed: dict[str, Missed]

    @property
    def polling(self) -> bool:
        """Whether nothing in it is urgent."""
        return all(reason is Reason.POLL for reason in self.reasons.values())


class Lookups:
    """The schedule. Each batch of ``due`` has to be given back by ``done`` or ``failed``.

    ``monotonic`` gives seconds; ``polls_per_second`` is how many requests may go into polling.
    """

    def __init__(self, monotonic: Callable[[], float], polls_per_second: float) -> None:
        self._monotonic = monotonic
        self._polls_per_second = polls_per_second
        self._day: date | None = None
        self._wanted: set[str] = set()
        self._known: set[str] = set()
        self._refused: set[str] = set()
        self._asked: dict[tuple[Reason, str], _Asked] = {}
        self._subscribed: frozenset[str] = frozenset()
        self._missing: dict[str, Missed] = {}
        self._under_way: set[str] = set()
        self._batches = 0
        self._polling = False
        self._poll_at = self._doubtful_at = monotonic()

    def follow(self, wanted: Sequence[str], polled: Sequence[str], today: date) -> None:
        """Take what is wanted now and what of it has to be polled; ``today`` is New York's."""
        now = self._monotonic()
        self._wanted = set(wanted)
        self._known &= self._wanted
        self._refused &= self._wanted
        self._asked = {key: asked for key, asked in self._asked.items() if key[1] in self._wanted}
        self._missing = {s: missing for s, missing in self._missing.items() if s in self._wanted}
        if today != self._day:
            self._day = today
            self._refused.clear()
            self._ask(self._known, Reason.PREVIOUS_CLOSE, now)
        looked_at = self._known | self._under_way
        self._ask((s for s in wanted if s not in looked_at), Reason.NEW, now)
        if polled and now >= self._poll_at:
            batches = math.ceil(len(polled) / SYMBOLS_AT_ONCE)
            self._poll_at = now + max(POLL_SECONDS, batches / self._polls_per_second)
            self._ask(polled, Reason.POLL, now)

    def lost(self, since: Mapping[str, float]) -> None:
        """The stream is gone: each symbol may miss what happens since a time (unix s)."""
        self._subscribed = frozenset()
        self._missing = {symbol: Missed(missed.since) for symbol, missed in self._missing.items()}
        for symbol, at in since.items():
            self.miss(symbol, at)

    def miss(self, symbol: str, since: float) -> None:
        """Catch up with all since a time (unix s), once the stream brings the symbol.

        What was fetched before would leave another hole.
        """
        if symbol in self._refused:
            return
        earlier = self._missing.get(symbol)
        self._missing[symbol] = Missed(since if earlier is None else min(since, earlier.since))
        if symbol in self._subscribed:
            self._catch_up(symbol)

    def subscribed(self, symbols: Set[str]) -> None:
        """Take all the symbols that the stream brings now."""
        new = symbols - self._subscribed
        self._subscribed = frozenset(symbols)
        for symbol in sorted(new & self._missing.keys()):
            self._catch_up(symbol)

    def doubt(self, symbols: Iterable[str]) -> None:
        """Look symbols up, together with others that are doubted within the same second."""
        self._ask(symbols, Reason.DOUBTFUL, max(self._monotonic(), self._doubtful_at))

    def ask_for_close(self, symbols: Iterable[str], seconds: float) -> None:
        """Look symbols up for the sake of the previous close, after some seconds."""
        self._ask(symbols, Reason.PREVIOUS_CLOSE, self._monotonic() + seconds)

    def refuse(self, symbol: str) -> None:
        """Ask no more for a symbol today: Alpaca does not understand it."""
        self._refused.add(symbol)
        for reason in Reason:
            self._asked.pop((reason, symbol), None)

    def is_refused(self, symbol: str) -> bool:
        """Say whether Alpaca does not understand a symbol."""
        return symbol in self._refused

    def due(self) -> Batch | None:
        """Return what to look up now, the most urgent first; None if nothing or enough is."""
        if self._batches >= BATCHES_AT_ONCE:
            return None
        now = self._monotonic()
        ready = sorted(
            (reason, symbol)
            for (reason, symbol), asked in self._asked.items()
            if asked.due <= now and symbol not in self._under_way
        )
        reasons: dict[str, Reason] = {}
        for reason, symbol in ready:
            if len(reasons) < SYMBOLS_AT_ONCE:
                reasons.setdefault(symbol, reason)
        tries = {symbol: self._asked[reason, symbol].tries for symbol, reason in reasons.items()}
        batch = Batch(reasons, tries, {})
        if not batch.reasons or (batch.polling and self._polling):
            return None
        if Reason.DOUBTFUL in batch.reasons.values():
            self._doubtful_at = now + DOUBTFUL_SECONDS
        self._batches += 1
        self._polling = self._polling or batch.polling
        self._under_way.update(batch.reasons)
        for reason, symbol in ready:
            if symbol in reasons:
                del self._asked[reason, symbol]
                missing = symbol in self._missing and symbol in self._subscribed
                if reason is Reason.RECONNECT and missing:
                    batch.missed[symbol] = self._missing.pop(symbol)
        return batch

    def done(self, batch: Batch) -> None:
        """Note that a batch was answered."""
        self._known.update(batch.reasons)
        for symbol in batch.reasons:
            for reason in Reason:
                if reason is Reason.RECONNECT and symbol in self._missing:
                    continue
                # asked for since the batch went out: it may have been too early for that
                if (asked := self._asked.get((reason, symbol))) and asked.tries:
                    del self._asked[reason, symbol]
        self._finish(batch)

    def failed(self, batch: Batch) -> None:
        """Note that a batch was not answered; what is polled just waits for its next turn."""
        now = self._monotonic()
        for symbol, reason in batch.reasons.items():
            if reason is not Reason.POLL:
                tries = batch.tries[symbol] + 1
                self._ask([symbol], reason, now + _wait(tries), tries)
        self._finish(batch)

    def missed(self) -> dict[float, list[str]]:
        """Return the symbols that could not be caught up with, by ``since``; once."""
        now = self._monotonic()
        missed: dict[float, list[str]] = defaultdict(list)
        for symbol, missing in list(self._missing.items()):
            if now >= missing.until or missing.tries >= MISSED_TRIES:
                missed[missing.since].append(symbol)
                del self._missing[symbol]
        return dict(missed)

    def _ask(self, symbols: Iterable[str], reason: Reason, due: float, tries: int = 0) -> None:
        for symbol in symbols:
            if symbol in self._wanted and symbol not in self._refused:
                self._asked.setdefault((reason, symbol), _Asked(due, tries))

    def _catch_up(self, symbol: str) -> None:
        now = self._monotonic()
        self._missing[symbol] = Missed(self._missing[symbol].since, now + MISSED_SECONDS)
        self._asked.pop((Reason.RECONNECT, symbol), None)
        self._ask([symbol], Reason.RECONNECT, now)

    def _miss_still(self, symbol: str, missed: Missed) -> None:
        tries = missed.tries + 1
        later = self._missing.get(symbol, missed._replace(tries=tries))
        self._missing[symbol] = later._replace(since=min(missed.since, later.since))
        self._ask([symbol], Reason.RECONNECT, self._monotonic() + _wait(tries), tries)

    def _finish(self, batch: Batch) -> None:
        self._batches -= 1
        self._under_way.difference_update(batch.reasons)
        if batch.polling:
            self._polling = False
        for symbol, missed in batch.missed.items():
            self._miss_still(symbol, missed)


def _wait(tries: int) -> float:
    shortest, longest = RETRY_SECONDS
    return min(shortest * 2.0 ** (tries - 1), longest)
