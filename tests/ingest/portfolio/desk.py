"""A portfolio that is fed by hand, with a fake clock."""

from decimal import Decimal
from typing import Any

from ingest.portfolio.broker_report import BrokerReport
from ingest.portfolio.execution import Execution
from ingest.portfolio.holding import Holding
from ingest.portfolio.portfolio import Portfolio
from shared import rfc3339
from shared.account import Account
from tests.ingest.demand.wants import Clock
from tests.ingest.portfolio.rows import AS_OF, account, holding


class Desk(Portfolio):
    """A portfolio with a fake clock, and no tape: the broker's prices count."""

    def __init__(self) -> None:
        self.clock = Clock()
        super().__init__(lambda _: None, self.clock)

    def report(self, *rows: Holding, settled: bool = True, **money: Any) -> bool:
        """Bring a report that was requested and answered just now."""
        self.clock.now += 0.05
        unreadable: list[str] = money.pop("unreadable", [])
        told = BrokerReport(
            rows, account(**money), self.clock.now, AS_OF, unreadable, settled=settled
        )
        return self.on_report(told, 0.5)

    def fill(
        self, symbol: str, delta: str, price: str, qty: str, late: float = 0.0, **more: Any
    ) -> None:
        """Bring an execution, which happened ``late`` seconds before."""
        self.clock.now += 0.05
        at = rfc3339.from_unix(self.clock.now - late)
        kind = "crypto" if "/" in symbol else "us_equity"
        numbers = Decimal(delta), Decimal(price), Decimal(qty)
        self.holdings.witness.on_message(symbol)
        self.on_execution(Execution(symbol, kind, *numbers, at, **more))

    def after(self, seconds: float = 0.0) -> Account:
        """Return the account some seconds later."""
        self.clock.now += seconds
        self.set_state("live", None)
        return self.account()

    @property
    def quantities(self) -> dict[str, float]:
        return {symbol: float(each.qty) for symbol, each in self.holdings.by_symbol.items()}


def shares(symbol: str, qty: str, price: str = "100", **more: Any) -> Holding:
    """Return a position that was bought today at its present price."""
    return holding(symbol, qty, price, price, unrealized_intraday_pl="0", **more)
