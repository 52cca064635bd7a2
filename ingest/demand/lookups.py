"""The schedule of REST look-ups: which symbols to request next, and why. No I/O."""

import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from datetime import date
from enum import IntEnum
from typing import NamedTuple

SYMBOLS_PER_LOOKUP = 100

BATCHES_AT_ONCE = 3
"""Several batches may be under way, so that one slow answer delays no other."""

SYMBOL_POLL_SECONDS = 5.0
DOUBTFUL_SECONDS = 1.0
REPAIR_COST = 4
"""A repair of a tape takes about as many requests as this number of polls: a snapshot, the pages of
its prints, and those of the next tries. Prices must not wait for repairs of many tapes."""

SILENT_SECONDS = 2.0
"""At most one request in this time asks about silent symbols, unless others need it anyway."""
FIRST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 10.0
"""The wait after a symbol's first failed look-up doubles with each failure, up to this."""

GAP_SECONDS = 30.0
GAP_TRIES = 3
"""After this time or this number of failures an open gap counts as unrepairable."""


class Reason(IntEnum):
    """Why a symbol is looked up, the most urgent reason first."""

    NEW = 1
    """A client has just started to watch it, or this process has just become the leader."""
    RECONNECT = 2
    """The stream brings it (again): trades before that may be missing."""
    DOUBTFUL = 3
    """Another part of the ingest has requested it."""
    PREVIOUS_CLOSE = 4
    """The previous close is to be read: a new day, a split that REST may know by now, a failure."""
    SILENT = 5
    """The stream brings no trades of it: REST confirms that, or has some."""
    POLL = 6
    """It has no slot in the stream."""


_WITH_CLOSE = frozenset({Reason.NEW, Reason.PREVIOUS_CLOSE})

WITH_QUOTE = frozenset({Reason.NEW, Reason.SILENT})
"""The quote of every symbol is read: the first one, and one that may show a halt. In other look-ups
it is read if a client watches it."""


class _Request(NamedTuple):
    """A look-up that is due at a monotonic time, after ``failures`` failed ones."""

    due: float
    failures: int

    @property
    def is_retry(self) -> bool:
        return self.failures > 0


class OpenGap(NamedTuple):
    """A symbol's trades may be missing ``since`` a time (unix s); repairable ``until`` another.

    ``until`` is monotonic; it is infinite until the stream brings the symbol.
    """

    since: float
    until: float = math.inf
    failures: int = 0


class Batch(NamedTuple):
    """The symbols of one request: symbol → reason, and symbol → how often it has failed before.

    ``gaps`` are to be closed with it: the caller removes each gap that it has closed. ``closes``
    are the symbols whose previous closes are to be read, whatever the most urgent reason is.
    """

    reasons: dict[str, Reason]
    failures: dict[str, int]
    gaps: dict[str, OpenGap]
    closes: frozenset[str] = frozenset()

    @property
    def polling(self) -> bool:
        """Whether all its symbols are only polled, or checked for being quiet: they can wait."""
        return min(self.reasons.values(), default=Reason.POLL) >= Reason.SILENT


class Lookups:
    """The schedule. Each batch of ``take_due`` comes back through ``done`` or ``failed``.

    ``monotonic`` gives seconds; ``polls_per_second`` is the rate of requests for polling.
    """

    def __init__(self, monotonic: Callable[[], float], polls_per_second: float) -> None:
        self._monotonic = monotonic
        self._polls_per_second = polls_per_second
        self._day: date | None = None
        self._wanted: Set[str] = frozenset()
        self._known: set[str] = set()
        self._rejected: set[str] = set()
        self._requests: dict[tuple[Reason, str], _Request] = {}
        self._subscribed: frozenset[str] = frozenset()
        self._polled: frozenset[str] = frozenset()
        self._gaps: dict[str, OpenGap] = {}
        self._under_way: set[str] = set()
        self._batches = 0
        self._polling = False
        self._poll_at = self._doubtful_at = self._silent_at = self._repair_at = monotonic()

    def follow(self, wanted: Set[str], polled: Sequence[str], today: date) -> None:
        """Accept the wanted symbols and those of them to poll; ``today`` is New York's date."""
        now = self._monotonic()
        self._forget_unwanted(wanted)
        if today != self._day:
            # A new day has new previous closes, and Alpaca may list a symbol that it rejected.
            self._day = today
            self._rejected.clear()
            self.renew_closes()
        # A symbol under way is not known yet; requested again, it would cost a second request.
        if len(self._known) < len(wanted):  # all known symbols are wanted
            self._request(wanted - self._known - self._under_way, Reason.NEW, now)
        # A loss that waited for the stream waits no more.
        for symbol in sorted(self._gaps.keys() & (set(polled) - self._polled - self._subscribed)):
            self._repair(symbol)
        self._polled = frozenset(polled)
        if polled and now >= self._poll_at:
            self._poll_at = now + self._poll_seconds(len(polled))
            self._request(polled, Reason.POLL, now)

    def on_stream_lost(self, since: Mapping[str, float]) -> None:
        """Open a gap for each symbol since a time (unix s): the stream has been lost."""
        self._subscribed = frozenset()
        # A gap that waits for REST waits for the stream again, with all its tries.
        self._gaps = {symbol: OpenGap(gap.since) for symbol, gap in self._gaps.items()}
        for symbol, at in since.items():
            self.open_gap(symbol, at)

    def open_gap(self, symbol: str, since: float) -> None:
        """Request a symbol's trades since a time (unix s), once the stream brings the symbol.

        An earlier request would leave another hole, between its answer and the first live trade. A
        polled symbol has no live trades.
        """
        if symbol in self._rejected:
            return
        # A second loss before the first is repaired: one gap, since the earlier of both.
        earlier = self._gaps.get(symbol)
        self._gaps[symbol] = OpenGap(since if earlier is None else min(since, earlier.since))
        if self._can_repair(symbol):
            self._repair(symbol)

    def repair(self, since: Mapping[str, float]) -> None:
        """Request the trades since a time (unix s) of symbols whose trades only REST brings.

        The stream withholds them, or has no slot for a watched tape. Each has its turn every few
        seconds, as a polled one. A gap that is still open keeps its tries: at the end of them it is
        announced.
        """
        now = self._monotonic()
        if not since or now < self._repair_at:
            return
        self._repair_at = now + self._poll_seconds(len(since) * REPAIR_COST)
        for symbol, at in since.items():
            if symbol not in self._gaps and symbol not in self._under_way:
                self.open_gap(symbol, at)

    def on_subscribed(self, symbols: Set[str]) -> None:
        """Accept all the symbols that the stream brings now."""
        new = symbols - self._subscribed
        self._subscribed = frozenset(symbols)
        for symbol in sorted(new & self._gaps.keys()):
            self._repair(symbol)

    def doubt(self, symbols: Iterable[str]) -> None:
        """Look symbols up, together with others that are doubted within the same second."""
        self._request(symbols, Reason.DOUBTFUL, max(self._monotonic(), self._doubtful_at))

    def confirm(self, symbols: Iterable[str]) -> None:
        """Look symbols up of which the stream brings no trades."""
        self._request(symbols, Reason.SILENT, self._monotonic())

    def request_close(self, symbols: Iterable[str], seconds: float) -> None:
        """Look symbols up for their previous close, after some seconds."""
        self._request(symbols, Reason.PREVIOUS_CLOSE, self._monotonic() + seconds)

    def renew_closes(self) -> None:
        """Look all known symbols up for their previous close."""
        # The closes of those under way may have been read already.
        known = self._known | self._under_way
        self._request(known, Reason.PREVIOUS_CLOSE, self._monotonic())

    def reject(self, symbol: str) -> None:
        """Request a symbol no more today: Alpaca does not understand it."""
        self._rejected.add(symbol)
        for reason in Reason:
            self._requests.pop((reason, symbol), None)

    def is_rejected(self, symbol: str) -> bool:
        """Return whether Alpaca does not understand a symbol."""
        return symbol in self._rejected

    def is_known(self, symbol: str) -> bool:
        """Return whether Alpaca has answered about a symbol, and understands it."""
        return symbol in self._known and symbol not in self._rejected

    def is_subscribed(self, symbol: str) -> bool:
        """Return whether the stream brings a symbol."""
        return symbol in self._subscribed

    def take_due(self) -> Batch | None:
        """Return the next batch, the most urgent symbols first, or None.

        None means that no look-up is due, or that enough of them are under way.
        """
        if self._batches >= BATCHES_AT_ONCE:
            return None
        now = self._monotonic()
        due = sorted(
            (reason, symbol)
            for (reason, symbol), request in self._requests.items()
            if request.due <= now
            and symbol not in self._under_way
            # Thousands of symbols fall silent together after a close: prices come first.
            and (reason is not Reason.SILENT or now >= self._silent_at)
        )
        # A symbol with several reasons is looked up once, for the most urgent one.
        reasons: dict[str, Reason] = {}
        for reason, symbol in due:
            if len(reasons) < SYMBOLS_PER_LOOKUP:
                reasons.setdefault(symbol, reason)
        failures = {s: self._requests[reason, s].failures for s, reason in reasons.items()}
        closes = {symbol for reason, symbol in due if reason in _WITH_CLOSE and symbol in reasons}
        batch = Batch(reasons, failures, {}, frozenset(closes))
        # One polling batch at a time: a slow REST must leave places for urgent look-ups.
        if not reasons or (batch.polling and self._polling):
            return None
        self._start(batch, [key for key in due if key[1] in reasons], now)
        return batch

    def done(self, batch: Batch) -> None:
        """Note that a batch was answered."""
        self._known.update(batch.reasons)
        for symbol, reason in itertools.product(batch.reasons, Reason):
            request = self._requests.get((reason, symbol))
            # A first request came after the batch had left: the answer may be too old for it.
            if request is None or not request.is_retry:
                continue
            # A snapshot closes no gap. Any other retry of an earlier failure is served too.
            if reason is not Reason.RECONNECT or symbol not in self._gaps:
                del self._requests[reason, symbol]
        self._finish(batch)

    def failed(self, batch: Batch) -> None:
        """Note that a batch was not answered; polled symbols wait for their next turn."""
        now = self._monotonic()
        for symbol, reason in batch.reasons.items():
            # A failed poll is not repeated at once: its next turn comes within seconds anyway. So
            # does the next question about a silent symbol.
            if reason < Reason.SILENT:
                failures = batch.failures[symbol] + 1
                due = now + _retry_seconds(failures)
                self._request([symbol], reason, due, failures)
                if symbol in batch.closes and reason is not Reason.NEW:
                    self._request([symbol], Reason.PREVIOUS_CLOSE, due, failures)
        self._finish(batch)

    def take_unrepairable(self) -> dict[float, list[str]]:
        """Return, once, the symbols whose gaps could not be closed, by ``since`` (unix s)."""
        now = self._monotonic()
        unrepairable: dict[float, list[str]] = defaultdict(list)
        for symbol, gap in list(self._gaps.items()):
            if now >= gap.until or gap.failures >= GAP_TRIES:
                unrepairable[gap.since].append(symbol)
                del self._gaps[symbol]
        return dict(unrepairable)

    def _can_repair(self, symbol: str) -> bool:
        return symbol in self._subscribed or symbol in self._polled

    def _poll_seconds(self, symbols: int) -> float:
        """Return the time between two polls of a number of symbols."""
        # With thousands of polled symbols, the budget sets the pace, not SYMBOL_POLL_SECONDS.
        batches = math.ceil(symbols / SYMBOLS_PER_LOOKUP)
        return max(SYMBOL_POLL_SECONDS, batches / self._polls_per_second)

    def _forget_unwanted(self, wanted: Set[str]) -> None:
        self._wanted = wanted
        self._known &= wanted
        self._rejected &= wanted
        self._requests = {key: each for key, each in self._requests.items() if key[1] in wanted}
        self._gaps = {symbol: gap for symbol, gap in self._gaps.items() if symbol in wanted}

    def _request(
        self, symbols: Iterable[str], reason: Reason, due: float, failures: int = 0
    ) -> None:
        for symbol in symbols:
            if symbol in self._wanted and symbol not in self._rejected:
                self._requests.setdefault((reason, symbol), _Request(due, failures))

    def _start(self, batch: Batch, requests: Iterable[tuple[Reason, str]], now: float) -> None:
        """Count a batch as under way and remove the requests that it serves."""
        self._batches += 1
        self._polling = self._polling or batch.polling
        self._under_way.update(batch.reasons)
        if Reason.DOUBTFUL in batch.reasons.values():
            self._doubtful_at = now + DOUBTFUL_SECONDS
        if Reason.SILENT in batch.reasons.values():
            self._silent_at = now + SILENT_SECONDS
        for reason, symbol in requests:
            del self._requests[reason, symbol]
            # The connection may have been lost since the request: then the gap stays open until
            # the stream brings the symbol again.
            if reason is Reason.RECONNECT and symbol in self._gaps and self._can_repair(symbol):
                batch.gaps[symbol] = self._gaps.pop(symbol)

    def _finish(self, batch: Batch) -> None:
        self._batches -= 1
        self._under_way.difference_update(batch.reasons)
        if batch.polling:
            self._polling = False
        for symbol, gap in batch.gaps.items():
            self._reopen(symbol, gap)

    def _repair(self, symbol: str) -> None:
        """Look a symbol up to close its gap, with all tries and the whole time ahead."""
        now = self._monotonic()
        self._gaps[symbol] = OpenGap(self._gaps[symbol].since, now + GAP_SECONDS)
        self._requests.pop((Reason.RECONNECT, symbol), None)
        self._request([symbol], Reason.RECONNECT, now)

    def _reopen(self, symbol: str, gap: OpenGap) -> None:
        """Keep a gap that a batch did not close; a later gap of the symbol starts where it did."""
        failures = gap.failures + 1
        later = self._gaps.get(symbol, gap._replace(failures=failures))
        self._gaps[symbol] = later._replace(since=min(gap.since, later.since))
        due = self._monotonic() + _retry_seconds(failures)
        self._request([symbol], Reason.RECONNECT, due, failures)


def _retry_seconds(failures: int) -> float:
    return min(FIRST_RETRY_SECONDS * 2.0 ** (failures - 1), LONGEST_RETRY_SECONDS)
