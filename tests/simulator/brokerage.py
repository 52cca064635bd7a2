"""A broker with no server: it sees the published messages, and its updates are recorded."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from simulator.account.broker import Broker
from simulator.account.ledger import Account, Holding
from simulator.account.order_request import read_order
from simulator.account.update_queue import Update
from simulator.faults.armed import ArmedFaults
from simulator.protocol.rfc3339 import SECOND, parse
from simulator.tape.hours import AlwaysOpen, MarketHours, midnight
from simulator.tape.market import Market
from simulator.tape.recording import DailyBar

NOW = parse("2026-11-25T15:00:00Z")
MIDNIGHT = midnight(NOW)


class Brokerage:
    """A market whose prices a test makes, and a broker in it; time is in Unix nanoseconds."""

    def __init__(
        self,
        holdings: Sequence[Holding] = (),
        *,
        cash: Decimal = Decimal(25000),
        hours: MarketHours | None = None,
        closes: dict[str, float] | None = None,
        splits: dict[str, float] | None = None,
        is_position_qty_net: bool = True,
    ) -> None:
        self.now = NOW
        self.told: list[Update] = []
        self.market = Market(hours or AlwaysOpen())
        bars = {
            symbol: [DailyBar(o=close, h=close, l=close, c=close, v=1)]
            for symbol, close in (closes or {}).items()
        }
        self.market.expect(["BAC", "IBM", "SPY"], bars)
        self.armed = ArmedFaults(lambda: self.now / SECOND)
        self.broker = Broker(
            Account(cash, holdings),
            self.market,
            hours or AlwaysOpen(),
            splits or {},
            self.armed,
            lambda: self.now,
            self.told.append,
            is_position_qty_net=is_position_qty_net,
        )
        self.broker.tick()

    def quote(
        self, symbol: str, bid: float, ask: float, bid_size: float = 1e6, ask_size: float = 1e6
    ) -> None:
        sides = {"bp": bid, "bs": bid_size, "ap": ask, "as": ask_size}
        self._observe({"T": "q", "S": symbol, **sides})

    def trade(self, symbol: str, price: float) -> None:
        self._observe({"T": "t", "S": symbol, "p": price, "s": 1})

    def order(self, symbol: str, side: str, quantity: float | str, **more: Any) -> dict[str, Any]:
        """Send an order, and return the order as it then stands."""
        asked = {"symbol": symbol, "side": side, "qty": quantity} | {
            "type": "limit" if "limit_price" in more else "market",
            "time_in_force": "gtc",
        }
        taken = self.broker.submit(read_order(json.dumps(asked | more).encode()))
        return self.shown(str(taken["id"]))

    def shown(self, order_id: str) -> dict[str, Any]:
        [order] = [one for one in self.broker.statement().orders if one.id == order_id]
        return order.shown()

    def events(self) -> list[Any]:
        """Return the updates: each event, with quantity and price if it has them."""
        return [
            (one["event"], one["qty"], one["price"]) if "price" in one else one["event"]
            for one in self.told
        ]

    def _observe(self, message: dict[str, Any]) -> None:
        self.market.observe({**message, "t": self.now})
        self.broker.observe(message["S"])
