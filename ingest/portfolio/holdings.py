"""The open positions and the cash, as reports and executions make them. Pure, in Decimal."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from ingest.portfolio.holding import Holding

DISBELIEF_SECONDS = 5.0
"""After an execution, a report that lacks it is not believed for this time: Alpaca's REST can be
behind its own stream."""

EXPLANATION_SECONDS = 5.0
"""After a report with another quantity, the stream has this time to bring the execution."""

NOTHING = Decimal(0)


@dataclass(frozen=True)
class Execution:
    """The effect of a fill on a position.

    ``delta`` is negative for a sale; ``qty`` is the quantity after it; ``at`` is RFC 3339.
    """

    symbol: str
    asset_class: str
    delta: Decimal
    price: Decimal
    qty: Decimal
    at: str


@dataclass(frozen=True)
class ReportedAccount:
    """The account's amounts of money, as the broker reports them; None if it reports none."""

    cash: Decimal
    currency: str = "USD"
    equity: Decimal | None = None
    last_equity: Decimal | None = None
    buying_power: Decimal | None = None
    long_market_value: Decimal | None = None
    short_market_value: Decimal | None = None


class BrokerReport(NamedTuple):
    """The broker's own positions and account, requested ``asked_at`` (monotonic).

    ``as_of`` is the same time in RFC 3339. ``unreadable``: the symbols of positions whose rows
    could not be read.
    """

    holdings: Sequence[Holding]
    account: ReportedAccount
    asked_at: float
    as_of: str
    unreadable: Sequence[str] = ()


class Reconciled(NamedTuple):
    """The outcome of a report: whether all of it was believed, and whether its account was.

    ``changed``: the symbols whose holdings it changed.
    """

    believed: bool
    account_believed: bool
    changed: list[str]


class _Expected(NamedTuple):
    """The quantity after the newest execution of a symbol, and until when reports must agree."""

    qty: Decimal
    until: float
    known_at: float


class Holdings:
    """Reconciles the broker's reports with the executions of its stream, in any order.

    A report is the truth, unless it is older than an execution. ``monotonic`` gives seconds.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self.by_symbol: dict[str, Holding] = {}
        self.account: ReportedAccount | None = None
        """The account of the newest believed report; None before the first."""
        self.as_of: str | None = None
        self.unreadable: Sequence[str] = ()
        self._monotonic = monotonic
        self._spent = NOTHING
        self._asked_at = 0.0
        self._expected: dict[str, _Expected] = {}
        self._unexplained: dict[str, float] = {}

    @property
    def spent(self) -> Decimal:
        """The cost of the executions since the newest believed report."""
        return self._spent

    def on_report(self, report: BrokerReport, streaming_since: float | None) -> Reconciled:
        """Accept a report, except for the symbols whose newest execution it lacks.

        ``streaming_since``: the monotonic time since which the stream has brought executions
        without a break; None while it is disconnected.
        """
        now = self._monotonic()
        # Only if the stream was there for the whole time between two reports must it have brought
        # the execution behind a changed quantity.
        streamed = streaming_since is not None and self._asked_at > streaming_since
        reported = {each.symbol: each for each in report.holdings}
        symbols = {*reported, *self.by_symbol}.difference(report.unreadable)
        doubted = {s for s in symbols if self._is_behind(report, reported.get(s), s, now)}
        changed: list[str] = []
        for symbol in sorted(symbols - doubted):
            row, known = reported.get(symbol), self.by_symbol.get(symbol)
            row = row and row.continuing(known)
            if streamed and quantity(row) != quantity(known):
                self._unexplained.setdefault(symbol, now)
            if row != known:
                self._set(symbol, row)
                changed.append(symbol)
        # Whether the cash already contains a doubted execution is unknown, so the account of such
        # a report is not used. The first account is better than none.
        account_believed = not doubted or self.account is None
        if account_believed:
            self.account, self.as_of, self._spent = report.account, report.as_of, NOTHING
            self._asked_at, self.unreadable = report.asked_at, report.unreadable
        return Reconciled(not doubted, account_believed, changed)

    def on_execution(self, execution: Execution) -> bool:
        """Accept an execution; return whether it changed the holding.

        It does not if a report already contains it. Nor does it if it does not fit the known
        quantity: an execution before it is missing, and the next report corrects both.
        """
        now, symbol = self._monotonic(), execution.symbol
        self._expected[symbol] = _Expected(execution.qty, now + DISBELIEF_SECONDS, now)
        self._unexplained.pop(symbol, None)
        known = self.by_symbol.get(symbol)
        if self.account is None or quantity(known) + execution.delta != execution.qty:
            return False
        opened = Holding.opened(
            symbol, execution.asset_class, execution.delta, execution.price, execution.at
        )
        after = known.after(execution.delta, execution.price, execution.at) if known else opened
        self._spent += (known or opened).multiplier * execution.delta * execution.price
        self._set(symbol, after)
        return True

    def take_unexplained(self) -> str | None:
        """Return, once, a symbol whose quantity changed and whose execution never came."""
        now = self._monotonic()
        for symbol, since in self._unexplained.items():
            if now - since > EXPLANATION_SECONDS:
                del self._unexplained[symbol]
                return symbol
        return None

    def _is_behind(
        self, report: BrokerReport, row: Holding | None, symbol: str, now: float
    ) -> bool:
        """Return whether a report lacks the newest execution of a symbol."""
        expected = self._expected.get(symbol)
        if expected is None or now >= expected.until:
            return False
        return report.asked_at < expected.known_at or quantity(row) != expected.qty

    def _set(self, symbol: str, holding: Holding | None) -> None:
        if holding is None:
            self.by_symbol.pop(symbol, None)
        else:
            self.by_symbol[symbol] = holding


def quantity(holding: Holding | None) -> Decimal:
    """Return the quantity of a holding, 0 for none."""
    return NOTHING if holding is None else holding.qty
