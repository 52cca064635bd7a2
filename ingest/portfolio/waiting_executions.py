"""Brings executions into their order by the quantities after them. Pure, in Decimal.

The stream can bring partial fills in any order, and behind a report that contains them.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from ingest.portfolio.amount import NOTHING
from ingest.portfolio.broker_clock import BrokerClock
from ingest.portfolio.broker_report import BrokerReport
from ingest.portfolio.execution import Execution

DISBELIEF_SECONDS = 5.0
"""After an execution, a report that lacks it is not believed for this time: Alpaca's REST can be
behind its own stream."""

WAITING_AT_MOST = 100
"""More wait only while REST fails, and then the account is stale anyway."""


class _Expected(NamedTuple):
    """The quantity after the newest execution of a symbol, and until when reports must agree.

    ``fee``: what the broker may yet take from the quantity; ``moment``: the execution's own time.
    """

    qty: Decimal
    until: float
    fee: Decimal
    moment: float


class WaitingExecutions:
    """The executions that are not booked, and the quantities that reports must show.

    ``monotonic`` gives seconds.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._clock = BrokerClock()
        self._expected: dict[str, _Expected] = {}
        self._waiting: list[Execution] = []
        self._booked = Counter[str]()
        self._asked_at = 0.0

    def __bool__(self) -> bool:
        return bool(self._waiting)

    @property
    def booked(self) -> int:
        """The number of executions that were booked since the newest applied report."""
        return self._booked.total()

    def note(self, execution: Execution) -> None:
        """Note the quantity that reports must show from now on."""
        now, moment = self._monotonic(), execution.moment
        self._clock.on_execution(moment, now)
        before, qty = self._expected.get(execution.symbol), execution.qty
        # Partial fills can arrive out of order: the quantity is that of the newest.
        if before is not None and now < before.until and self._is_older(execution, before):
            qty, moment = before.qty, before.moment
        fee = execution.fee_at_most + self._fee(execution.symbol)
        until = now + DISBELIEF_SECONDS
        self._expected[execution.symbol] = _Expected(qty, until, fee, moment)

    def add(self, execution: Execution) -> None:
        """Let a noted execution wait behind the earlier ones, which it may complete."""
        self._waiting.append(execution)

    def remove_oldest(self) -> None:
        """Remove the oldest executions if too many wait."""
        del self._waiting[:-WAITING_AT_MOST]

    def on_booked(self, booked: Sequence[Execution], left: Sequence[Execution]) -> None:
        """Note that executions were booked, and which wait further."""
        self._booked.update(each.symbol for each in booked)
        self._waiting = list(left)

    def on_report_applied(self, asked_at: float) -> None:
        """Forget the executions: a report, requested then (monotonic), has replaced them."""
        self._asked_at = asked_at
        self._booked.clear()
        self._waiting.clear()

    def is_same(self, symbol: str, ours: Decimal, reported: Decimal) -> bool:
        """Return whether two quantities differ by nothing but a fee that the broker may take."""
        return NOTHING <= ours - reported <= self._fee(symbol)

    def contradict(self, report: BrokerReport) -> bool:
        """Return whether a report lacks the newest execution of a symbol, and came soon after."""
        now, reported = self._monotonic(), report.quantities
        return any(
            now < expected.until
            and symbol not in report.unreadable
            and not self.is_same(symbol, expected.qty, reported.get(symbol, NOTHING))
            for symbol, expected in self._expected.items()
        )

    def fitting(self, known: Mapping[str, Decimal]) -> tuple[list[Execution], list[Execution]]:
        """Return the waiting executions that fit, in their order, and those that do not.

        Those that a report already contains are in neither. ``known``: the present quantities.
        """
        left, fitting = list(self._waiting), list[Execution]()
        after = {each.symbol: known.get(each.symbol, NOTHING) for each in left}
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
            if not contained and self.is_same(each.symbol, before + each.delta, each.qty):
                return each
        return None

    def _contains_newest(self, symbol: str, known: Decimal) -> bool:
        """Return whether the newest report contains the newest execution of a symbol."""
        # Only a report can have taken a fee that the stream does not show. Of two purchases on the
        # stream, the second may be as small as the fee of the first.
        expected = self._expected[symbol].qty
        return symbol not in self._booked and self.is_same(symbol, expected, known)

    def _is_new(self, execution: Execution) -> bool:
        """Return whether the newest report was requested before an execution.

        If not, the report may contain it and its counterpart, so that it only seems to fit.
        """
        return not self._clock.is_before(execution.moment, self._asked_at)

    def _fee(self, symbol: str) -> Decimal:
        expected = self._expected.get(symbol)
        if expected is None or self._monotonic() >= expected.until:
            return NOTHING
        return expected.fee

    def _is_older(self, execution: Execution, newest: _Expected) -> bool:
        """Return whether an execution was before the newest known one of its symbol."""
        if execution.moment != newest.moment:
            return execution.moment < newest.moment
        # Two fills of one moment: their quantities give the order. If both orders are possible, as
        # after a purchase and a sale of the same size, that of their arrival counts.
        if execution.qty - execution.delta == newest.qty:
            return False
        return any(
            each.symbol == execution.symbol and each.qty - each.delta == execution.qty
            for each in self._waiting
        )
