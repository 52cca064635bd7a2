"""The broker's answers, by hand."""

from decimal import Decimal
from typing import Any

from ingest.alpaca.account_rows import read_account, read_positions
from ingest.portfolio.broker_report import BrokerReport, ReportedAccount
from ingest.portfolio.execution import Execution
from ingest.portfolio.holding import Holding
from ingest.upstream import account_translation

AS_OF = "2026-11-25T15:00:00Z"
LATER = "2026-11-25T15:00:01.5Z"


def row(symbol: str, qty: str, entry: str, price: str | None, **more: Any) -> dict[str, Any]:
    """Return a row of ``GET /v2/positions`` of shares held since yesterday, at 10 then."""
    held, cost = Decimal(qty), Decimal(qty) * Decimal(entry)
    value = None if price is None else held * Decimal(price)
    given = {
        "symbol": symbol,
        "asset_class": "us_equity",
        "qty": qty,
        "side": "long" if held > 0 else "short",
        "avg_entry_price": entry,
        "cost_basis": str(cost),
        "market_value": None if value is None else str(value),
        "unrealized_pl": None if value is None else str(value - cost),
        "unrealized_intraday_pl": None if value is None else str(value - held * 10),
        "current_price": price,
        "lastday_price": "10",
    }
    return given | more


def holding(symbol: str, qty: str, entry: str, price: str | None, **more: Any) -> Holding:
    """Return what such a row makes."""
    [read], _ = read_positions([row(symbol, qty, entry, price, **more)])
    return account_translation.holding(read, AS_OF)


def account(cash: str = "1000", **more: Any) -> ReportedAccount:
    """Return an account without anything but cash."""
    row = {"cash": cash, "currency": "USD", "last_equity": "1000", **more}
    return account_translation.account(read_account(row))


def report(*holdings: Holding, asked_at: float = 0.0, cash: str = "1000") -> BrokerReport:
    """Return a report of the broker's."""
    return BrokerReport(holdings, account(cash), asked_at, AS_OF)


def execution(symbol: str, delta: str, price: str, held: str) -> Execution:
    """Return an execution after which ``held`` is held."""
    return Execution(symbol, "us_equity", Decimal(delta), Decimal(price), Decimal(held), LATER)
