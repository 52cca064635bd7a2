"""The positions and the account at the tape's prices, and which of them to announce. Pure."""

from collections.abc import Callable, Iterator, Sequence, Set
from decimal import Decimal

from msgspec import structs

from ingest.portfolio.amount import NOTHING, fraction, is_plausible, rounded, total
from ingest.portfolio.asset_class import US_EQUITY
from ingest.portfolio.broker_report import BrokerReport, ReportedAccount
from ingest.portfolio.execution import Execution
from ingest.portfolio.holding import Holding
from ingest.portfolio.holdings import Holdings
from ingest.portfolio.mark import BrokerPrice, Mark, mark_of
from shared.account import Account, BrokerState
from shared.position import Position
from shared.price import Price

ACCOUNT_SECONDS = 0.25
"""The shortest time between two events of the account if only prices change: an event values all
positions."""

DOUBT = (
    "an execution or a report of the broker contradicts the others; until one report agrees, these "
    "figures may lack the newest executions"
)

TOTALS_DIFFER = (
    "the broker's totals contain more or less than its positions do: a position may be missing here"
)

_UNREADABLE = "the broker's row of this position cannot be read: quantity and cost are older"
_NO_AVERAGE = (
    "the broker has several assets with this symbol, and has not reported their average price"
)
_BLENDED = "the broker has several assets with this symbol: this is their average price"


class Portfolio:
    """The account's holdings, revalued by every price; ``monotonic`` gives seconds.

    ``price_of`` gives a symbol's last price on the tape, which counts for the classes of assets in
    ``priced``. Changes collect until ``take_changes``;
    ``on_change`` is called at each.
    """

    def __init__(
        self,
        price_of: Callable[[str], Price | None],
        monotonic: Callable[[], float],
        on_change: Callable[[], None] = lambda: None,
        *,
        priced: Set[str] = frozenset({US_EQUITY}),
    ) -> None:
        self._priced = priced
        self.holdings = Holdings(monotonic)
        self.restored: Account | None = None
        """The account that an earlier leader published; it stands until the first report."""
        self._on_change = on_change
        self._state: BrokerState = "unknown"
        self._reason: str | None = "the broker has not reported yet"
        self._announced_state: tuple[BrokerState, str | None] = self._effective_state
        self._price_of = price_of
        self._monotonic = monotonic
        self._changed: dict[str, None] = {}
        self._account_due = False
        self._account_at = -ACCOUNT_SECONDS
        self._repriced = False

    def restore(self, account: Account) -> None:
        """Accept the account that an earlier leader published."""
        self.restored = account
        for symbol in account.positions:
            self._note_change(symbol)

    def reprice(self, symbol: str) -> None:
        """Note that the tape has another last price."""
        if symbol in self.holdings.by_symbol:
            self._note_change(symbol)

    def symbols(self) -> Iterator[str]:
        """Yield the symbols of the positions that a stream can price."""
        for holding in self.holdings.by_symbol.values():
            if holding.asset_class in self._priced:
                yield holding.symbol

    @property
    def relies_on_broker(self) -> bool:
        """Whether the tape has no price for a position, so that only reports revalue it."""
        marks = (self._mark(each) for each in self.holdings.by_symbol.values())
        return any(mark.source != "trade" for mark in marks)

    def set_state(self, state: BrokerState, reason: str | None) -> None:
        """Accept whether the broker can be reached, and the reason if it cannot.

        Called at least once a second, it also announces a doubt of the holdings that lasts.
        """
        self._state, self._reason = state, reason
        # Figures in doubt show the executions that were kept back, as far as they fit.
        if self.holdings.in_doubt:
            self._note_executed(self.holdings.book_waiting())
        if self._effective_state != self._announced_state:
            self._account_due = True
            self._on_change()

    def on_report(self, report: BrokerReport, streaming_since: float | None) -> bool:
        """Apply a report; return whether no other is needed. See ``Holdings.on_report``."""
        before = self.holdings.totals_differ
        reconciled = self.holdings.on_report(report, streaming_since)
        for symbol in reconciled.changed:
            self._note_change(symbol)
        # An applied report has a new ``as_of``, even if no figure has changed.
        if reconciled.applied:
            self._account_due = True
            self._on_change()
        # It may have shown that no earlier one is missing.
        self._note_executed(self.holdings.book_waiting())
        # Totals that were read in a moment of wild prices agree with the next rows.
        return reconciled.applied and (before or not self.holdings.totals_differ)

    def on_execution(self, *executions: Execution) -> None:
        """Accept the executions of one update. See ``Holdings.on_execution``."""
        self._note_executed(self.holdings.on_execution(*executions))

    def repeat_all(self) -> None:
        """Announce everything again, for a new epoch or an empty Redis."""
        for symbol in self.holdings.by_symbol:
            self._note_change(symbol)
        self._account_due = True
        self._on_change()

    def take_changes(self) -> tuple[list[Position], Account | None]:
        """Return, once, the positions that changed, closed ones included, and the account if due.

        The account is due at once when more than prices has changed, otherwise every
        ``ACCOUNT_SECONDS``.
        """
        changed: dict[str, None] = {}
        # Before the first report, the fate of the restored positions is unknown: they may be open
        # or closed, so no event is right for them yet.
        if self.holdings.account is not None:
            changed, self._changed = self._changed, {}
        self._repriced = self._repriced or bool(changed)
        positions = [self._event(each) for each in changed]
        if not self._account_due and self.seconds_to_account() != 0:
            return positions, None
        self._account_due = self._repriced = False
        self._account_at = self._monotonic()
        self._announced_state = self._effective_state
        return positions, self.account()

    def seconds_to_account(self) -> float | None:
        """Return the seconds until the account is due; None if no price has changed."""
        if not self._repriced:
            return None
        return max(0.0, self._account_at + ACCOUNT_SECONDS - self._monotonic())

    def account(self) -> Account:
        """Return the account at the newest prices."""
        reported, (state, reason) = self.holdings.account, self._effective_state
        if reported is None:
            before = self.restored or Account(state="unknown")
            return structs.replace(before, state=state, reason=reason)
        prices = [(each, self._mark(each).price) for each in self.holdings.by_symbol.values()]
        # A product of plausible numbers may still be none: such a position has no value.
        priced = [
            (each, each.value(price))
            for each, price in prices
            if price is not None and is_plausible(each.value(price))
        ]
        longs = sum((value for _, value in priced if value > 0), NOTHING)
        shorts = sum((value for _, value in priced if value < 0), NOTHING)
        day_gains = [None if h.day_basis is None else value - h.day_basis for h, value in priced]
        unpriced = {h.symbol for h, _ in prices} - {h.symbol for h, _ in priced}
        unpriced.update(self.holdings.unreadable)
        # The report's own equity is of its moment: executions and prices have moved ours since.
        cash = reported.cash - self.holdings.spent
        equity = cash + _other_assets(reported) + longs + shorts
        day = None if reported.last_equity is None else equity - reported.last_equity
        return Account(
            state=state,
            reason=reason,
            currency=reported.currency,
            equity=rounded(equity),
            last_equity=rounded(reported.last_equity),
            day_pl=rounded(day),
            day_plpc=fraction(day, reported.last_equity),
            cash=rounded(cash),
            buying_power=rounded(reported.buying_power),
            long_market_value=rounded(longs),
            short_market_value=rounded(shorts),
            unrealized_pl=rounded(sum((value - h.cost_basis for h, value in priced), NOTHING)),
            unrealized_intraday_pl=rounded(total(day_gains)),
            positions=sorted(self.holdings.by_symbol),
            unpriced=sorted(unpriced),
            partial=bool(unpriced) or self.holdings.totals_differ,
            as_of=self.holdings.as_of,
        )

    @property
    def _effective_state(self) -> tuple[BrokerState, str | None]:
        """The state to announce: a broker that answers is not live while its figures are not."""
        if self._state != "live":
            return self._state, self._reason
        # The first report contradicts an execution that came meanwhile: the next one decides.
        if self.holdings.account is None:
            state: BrokerState = "unknown" if self.restored is None else "stale"
            return state, "the broker has not reported a whole account yet"
        if self.holdings.in_doubt:
            return "stale", DOUBT
        return "live", TOTALS_DIFFER if self.holdings.totals_differ else None

    def _event(self, symbol: str) -> Position:
        holding = self.holdings.by_symbol.get(symbol)
        if holding is None:
            return Position(symbol=symbol, removed=True, as_of=self.holdings.as_of)
        return holding.at(self._mark(holding))

    def _mark(self, holding: Holding) -> Mark:
        if holding.symbol in self.holdings.unreadable:
            return Mark(None, reason=_UNREADABLE)
        # The tape has the price of only one of them.
        if holding.blended and holding.broker_price is None:
            return Mark(None, reason=_NO_AVERAGE)
        if holding.blended:
            return Mark(holding.broker_price, "broker", reason=_BLENDED)
        broker = BrokerPrice(holding.broker_price, holding.lastday_price, holding.as_of)
        is_priced = holding.asset_class in self._priced
        last = self._price_of(holding.symbol)
        return mark_of(holding.asset_class, last, broker, is_priced=is_priced)

    def _note_executed(self, symbols: Sequence[str]) -> None:
        for symbol in symbols:
            self._account_due = True
            self._note_change(symbol)

    def _note_change(self, symbol: str) -> None:
        self._changed[symbol] = None
        self._on_change()


def _other_assets(reported: ReportedAccount) -> Decimal:
    """Return the part of the broker's equity that is neither cash nor positions.

    Accrued fees, for example: they stay in our equity.
    """
    longs, shorts = reported.long_market_value, reported.short_market_value
    if reported.equity is None or longs is None or shorts is None:
        return NOTHING
    return reported.equity - reported.cash - longs + abs(shorts)
