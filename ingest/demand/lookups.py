"""Which symbols are to be looked up by REST now, and why. No I/O."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
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


class Reason(IntEnum):
    """Why a symbol is looked up, the most urgent first."""

    NEW = 1
    """It has just become wanted, or this process has just become the leader."""
    RECONNECT = 2
    """The connection was lost: its last trades may have been missed."""
    DOUBTFUL = 3
    """Somebody has asked for it."""
    PREVIOUS_CLOSE = 4
    """The day's previous close is not known yet: a new day, or an earlier failure."""
    POLL = 5
    """It has no slot in the stream."""


class _Asked(NamedTuple):
    due: float
    tries: int


class Batch(NamedTuple):
    """What goes into one request: symbol → reason, and how often it has failed before."""

    reasons: dict[str, Reason]
    tries: dict[str, int]

    @property
    def polling(self) -> bool:
        """Whether nothing in it is urgent."""
        return all(reason is Reason.POLL for reason in self.reasons.values())


class _Missing(NamedTuple):
    since: float
    until: float
    tries: int = 0


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
        self._missing: dict[str, _Missing] = {}
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

    def reconnected(self, symbols: Iterable[str], since: float) -> None:
        """Look up what may have been missed; ``since`` comes back from ``missed`` if in vain."""
        now = self._monotonic()
        symbols = (self._wanted - self._refused).intersection(symbols)
        for symbol in symbols:
            earlier = self._missing.get(symbol)
            first = since if earlier is None else min(since, earlier.since)
            self._missing[symbol] = _Missing(first, now + MISSED_SECONDS)
        self._ask(symbols, Reason.RECONNECT, now)

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
        batch = Batch(reasons, {s: self._asked[reason, s].tries for s, reason in reasons.items()})
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
        return batch

    def done(self, batch: Batch) -> None:
        """Note that a batch was answered."""
        self._finish(batch)
        self._known.update(batch.reasons)
        for symbol in batch.reasons:
            for reason in Reason:
                # asked for since the batch went out: it may have been too early for that
                if (asked := self._asked.get((reason, symbol))) and asked.tries:
                    del self._asked[reason, symbol]
            if (Reason.RECONNECT, symbol) not in self._asked:
                self._missing.pop(symbol, None)

    def failed(self, batch: Batch) -> None:
        """Note that a batch was not answered; what is polled just waits for its next turn."""
        self._finish(batch)
        now = self._monotonic()
        for symbol, reason in batch.reasons.items():
            tries = batch.tries[symbol] + 1
            if missing := self._missing.get(symbol):
                self._missing[symbol] = missing._replace(tries=tries)
            if reason is not Reason.POLL:
                shortest, longest = RETRY_SECONDS
                due = now + min(shortest * 2 ** (tries - 1), longest)
                self._ask([symbol], reason, due, tries)

    def missed(self) -> dict[float, list[str]]:
        """Return the symbols that could not be looked up after a reconnect, by ``since``; once."""
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

    def _finish(self, batch: Batch) -> None:
        self._batches -= 1
        self._under_way.difference_update(batch.reasons)
        if batch.polling:
            self._polling = False
