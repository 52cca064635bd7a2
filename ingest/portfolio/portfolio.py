"""The open positions and the account's money: what the broker says, at the tape's prices. Pure."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from msgspec import structs

from ingest.portfolio.broker_rows import US_EQUITY, AccountRow
from ingest.portfolio.holding import Holding, fraction, rounded
from ingest.portfolio.mark import Mark, mark_of
from shared.account import Account, BrokerState
from shared.position import Position
from shared.price import Price
from shared.topics import InvalidSymbolError, stock_symbol

BELIEVED_SECONDS = 5.0
"""So long after an execution a report that does not know of it yet is not believed."""

UNEXPLAINED_SECONDS = 5.0
"""So long after a report has brought another quantity the stream may bring the execution."""

NOTHING = Decimal(0)

ACCOUNT_SECONDS = 0.25
"""How often the account is told again where only prices have changed: it takes all positions."""


@dataclass(frozen=True)
class Execution:
    """What a fill did to a position: ``delta`` is negative when sold, ``qty`` is held after it."""

    symbol: str
    asset_class: str
    delta: Decimal
    price: Decimal
    qty: Decimal
    at: str


class Report(NamedTuple):
    """What the broker holds for us; ``asked_at`` is monotonic, ``as_of`` the same in RFC 3339.

    ``unreadable``: the symbols of positions of which nothing else is known.
    """

    holdings: Sequence[Holding]
    account: AccountRow
    asked_at: float
    as_of: str
    unreadable: Sequence[str] = ()


class _Expected(NamedTuple):
    qty: Decimal
    until: float
    known_at: float


class Portfolio:
    """What is held, revalued by every price; ``monotonic`` gives seconds.

    ``price_of`` gives a stock's last price on the tape. Changes collect until ``take_changes``;
    ``on_change`` is called when there begin to be some.
    """

    def __init__(
        self, price_of: Callable[[str], Price | None], monotonic: Callable[[], float]
    ) -> None:
        self.holdings: dict[str, Holding] = {}
        self.on_change: Callable[[], None] = lambda: None
        self._state: BrokerState = "unknown"
        self._reason: str | None = "the broker has not reported yet"
        self.before: Account | None = None
        self._price_of = price_of
        self._monotonic = monotonic
        self._account: AccountRow | None = None
        self._spent = NOTHING
        """What executions have cost since the report."""
        self._as_of: str | None = None
        self._asked_at = 0.0
        self._unreadable: Sequence[str] = ()
        self._expected: dict[str, _Expected] = {}
        self._unexplained: dict[str, float] = {}
        self._changed: dict[str, None] = {}
        self._account_due = False
        self._account_told_at = -ACCOUNT_SECONDS
        self._repriced = False

    def remember(self, before: Account) -> None:
        """Take the account that an earlier leader told, which holds until the first report."""
        self.before = before
        for symbol in before.positions:
            self._touch(symbol)

    def reprice(self, symbol: str) -> None:
        """Note that the tape has another last price."""
        if symbol in self.holdings:
            self._touch(symbol)

    def stocks(self) -> Iterator[str]:
        """Yield the symbols of the positions that the stock stream can price."""
        for holding in self.holdings.values():
            with suppress(InvalidSymbolError):
                if holding.asset_class == US_EQUITY:
                    yield stock_symbol(holding.symbol)

    @property
    def relies_on_broker(self) -> bool:
        """Whether a position has no price of the tape, so that only reports revalue it."""
        return any(self._mark(each).source != "trade" for each in self.holdings.values())

    def unexplained(self) -> str | None:
        """Return a symbol whose quantity changed without an execution on the stream for too long.

        Each is returned once.
        """
        now = self._monotonic()
        for symbol, since in self._unexplained.items():
            if now - since > UNEXPLAINED_SECONDS:
                del self._unexplained[symbol]
                return symbol
        return None

    def set_state(self, state: BrokerState, reason: str | None) -> None:
        """Take how the broker can be reached, and why not better."""
        if (state, reason) != (self._state, self._reason):
            self._state, self._reason = state, reason
            self._account_due = True
            self.on_change()

    def take_report(self, report: Report, heard_since: float | None) -> bool:
        """Take a report; return whether all of it was believed.

        ``heard_since``: since when executions have been heard, monotonic. What a later execution
        has changed, and what does not know of an execution just before, stays as it is.
        """
        now = self._monotonic()
        heard = heard_since is not None and self._asked_at > heard_since
        reported = {each.symbol: each for each in report.holdings}
        symbols = {*reported, *self.holdings}.difference(report.unreadable)
        doubted = {s for s in symbols if self._doubts(reported.get(s), s, report.asked_at, now)}
        for symbol in sorted(symbols - doubted):
            row, known = reported.get(symbol), self.holdings.get(symbol)
            if heard and _qty(row) != _qty(known):
                self._unexplained.setdefault(symbol, now)
            if row != known:
                self._hold(symbol, row)
        if not doubted or self._account is None:
            self._account, self._as_of, self._spent = report.account, report.as_of, NOTHING
            self._asked_at, self._unreadable = report.asked_at, report.unreadable
            self._account_due = True
            self.on_change()
        return not doubted

    def take_execution(self, execution: Execution) -> None:
        """Take an execution, unless a report was faster; what does not fit waits for the next."""
        now, symbol = self._monotonic(), execution.symbol
        self._expected[symbol] = _Expected(execution.qty, now + BELIEVED_SECONDS, now)
        self._unexplained.pop(symbol, None)
        known = self.holdings.get(symbol)
        if self._account is None or _qty(known) + execution.delta != execution.qty:
            return
        opened = Holding.opened(
            symbol, execution.asset_class, execution.delta, execution.price, execution.at
        )
        after = known.after(execution.delta, execution.price, execution.at) if known else opened
        self._spent += (known or opened).multiplier * execution.delta * execution.price
        self._hold(symbol, after)

    def touch_all(self) -> None:
        """Have everything told again: a new epoch, or an empty Redis."""
        for symbol in self.holdings:
            self._touch(symbol)
        self._account_due = True
        self.on_change()

    def take_changes(self) -> tuple[list[Position], Account | None]:
        """Return, once, the positions that changed, closed ones included, and the account if due.

        The account comes with whatever else has changed but prices, or every ``ACCOUNT_SECONDS``.
        """
        changed: dict[str, None] = {}
        if self._account is not None:  # until then nobody knows what has become of them
            changed, self._changed = self._changed, {}
        self._repriced = self._repriced or bool(changed)
        if not self._account_due and self.seconds_to_account() != 0:
            return [self._event(each) for each in changed], None
        self._account_due = self._repriced = False
        self._account_told_at = self._monotonic()
        return [self._event(each) for each in changed], self.account()

    def seconds_to_account(self) -> float | None:
        """Return after how many seconds the account is due; None if nothing has changed."""
        if not self._repriced:
            return None
        return max(0.0, self._account_told_at + ACCOUNT_SECONDS - self._monotonic())

    def account(self) -> Account:
        """Return the account at the newest prices."""
        told = self._account
        if told is None:
            before = self.before or Account(state="unknown")
            return structs.replace(before, state=self._state, reason=self._reason)
        prices = [(each, self._mark(each).price) for each in self.holdings.values()]
        priced = [(each, each.value(price)) for each, price in prices if price is not None]
        longs = sum((value for _, value in priced if value > 0), NOTHING)
        shorts = sum((value for _, value in priced if value < 0), NOTHING)
        day_gains = [None if h.day_basis is None else value - h.day_basis for h, value in priced]
        unpriced = sorted(
            {h.symbol for h, price in prices if price is None}.union(self._unreadable)
        )
        cash = told.cash - self._spent
        equity = cash + _other_assets(told) + longs + shorts
        day = None if told.last_equity is None else equity - told.last_equity
        return Account(
            state=self._state,
            reason=self._reason,
            currency=told.currency,
            equity=rounded(equity),
            last_equity=rounded(told.last_equity),
            day_pl=rounded(day),
            day_plpc=fraction(day, told.last_equity),
            cash=rounded(cash),
            buying_power=rounded(told.buying_power),
            long_market_value=rounded(longs),
            short_market_value=rounded(shorts),
            unrealized_pl=rounded(sum((value - h.cost_basis for h, value in priced), NOTHING)),
            unrealized_intraday_pl=rounded(_sum(day_gains)),
            positions=sorted(self.holdings),
            unpriced=unpriced,
            partial=bool(unpriced),
            as_of=self._as_of,
        )

    def _event(self, symbol: str) -> Position:
        holding = self.holdings.get(symbol)
        if holding is None:
            return Position(symbol=symbol, removed=True, as_of=self._as_of)
        return holding.at(self._mark(holding))

    def _mark(self, holding: Holding) -> Mark:
        return mark_of(
            holding.asset_class,
            self._price_of(holding.symbol),
            holding.broker_price,
            holding.lastday_price,
        )

    def _doubts(self, row: Holding | None, symbol: str, asked_at: float, now: float) -> bool:
        """Say whether a report does not know yet of what the stream has told about a symbol."""
        expected = self._expected.get(symbol)
        if expected is None or now >= expected.until:
            return False
        return asked_at < expected.known_at or _qty(row) != expected.qty

    def _hold(self, symbol: str, holding: Holding | None) -> None:
        if holding is None:
            self.holdings.pop(symbol, None)
        else:
            self.holdings[symbol] = holding
        self._account_due = True
        self._touch(symbol)

    def _touch(self, symbol: str) -> None:
        self._changed[symbol] = None
        self.on_change()


def _qty(holding: Holding | None) -> Decimal:
    return NOTHING if holding is None else holding.qty


def _sum(amounts: Iterable[Decimal | None]) -> Decimal | None:
    """Return the sum; None where one is not known."""
    known = list(amounts)
    return None if None in known else sum(filter(None, known), NOTHING)


def _other_assets(told: AccountRow) -> Decimal:
    """Return what the broker counts as equity beside cash and positions."""
    if told.equity is None or told.long_market_value is None or told.short_market_value is None:
        return NOTHING
    return told.equity - told.cash - told.long_market_value + abs(told.short_market_value)
