"""The open positions and the cash, as reports and executions make them. Pure, in Decimal.

The account is one whole: a report is applied completely or not at all. Until it is, the last whole
report and the executions since stand.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple

from ingest.portfolio.amount import CENT, NOTHING, is_plausible
from ingest.portfolio.broker_report import UNKNOWN_SYMBOL, BrokerReport, ReportedAccount
from ingest.portfolio.execution import Execution
from ingest.portfolio.holding import Holding
from ingest.portfolio.recent_states import RecentStates
from ingest.portfolio.stream_witness import StreamWitness
from ingest.portfolio.waiting_executions import DISBELIEF_SECONDS, WaitingExecutions

DOUBT_SECONDS = 0.5
"""An execution that does not fit, or a report that contradicts, is usually explained by the next
message. A doubt that lasts longer makes the account stale."""

EXECUTIONS_REMEMBERED = 1_000


class Reconciled(NamedTuple):
    """The outcome of a report: whether it was applied, or else explained by recent executions.

    ``changed``: the symbols whose holdings it changed.
    """

    applied: bool
    changed: Sequence[str] = ()


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
        self.totals_differ = False
        """Whether the broker's totals contain more or less than its rows."""
        self.witness = StreamWitness(monotonic)
        self._monotonic = monotonic
        self._spent = NOTHING
        self._asked_at = 0.0
        self._executed_at: float | None = None
        self._streaming_at: float | None = None
        """Since when the stream has brought executions, until a report from after that."""
        self._unreadable_since: float | None = None
        self._waiting = WaitingExecutions(monotonic)
        self._states = RecentStates(self._waiting.is_same)
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
        agrees = self._agrees(report)
        if agrees:
            self._note_whole(report)
        contradicts = self._contradicts(report) or (agrees and self._awaits_unreadable())
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
        # A fill came between the requests, or REST has other news but not yet the newest execution:
        # the next report decides.
        if not report.settled or contradicts or (torn and not lasts):
            self._contradicting = report
            self._review_doubt()
            return Reconciled(applied=False)
        changed = self._apply(report, streaming_since)
        # Cash and rows have differed for seconds: a position may be missing from the rows.
        self.totals_differ = self.totals_differ or torn
        return Reconciled(applied=True, changed=changed)

    def on_execution(self, *executions: Execution) -> list[str]:
        """Accept the executions of one update; return the symbols whose holdings changed.

        They do not if a report already contains them. If one does not fit the known quantity, an
        earlier one is missing: it waits for that one, and the next report corrects both.
        """
        for execution in executions:
            # No market has such a number: the next report has the effect, if there is one.
            if not is_plausible(execution.delta, execution.price, execution.qty):
                continue
            if self._is_repeated(execution):
                continue
            self._remember(execution)
            # Before the first report there is no quantity to change. That report must show it.
            if self.account is not None:
                self._waiting.add(execution)
        self._waiting.remove_oldest()
        changed = self.book_waiting()
        self._review_doubt()
        return changed

    def on_streaming(self) -> None:
        """Note that the stream brings executions from now on, perhaps not those just before.

        Until a report shows them, later ones wait: without the lost ones, the account would be one
        that never was.
        """
        self._streaming_at = self._monotonic()

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
        known = {symbol: each.qty for symbol, each in self.by_symbol.items()}
        fitting, left = self._waiting.fitting(known)
        if (left or self._streaming_at is not None) and not self.in_doubt:
            return []
        for each in fitting:
            self._book(each)
        self._waiting.on_booked(fitting, left)
        return [each.symbol for each in fitting]

    @property
    def _cash(self) -> Decimal:
        return NOTHING if self.account is None else self.account.cash - self._spent

    @property
    def _rounding(self) -> Decimal:
        """The difference that rounding alone can make: the broker books each execution in cents."""
        return CENT * (self._waiting.booked + 1)

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
            if not self._waiting.is_same(
                symbol, ours.get(symbol, NOTHING), reported.get(symbol, NOTHING)
            )
        ]

    def _contradicts(self, report: BrokerReport) -> bool:
        """Return whether a report may lack a recent execution."""
        # Whether positions and cash contain one that came while they were read is unknown.
        if self._executed_at is not None and self._executed_at > report.asked_at:
            return True
        return self._waiting.contradict(report)

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
        self._note_whole(report)
        self.account, self.as_of = report.account, report.as_of
        self.unreadable, self.totals_differ = report.unreadable, report.totals_differ
        self._asked_at, self._spent = report.asked_at, NOTHING
        self._waiting.on_report_applied(report.asked_at)
        self._contradicting = self._doubt_since = self._torn = self._unreadable_since = None
        return [*changed, *sorted(unreadable.intersection(self.by_symbol).difference(changed))]

    def _note_whole(self, report: BrokerReport) -> None:
        if self._streaming_at is not None and report.asked_at >= self._streaming_at:
            self._streaming_at = None

    def _is_repeated(self, execution: Execution) -> bool:
        """Return whether the stream has brought this execution before."""
        return execution.id is not None and execution.id in self._seen

    def _remember(self, execution: Execution) -> None:
        """Note an execution, which reports must show from now on."""
        self._executed_at = self._monotonic()
        self._waiting.note(execution)
        if execution.id is not None:
            self._seen[execution.id] = None
            if len(self._seen) > EXECUTIONS_REMEMBERED:
                self._seen.popitem(last=False)

    def _book(self, execution: Execution) -> None:
        symbol, known = execution.symbol, self.by_symbol.get(execution.symbol)
        # The broker may have taken its fee from the bought coins: they count without it, and the
        # money is that of all.
        units, price, at = execution.qty - quantity(known), execution.price, execution.at
        opened = Holding.opened(symbol, execution.asset_class, units, price, at)
        after = known.after(units, price, at) if known else opened
        self._states.add({symbol: quantity(known)}, self._cash, self._monotonic())
        self._spent += (known or opened).multiplier * execution.delta * execution.price
        self._set(symbol, after)

    def _review_doubt(self) -> None:
        """Start a doubt if an execution or a report is not explained, end it if all are."""
        if self._contradicting is not None and self.explains(self._contradicting):
            self._contradicting = None
        if self._waiting or self._contradicting is not None or self._unreadable_since is not None:
            if self._doubt_since is None:
                self._doubt_since = self._monotonic()
        # In doubt, executions are booked although a break of the stream may have lost others.
        # Later executions show nothing of those: a report does.
        elif self._streaming_at is None:
            self._doubt_since = None

    def _set(self, symbol: str, holding: Holding | None) -> None:
        if holding is None:
            self.by_symbol.pop(symbol, None)
        else:
            self.by_symbol[symbol] = holding


def quantity(holding: Holding | None) -> Decimal:
    """Return the quantity of a holding, 0 for none."""
    return NOTHING if holding is None else holding.qty
