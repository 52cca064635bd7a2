"""The open positions and the cash, as reports and executions make them. Pure, in Decimal.

The account is one whole: a report is applied completely or not at all. Until it is, the last whole
report and the executions since stand.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import NamedTuple

from ingest.portfolio.amount import is_plausible
from ingest.portfolio.asset_class import CRYPTO
from ingest.portfolio.broker_clock import BrokerClock
from ingest.portfolio.broker_report import (
    NOTHING,
    UNKNOWN_SYMBOL,
    BrokerReport,
    ReportedAccount,
)
from ingest.portfolio.holding import CENT, Holding
from ingest.portfolio.recent_states import RecentStates
from ingest.portfolio.stream_witness import StreamWitness
from shared.rfc3339 import to_nanoseconds

DISBELIEF_SECONDS = 5.0
"""After an execution, a report that lacks it is not believed for this time: Alpaca's REST can be
behind its own stream."""

DOUBT_SECONDS = 0.5
"""An execution that does not fit, or a report that contradicts, is usually explained by the next
message. A doubt that lasts longer makes the account stale."""

FEE_RATE = Decimal("0.003")
"""Alpaca takes the fee of a crypto purchase from the coins: at most 0.25 % of them, rounded.
Source: https://docs.alpaca.markets/docs/crypto-fees."""

EXECUTIONS_REMEMBERED = 1_000

WAITING_AT_MOST = 100
"""More wait only while REST fails, and then the account is stale anyway."""


@dataclass(frozen=True)
class Execution:
    """The effect of a fill on a position.

    ``delta`` is negative for a sale; ``qty`` is the quantity after it; ``at`` is RFC 3339.
    ``id`` is the broker's, the same if it sends an execution twice.
    """

    symbol: str
    asset_class: str
    delta: Decimal
    price: Decimal
    qty: Decimal
    at: str
    id: str | None = None

    @property
    def fee_at_most(self) -> Decimal:
        """The largest fee that the broker takes from the bought quantity itself."""
        buys_coins = self.asset_class == CRYPTO and self.delta > 0
        return self.delta * FEE_RATE if buys_coins else NOTHING

    def follows(self, before: Decimal) -> bool:
        """Return whether it leads from a quantity to its own, less at most its own fee."""
        return NOTHING <= before + self.delta - self.qty <= self.fee_at_most


class Reconciled(NamedTuple):
    """The outcome of a report: whether it was applied, or else explained by recent executions.

    ``changed``: the symbols whose holdings it changed.
    """

    applied: bool
    changed: Sequence[str] = ()


class _Expected(NamedTuple):
    """The quantity after the newest execution of a symbol, and until when reports must agree.

    ``fee``: what the broker may yet take from the quantity; ``moment``: the execution's own time.
    """

    qty: Decimal
    until: float
    fee: Decimal
    moment: float


class _Torn(NamedTuple):
    """The figures of a report whose cash and positions are of two moments, and since when."""

    figures: tuple[dict[str, Decimal], Decimal]
    since: float


class Holdings:
    """Reconciles the broker's reports with the executions of its stream, in any order.

    ``monotonic`` gives seconds.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self.by_symbol: dict[str, Holding] = {}
        self.account: ReportedAccount | None = None
        """The account of the newest report that was applied; None before the first."""
        self.as_of: str | None = None
        self.unreadable: Sequence[str] = ()
        self.is_apart = False
        """Whether the broker's totals contain more or less than its rows."""
        self.witness = StreamWitness(monotonic)
        self._monotonic = monotonic
        self._clock = BrokerClock()
        self._spent = NOTHING
        self._booked = Counter[str]()
        self._asked_at = 0.0
        self._executed_at: float | None = None
        self._unreadable_since: float | None = None
        self._expected: dict[str, _Expected] = {}
        self._states = RecentStates(self._is_same)
        self._waiting: list[Execution] = []
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._doubt_since: float | None = None
        self._contradicting: BrokerReport | None = None
        self._torn: _Torn | None = None

    @property
    def spent(self) -> Decimal:
        """The cost of the executions since the newest applied report."""
        return self._spent

    @property
    def in_doubt(self) -> bool:
        """Whether an execution or a report contradicts the holdings, and nothing explains it."""
        since = self._doubt_since
        return since is not None and self._monotonic() - since >= DOUBT_SECONDS

    def explains(self, report: BrokerReport) -> bool:
        """Return whether positions and cash are those of the present or of the last seconds."""
        if self.account is None or not report.account.is_plausible:
            return False
        ours, reported = self._comparable(report)
        since = self._monotonic() - DISBELIEF_SECONDS
        return self._states.had_quantities(
            ours, reported, since, {*report.unreadable}
        ) and self._states.had_cash(self._cash, report.account.cash, self._rounding, since)

    def on_report(self, report: BrokerReport, streaming_since: float | None) -> Reconciled:
        """Apply a report as a whole, or not at all if it contradicts recent executions.

        ``streaming_since``: the monotonic time since which the stream has brought executions
        without a break; None while it is disconnected.
        """
        report = report.without_implausible()
        # As if REST had failed: the last figures stand.
        if not report.account.is_plausible:
            return Reconciled(applied=False)
        agrees, contradicts = self._agrees(report), self._contradicts(report)
        contradicts = contradicts or (agrees and self._awaits_unreadable())
        if agrees and not contradicts:
            return Reconciled(applied=True, changed=self._apply(report, streaming_since))
        # REST is behind the stream, or an execution came while it was read: no news.
        if agrees or self.explains(report):
            self._torn = None
            if agrees:
                self._contradicting = None
            self._review_doubt()
            return Reconciled(applied=False)
        torn = self._is_torn(report)
        lasts = torn and self._note_torn(report)
        if not report.settled or contradicts or (torn and not lasts):
            self._contradicting = report
            self._review_doubt()
            return Reconciled(applied=False)
        changed = self._apply(report, streaming_since)
        self.is_apart = self.is_apart or torn
        return Reconciled(applied=True, changed=changed)

    def on_execution(self, *executions: Execution) -> list[str]:
        """Accept the executions of one update; return the symbols whose holdings changed.

        They do not if a report already contains them. If one does not fit the known quantity, an
        earlier one is missing: it waits for that one, and the next report corrects both.
        """
        for execution in executions:
            if not is_plausible(execution.delta, execution.price, execution.qty):
                continue
            if self._is_repeated(execution):
                continue
            self._remember(execution)
            # Behind the earlier ones, which this one may complete or show as contained.
            if self.account is not None:
                self._waiting.append(execution)
        del self._waiting[:-WAITING_AT_MOST]
        changed = self.book_waiting()
        self._review_doubt()
        return changed

    def on_unreadable_execution(self) -> None:
        """Note that an execution may have come whose effect only a report can show."""
        self._executed_at = self._unreadable_since = self._monotonic()
        self._review_doubt()

    def book_waiting(self) -> list[str]:
        """Book the waiting executions, all or none; return the symbols that they change.

        While the figures count as right, one that cannot be booked keeps back the later ones:
        without it, the account would be one that never was. Once they are in doubt, the newest
        quantities are better than old ones.
        """
        fitting, left = self._fitting()
        if left and not self.in_doubt:
            return []
        for each in fitting:
            self._book(each)
        self._waiting = left
        return [each.symbol for each in fitting]

    @property
    def _cash(self) -> Decimal:
        return NOTHING if self.account is None else self.account.cash - self._spent

    @property
    def _rounding(self) -> Decimal:
        """The difference that rounding alone can make: the broker books each execution in cents."""
        return CENT * (self._booked.total() + 1)

    def _comparable(self, report: BrokerReport) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
        """Return our quantities and the reported ones, except those that could not be read."""
        reported = report.quantities
        ours = {
            symbol: each.qty
            for symbol, each in self.by_symbol.items()
            if symbol not in report.unreadable
            # A row without a symbol may be that of any position that has no other row.
            and (symbol in reported or UNKNOWN_SYMBOL not in report.unreadable)
        }
        return ours, reported

    def _agrees(self, report: BrokerReport) -> bool:
        """Return whether a report has our present quantities and cash."""
        return (
            self.account is not None
            and not self._moved(report)
            and abs(self._cash - report.account.cash) <= self._rounding
        )

    def _moved(self, report: BrokerReport) -> list[str]:
        """Return the symbols of which a report has another quantity."""
        ours, reported = self._comparable(report)
        return [
            symbol
            for symbol in sorted({*ours, *reported})
            if not self._is_same(symbol, ours.get(symbol, NOTHING), reported.get(symbol, NOTHING))
        ]

    def _is_same(self, symbol: str, ours: Decimal, reported: Decimal) -> bool:
        """Return whether two quantities differ by nothing but a fee that the broker may take."""
        return NOTHING <= ours - reported <= self._fee(symbol)

    def _fee(self, symbol: str) -> Decimal:
        expected = self._expected.get(symbol)
        if expected is None or self._monotonic() >= expected.until:
            return NOTHING
        return expected.fee

    def _contradicts(self, report: BrokerReport) -> bool:
        """Return whether a report may lack a recent execution."""
        # Whether positions and cash contain one that came while they were read is unknown.
        if self._executed_at is not None and self._executed_at > report.asked_at:
            return True
        now, reported = self._monotonic(), report.quantities
        return any(
            now < expected.until
            and symbol not in report.unreadable
            and not self._is_same(symbol, expected.qty, reported.get(symbol, NOTHING))
            for symbol, expected in self._expected.items()
        )

    def _awaits_unreadable(self) -> bool:
        """Return whether a report with no news may be from before an unreadable execution."""
        since = self._unreadable_since
        return since is not None and self._monotonic() - since < DISBELIEF_SECONDS

    def _is_torn(self, report: BrokerReport) -> bool:
        """Return whether the cash is of another moment than the positions.

        With them our equity would jump, while the broker's totals say that it does not: a fill
        changes its cash and its market values by the same amount. A dividend or a transfer changes
        both equities; a move of prices changes neither so much in the time between two requests.
        """
        excess = report.excess
        if self.account is None or excess is None:
            return False
        jump = report.account.cash - self._cash
        rows = {each.symbol: each for each in report.holdings}
        for symbol in self._moved(report):
            row, known = rows.get(symbol), self.by_symbol.get(symbol)
            priced = row or known
            # A position that no report has shown was opened a moment ago, at about its price.
            price = None if priced is None else priced.broker_price or priced.avg_entry_price
            if priced is None or price is None:
                return False
            jump += replace(priced, qty=quantity(row) - quantity(known)).value(price)
        return abs(jump) > self._rounding and abs(jump + excess) < abs(jump) / 2

    def _note_torn(self, report: BrokerReport) -> bool:
        """Note a torn report; return whether it has long been the same.

        A contradiction that lasts is not one of moments: such a report wins, as a doubtful one.
        """
        figures, now = (report.quantities, report.account.cash), self._monotonic()
        if self._torn is None or self._torn.figures != figures:
            self._torn = _Torn(figures, now)
        return now - self._torn.since >= DISBELIEF_SECONDS

    def _apply(self, report: BrokerReport, streaming_since: float | None) -> list[str]:
        """Replace everything by a report; return the symbols whose holdings it changes."""
        now, moved = self._monotonic(), self._moved(report)
        if self.account is not None:
            before = {symbol: quantity(self.by_symbol.get(symbol)) for symbol in moved}
            self._states.add(before, self._cash, now)
            # Only if the stream was there for the whole time between two reports must it have
            # brought the execution behind a changed quantity.
            if streaming_since is not None and self._asked_at > streaming_since:
                for symbol in moved:
                    self.witness.on_unexplained(symbol, self._asked_at)
        rows = {
            each.symbol: each.continuing(self.by_symbol.get(each.symbol))
            for each in report.holdings
        }
        ours, _ = self._comparable(report)
        changed = sorted(s for s in {*ours, *rows} if rows.get(s) != self.by_symbol.get(s))
        unreadable = {*report.unreadable} ^ {*self.unreadable}
        for symbol in changed:
            self._set(symbol, rows.get(symbol))
        self.account, self.as_of = report.account, report.as_of
        self.unreadable, self.is_apart = report.unreadable, report.is_apart
        self._asked_at, self._spent = report.asked_at, NOTHING
        self._booked.clear()
        self._waiting.clear()
        self._contradicting = self._doubt_since = self._torn = self._unreadable_since = None
        return [*changed, *sorted(unreadable.intersection(self.by_symbol).difference(changed))]

    def _is_repeated(self, execution: Execution) -> bool:
        """Return whether the stream has brought this execution before."""
        return execution.id is not None and execution.id in self._seen

    def _remember(self, execution: Execution) -> None:
        """Note the quantity that reports must show from now on."""
        now, moment = self._monotonic(), to_nanoseconds(execution.at) / 1e9
        self._executed_at = now
        self._clock.on_execution(moment, now)
        if execution.id is not None:
            self._seen[execution.id] = None
            if len(self._seen) > EXECUTIONS_REMEMBERED:
                self._seen.popitem(last=False)
        before, qty = self._expected.get(execution.symbol), execution.qty
        # Partial fills can arrive out of order: the quantity is that of the newest.
        if before is not None and now < before.until and self._is_older(execution, before):
            qty, moment = before.qty, before.moment
        fee = execution.fee_at_most + self._fee(execution.symbol)
        until = now + DISBELIEF_SECONDS
        self._expected[execution.symbol] = _Expected(qty, until, fee, moment)

    def _is_older(self, execution: Execution, newest: _Expected) -> bool:
        """Return whether an execution was before the newest known one of its symbol."""
        moment = to_nanoseconds(execution.at) / 1e9
        if moment != newest.moment:
            return moment < newest.moment
        # Two fills of one moment: their quantities give the order. If both orders are possible, as
        # after a purchase and a sale of the same size, that of their arrival counts.
        if execution.qty - execution.delta == newest.qty:
            return False
        return any(
            each.symbol == execution.symbol and each.qty - each.delta == execution.qty
            for each in self._waiting
        )

    def _fitting(self) -> tuple[list[Execution], list[Execution]]:
        """Return the waiting executions that fit, in their order, and those that do not.

        Those that a report already contains are in neither.
        """
        left, fitting = list(self._waiting), list[Execution]()
        after = {each.symbol: quantity(self.by_symbol.get(each.symbol)) for each in left}
        while (found := self._next_fitting(left, after)) is not None:
            left.remove(found)
            fitting.append(found)
            after[found.symbol] = found.qty
        # The quantity is that after the newest execution, so that the others are contained.
        booked = {each.symbol for each in fitting}
        # Whether a report has one that follows its quantity is open: the next one decides.
        undecided = {each.symbol for each in left if each.follows(after[each.symbol])}
        contained = {
            symbol
            for symbol, qty in after.items()
            if qty == self._expected[symbol].qty
            or (symbol not in booked | undecided and self._contains_newest(symbol, qty))
        }
        return fitting, [each for each in left if each.symbol not in contained]

    def _next_fitting(
        self, waiting: Sequence[Execution], known: Mapping[str, Decimal]
    ) -> Execution | None:
        """Return the first execution that leads from the known quantity to the one after it."""
        for each in waiting:
            before, expected = known[each.symbol], self._expected[each.symbol].qty
            # A report was faster than the stream, and contains this one.
            if before == expected or not self._is_new(each):
                continue
            # Its own fee may explain a difference before the fees of others may: that of a large
            # purchase can exceed a small one, which would then seem to be contained.
            if each.follows(before):
                return each
            contained = self._contains_newest(each.symbol, before)
            if not contained and self._is_same(each.symbol, before + each.delta, each.qty):
                return each
        return None

    def _contains_newest(self, symbol: str, known: Decimal) -> bool:
        """Return whether the newest report contains the newest execution of a symbol."""
        # Only a report can have taken a fee that the stream does not show. Of two purchases on the
        # stream, the second may be as small as the fee of the first.
        expected = self._expected[symbol].qty
        return symbol not in self._booked and self._is_same(symbol, expected, known)

    def _is_new(self, execution: Execution) -> bool:
        """Return whether the newest report was requested before an execution.

        If not, the report may contain it and its counterpart, so that it only seems to fit.
        """
        moment = to_nanoseconds(execution.at) / 1e9
        return not self._clock.is_before(moment, self._asked_at)

    def _book(self, execution: Execution) -> None:
        symbol, known = execution.symbol, self.by_symbol.get(execution.symbol)
        # The broker may have taken its fee from the bought coins: they count without it, and the
        # money is that of all.
        units, price, at = execution.qty - quantity(known), execution.price, execution.at
        opened = Holding.opened(symbol, execution.asset_class, units, price, at)
        after = known.after(units, price, at) if known else opened
        self._states.add({symbol: quantity(known)}, self._cash, self._monotonic())
        self._spent += (known or opened).multiplier * execution.delta * execution.price
        self._booked[symbol] += 1
        self._set(symbol, after)

    def _review_doubt(self) -> None:
        """Start a doubt if an execution or a report is not explained, end it if all are."""
        if self._contradicting is not None and self.explains(self._contradicting):
            self._contradicting = None
        if not self._waiting and self._contradicting is None and self._unreadable_since is None:
            self._doubt_since = None
        elif self._doubt_since is None:
            self._doubt_since = self._monotonic()

    def _set(self, symbol: str, holding: Holding | None) -> None:
        if holding is None:
            self.by_symbol.pop(symbol, None)
        else:
            self.by_symbol[symbol] = holding


def quantity(holding: Holding | None) -> Decimal:
    """Return the quantity of a holding, 0 for none."""
    return NOTHING if holding is None else holding.qty
