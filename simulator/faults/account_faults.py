"""The faults of the account: its reports by REST and its stream contradict each other."""

from decimal import Decimal

from simulator.account.asset import asset_of
from simulator.account.broker import Broker
from simulator.faults.armed import ArmedFaults, Fault
from simulator.protocol.subscription import ACCOUNT

_LARGEST = Decimal(10**9)


class AccountFaults:
    """Breaks one account's reports and updates; all raise ValueError for invalid arguments."""

    def __init__(self, armed: ArmedFaults, broker: Broker) -> None:
        self._armed = armed
        self._broker = broker

    def stale_positions(self, *, seconds: float) -> None:
        """Make REST return the account and its orders as they are now, for a time."""
        self._armed.arm(Fault("stale_positions", "statement", ACCOUNT.name), None, seconds)
        self._broker.freeze()

    def late_updates(self, *, seconds: float) -> None:
        """Delay the trade updates until the end of a time: the stream lags behind REST."""
        if not 0 < seconds < float("inf"):
            raise ValueError(f"seconds is {seconds}, expected a number above 0")
        self._broker.updates.delay(seconds)

    def lost_updates(self, *, count: int | None = None, seconds: float | None = None) -> None:
        """Do not send the next trade updates, although the stream lives."""
        self._armed.arm(Fault("lost_updates", "update", ACCOUNT.name), count, seconds)

    def swapped_updates(self, *, count: int | None = None) -> None:
        """Send the next trade update after the one that follows it; `count` is that of pairs."""
        self._armed.arm(Fault("swapped_updates", "update", ACCOUNT.name), count, None)

    def torn_report(
        self, *, symbol: str, qty: Decimal, price: Decimal, count: int | None = None
    ) -> None:
        """Fill an order right after the next response to `GET /v2/positions`.

        The account that is read after it then contains an execution that the positions lack.
        `qty` is negative for a sale, `price` in dollars.
        """
        asset = asset_of(symbol)
        _check("qty", qty, -_LARGEST)
        _check("price", price, Decimal(0))
        if not qty:
            raise ValueError("qty is 0, expected more to buy, less to sell")
        fault = Fault(
            "torn_report",
            "positions",
            ACCOUNT.name,
            symbol=asset.symbol,
            quantity=qty,
            price=price,
        )
        self._armed.arm(fault, count, None)

    def second_row(self, *, symbol: str, seconds: float) -> None:
        """Show a position in two rows with different `asset_id`, for a time.

        So does Alpaca after a reverse split, which deregisters the old shares.
        """
        fault = Fault("second_row", "row", ACCOUNT.name, symbol=asset_of(symbol).symbol)
        self._armed.arm(fault, None, seconds)

    def activity(
        self,
        *,
        symbol: str | None = None,
        qty: Decimal = Decimal(0),
        price: Decimal = Decimal(0),
        cash: Decimal = Decimal(0),
    ) -> None:
        """Change a position at a price, and the cash, with no order and no trade update.

        An option that expires has the price 0; an assignment is the option at 0 and its shares at
        the strike; a dividend or a transfer is only `cash`.
        """
        _check("qty", qty, -_LARGEST)
        _check("price", price, Decimal(0))
        _check("cash", cash, -_LARGEST)
        if (symbol is None) != (qty == 0):
            raise ValueError(f"symbol is {symbol!r} and qty is {qty}, expected both or neither")
        self._broker.book(symbol, qty, price, cash)

    def no_streams(self, *, count: int | None = None, seconds: float | None = None) -> None:
        """Answer a `listen` with no streams and an error; the connection stays open."""
        self._armed.arm(Fault("no_streams", "subscribe", ACCOUNT.name), count, seconds)


def _check(name: str, amount: Decimal, smallest: Decimal) -> None:
    if not amount.is_finite() or not smallest <= amount <= _LARGEST:
        raise ValueError(f"{name} is {amount}, expected {smallest} to {_LARGEST}")
