"""Executions, reports and prices in any order, beside a ledger that is evidently right."""

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ingest.alpaca.account_rows import read_account, read_positions
from ingest.portfolio.amount import rounded
from ingest.portfolio.broker_report import BrokerReport
from ingest.portfolio.execution import Execution
from ingest.portfolio.portfolio import Portfolio
from ingest.upstream import account_translation
from shared import rfc3339
from shared.price import Price
from tests.examples import examples
from tests.ingest.demand.wants import Clock
from tests.ingest.portfolio.rows import AS_OF

SYMBOLS = ("BAC", "IBM")
CLOSE = Decimal(10)

fill = st.tuples(st.just("fill"), st.sampled_from(SYMBOLS), st.integers(-5, 5).filter(bool))
price = st.tuples(st.just("price"), st.sampled_from(SYMBOLS), st.integers(900, 1100))
report = st.tuples(st.just("report"))
steps = st.lists(st.one_of(fill, price, report), max_size=40)


class Broker:
    """Cash, quantities and average costs; everything was bought today, and is sold in that order.

    ``units`` are the prices of the single units that are owned or sold short, oldest first.
    """

    def __init__(self) -> None:
        self.cash, self.other = Decimal(1000), Decimal("12.5")
        self.qty = dict.fromkeys(SYMBOLS, Decimal(0))
        self.cost = dict.fromkeys(SYMBOLS, Decimal(0))
        self.price = dict.fromkeys(SYMBOLS, CLOSE)
        self.units: dict[str, list[Decimal]] = {symbol: [] for symbol in SYMBOLS}

    def fill(self, symbol: str, delta: Decimal) -> None:
        price, before = self.price[symbol], self.qty[symbol]
        after = before + delta
        self.cash -= delta * price
        self.qty[symbol] = after
        if before * delta >= 0:
            self.cost[symbol] += delta * price
        elif after * before > 0:
            self.cost[symbol] *= after / before
        else:
            self.cost[symbol] = after * price
        opened = max(0, abs(int(delta)) - (len(self.units[symbol]) if before * delta < 0 else 0))
        closed = abs(int(delta)) - opened
        self.units[symbol] = self.units[symbol][closed:] + [price] * opened

    def day_gain(self, symbol: str) -> Decimal:
        sign = 1 if self.qty[symbol] > 0 else -1
        return self.value(symbol) - sign * sum(self.units[symbol])

    def value(self, symbol: str) -> Decimal:
        return self.qty[symbol] * self.price[symbol]

    @property
    def equity(self) -> Decimal:
        return self.cash + self.other + sum(map(self.value, SYMBOLS))

    def report(self, asked_at: float) -> BrokerReport:
        rows = [
            {
                "symbol": symbol,
                "qty": str(qty),
                "side": "long" if qty > 0 else "short",
                "cost_basis": str(self.cost[symbol]),
                "market_value": str(self.value(symbol)),
                "unrealized_intraday_pl": str(self.day_gain(symbol)),
                "current_price": str(self.price[symbol]),
                "lastday_price": str(CLOSE),
            }
            for symbol, qty in self.qty.items()
        ]
        values = [self.value(symbol) for symbol in SYMBOLS]
        account = {
            "cash": str(self.cash),
            "equity": str(self.equity),
            "last_equity": "1000",
            "long_market_value": str(sum(value for value in values if value > 0)),
            "short_market_value": str(sum(value for value in values if value < 0)),
        }
        read, _ = read_positions(rows)
        held = [account_translation.holding(row, AS_OF) for row in read]
        return BrokerReport(
            held, account_translation.account(read_account(account)), asked_at, AS_OF
        )


@examples(times=3)
@given(steps)
def test_at_every_moment_money_and_positions_are_those_of_the_ledger(
    taken: list[tuple[Any, ...]],
) -> None:
    clock, tape, broker = Clock(), dict[str, Price](), Broker()
    portfolio = Portfolio(tape.get, clock)
    portfolio.on_report(broker.report(clock.now), None)
    for kind, *about in taken:
        clock.now += 0.001
        if kind == "report":
            assert portfolio.on_report(broker.report(clock.now), None)
        elif kind == "price":
            symbol, cents = about
            broker.price[symbol] = Decimal(cents) / 100
            tape[symbol] = Price(symbol=symbol, price=cents / 100)
            portfolio.reprice(symbol)
        else:
            symbol, delta = about[0], Decimal(about[1])
            broker.fill(symbol, delta)
            tape.setdefault(symbol, Price(symbol=symbol, price=float(CLOSE)))
            at_price, held = broker.price[symbol], broker.qty[symbol]
            at = rfc3339.from_unix(clock.now)
            portfolio.on_execution(Execution(symbol, "us_equity", delta, at_price, held, at))

        told = portfolio.account()
        assert told.cash == rounded(broker.cash)
        assert told.equity == rounded(broker.equity)
        assert told.positions == [symbol for symbol in SYMBOLS if broker.qty[symbol]]
        for symbol in told.positions:
            held_now = portfolio.holdings.by_symbol[symbol]
            event = held_now.at(portfolio._mark(held_now))
            gain = rounded(broker.value(symbol) - broker.cost[symbol])
            assert (event.qty, event.unrealized_pl) == (float(broker.qty[symbol]), gain)
            assert event.unrealized_intraday_pl == rounded(broker.day_gain(symbol))
