"""Prints, cancels and corrections that the stream has not brought: their effect on price and tape.

REST keeps a withdrawn print and marks it. A print that the tape has shown, or that is the last
price, may have been withdrawn while no stream was connected, or under another leader.
"""

from collections.abc import Callable, Sequence

from msgspec import structs

from ingest.demand.wanted import Demand
from ingest.market.last_price import LastPrices
from ingest.market.prints import Cancel, Correction, Trade
from ingest.market.rest_prints import Fate, RestPrint, Step, replacement_of, steps_of
from ingest.market.tape_events import cancel_event, correction_event, print_event
from ingest.upstream.announcements import Announcements
from shared import rfc3339
from shared.price import Price
from shared.topics import TRADE, topic
from shared.trade import Trade as PrintEvent

LOOK_BACK_NS = 15 * 60 * 1_000_000_000
"""A withdrawal is looked for among prints up to this age. Most come within seconds or minutes."""

LOOK_BACK_PRINTS = 100
"""A tape's withdrawals are looked for among this number of its newest prints: REST returns all
trades of a time, so more would use up the pages that missed prints need."""

SETTLED_NS = 10_000_000_000
"""REST may be behind the stream: only a print of this age should be known to both."""

ROUNDING_NS = 1_000
"""A loss may start with the time of the last known print, in seconds as a floating-point number."""

RECHECK_NS = 60_000_000_000
"""A last price that REST's snapshot does not show is checked again after this time."""

CHECKS_AT_ONCE = 3


class MissedPrints:
    """Applies REST's trades; ``clock`` gives unix ns, ``delay_ns`` is the delay of the feed."""

    def __init__(
        self,
        prices: LastPrices,
        demand: Demand,
        announcer: Announcements,
        clock: Callable[[], int],
        delay_ns: int = 0,
    ) -> None:
        self._prices = prices
        self._demand = demand
        self._announcer = announcer
        self._clock = clock
        self._delay_ns = delay_ns
        self._contradicted: dict[str, tuple[int, int]] = {}
        """The times of a last price that REST's snapshot lacks, and of its newest check."""
        self._to_check: set[str] = set()

    def apply(self, symbol: str, prints: Sequence[RestPrint], since_ns: int) -> None:
        """Publish the last price that the prints make, and the events that the tape lacks.

        ``since_ns`` is the start of the loss (unix ns). Live prints do not wait: a missed one may
        follow a newer one on the tape, as its ``timestamp`` shows.
        """
        before = self._prices.last_price(symbol)
        last = None
        tape = _TapeRepair(self._prices, self._announcer, symbol, since_ns)
        watched = self._demand.watches(topic(TRADE, symbol))
        # Without the earlier leader's prints the tape would show some of them twice.
        completed = watched and self._announcer.recent.recalls(symbol)
        now_ns = self._clock()
        for step in steps_of(prints, now_ns):
            last = self._apply_to_price(step, now_ns // 1000) or last
            # Withdrawals wait for the earlier leader's prints in the announcer.
            if completed or (watched and not isinstance(step, RestPrint)):
                tape.apply(step, now_ns // 1000)
        tape.finish(now_ns // 1000)
        if last is not None and (before is None or _differs(before, last)):
            self._announcer.price(last, traded=False)

    def withdrawable_since(self, symbol: str) -> float | None:
        """Return since when (unix s) the withdrawal of a print would have an effect.

        None: the symbol has no print, or only old ones.
        """
        earliest = self._clock() - self._delay_ns - LOOK_BACK_NS
        at_ns = self._last_print_ns(symbol)
        # A symbol that trades rarely: ``compare`` finds such a withdrawal by a snapshot.
        if at_ns is not None and at_ns < earliest:
            at_ns = None
        shown_ns = None
        if self._demand.watches(topic(TRADE, symbol)):
            shown_ns = self._announcer.recent.time_of_newest(symbol, LOOK_BACK_PRINTS)
        times = [at_ns, None if shown_ns is None else max(shown_ns, earliest)]
        found = min((each for each in times if each is not None), default=None)
        return None if found is None else found / 1e9

    def compare(self, symbol: str, newest_ns: int) -> None:
        """Compare the time of REST's newest trade with the last price.

        If it is older, the print of the last price may be withdrawn. That is one sign; the
        second is REST's row of the print itself, which ``take_contradicted`` requests.
        """
        now_ns, at_ns = self._clock() - self._delay_ns, self._last_print_ns(symbol)
        if at_ns is None or newest_ns >= at_ns or now_ns - at_ns < SETTLED_NS:
            self._contradicted.pop(symbol, None)
            self._to_check.discard(symbol)
            return
        checked = self._contradicted.get(symbol)
        # A symbol may be looked up every few seconds, and the contradiction may last: REST's
        # snapshot may leave the print out for its conditions.
        if checked is None or checked[0] != at_ns or now_ns - checked[1] >= RECHECK_NS:
            self._contradicted[symbol] = at_ns, now_ns
            self._to_check.add(symbol)

    def take_contradicted(self) -> dict[str, int]:
        """Return, once, prints of last prices to ask REST for: symbol → time in unix ns.

        Each costs a request, so the others have to wait.
        """
        now = sorted(self._to_check)[:CHECKS_AT_ONCE]
        self._to_check.difference_update(now)
        return {symbol: self._contradicted[symbol][0] for symbol in now}

    def _apply_to_price(self, step: Step, now_us: int) -> Price | None:
        match step:
            case RestPrint(trade, _):
                return self._prices.on_rest_trade(trade, now_us)
            case Cancel():
                return self._prices.on_cancel(step, now_us)
            case Correction():
                return self._prices.on_correction(step, now_us)

    def _last_print_ns(self, symbol: str) -> int | None:
        """Return the time of the print that is the last price; None if no print is."""
        last = self._prices.last_price(symbol)
        # The close of a bar has no exchange.
        if last is None or last.timestamp is None or last.exchange is None:
            return None
        return rfc3339.to_nanoseconds(last.timestamp)


class _TapeRepair:
    """Completes a symbol's tape by one answer of REST's."""

    def __init__(
        self, prices: LastPrices, announcer: Announcements, symbol: str, since_ns: int
    ) -> None:
        self._prices = prices
        self._announcer = announcer
        self._symbol = symbol
        self._since_ns = since_ns
        self._known_since = announcer.recent.known_since(symbol)
        self._replacements: list[Trade] = []
        self._replaced: set[tuple[str | None, int | None]] = set()
        """The exchange and the time of each wrong print that the tape has shown."""
        self._undecided: list[str] = []
        """The times of prints that the tape may have shown."""

    def apply(self, step: Step, now_us: int) -> None:
        match step:
            case RestPrint():
                self._show(step, now_us)
            case Cancel():
                if self._announcer.recent.is_known(_withdrawn_event(step)):
                    self._replaced.add((step.exchange, step.print_at_ns))
                self._announcer.withdrawal(cancel_event(step, now_us))
            case Correction():
                self._announcer.withdrawal(correction_event(step, now_us))
                self._replacements.append(replacement_of(step))

    def finish(self, now_us: int) -> None:
        # If the tape has not shown the wrong print, the right one is a print like others. After all
        # corrections, since a print can be corrected twice.
        for trade in self._replacements:
            self._show(RestPrint(trade, Fate.CORRECTED), now_us)
        if self._undecided:
            where, times = topic(TRADE, self._symbol), self._undecided
            self._announcer.gap([where], times[0], times[-1], "upstream_lost")

    def _show(self, print_: RestPrint, now_us: int) -> None:
        trade = print_.trade
        eligible, delayed = self._prices.is_eligible(trade), self._prices.is_delayed
        event = print_event(trade, now_us, eligible=eligible, delayed=delayed)
        known_since, recent = self._known_since, self._announcer.recent
        # So busy a tape that its older prints are forgotten. Those from before the loss are only
        # requested for safety; of the others it is unknown which are missing.
        if known_since is not None and trade.at_ns <= known_since and not recent.is_known(event):
            # The wrong print was shown and is withdrawn: the right one cannot have been shown.
            if print_.fate is Fate.CORRECTED and (trade.exchange, trade.at_ns) in self._replaced:
                self._announcer.trade(event, True)
            elif trade.at_ns > self._since_ns + ROUNDING_NS:
                self._undecided.append(event.timestamp)
            return
        self._announcer.trade(event, print_.fate is Fate.CORRECTED)


def _withdrawn_event(cancel: Cancel) -> PrintEvent:
    """Return the event of the print that a cancel of ``steps_of`` means, as far as it is known."""
    at_ns = cancel.at_ns if cancel.print_at_ns is None else cancel.print_at_ns
    trade = Trade(
        symbol=cancel.symbol,
        price=cancel.price or 0.0,
        size=cancel.size or 0.0,
        at_ns=at_ns,
        id=cancel.id,
        exchange=cancel.exchange,
        conditions=(),
        tape=cancel.tape,
    )
    return print_event(trade, 0, eligible=True)


def _differs(before: Price, last: Price) -> bool:
    return structs.replace(before, received=last.received) != last
