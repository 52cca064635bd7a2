"""The broker: accepts orders, fills them as the market allows, and publishes the account's updates.

It knows neither HTTP nor sockets. Source of the rules: docs.alpaca.markets/docs/orders-at-alpaca;
docs/simulator.md lists the simplifications.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from copy import deepcopy
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from simulator.account.asset import Asset, asset_of
from simulator.account.ledger import Account, Holding
from simulator.account.multi_leg import LegRequest, MultiLegOrder, MultiLegRequest
from simulator.account.offers import Offers
from simulator.account.order import End, Event, Order, OrderRequest, Session, Side
from simulator.account.order_request import (
    NO_POWER,
    NOT_CANCELABLE,
    NOT_FOUND,
    TradingError,
    bad_input,
    read_replacement,
)
from simulator.account.prices import Prices
from simulator.account.update_queue import Update, UpdateQueue
from simulator.account.valuation import Statement
from simulator.faults.armed import ArmedFaults
from simulator.protocol.decimals import exact, text
from simulator.protocol.rfc3339 import SECOND, render
from simulator.protocol.subscription import ACCOUNT
from simulator.tape.hours import MarketHours, in_session, midnight

_TICK_SECONDS: Final = 0.25


class Broker:
    """One account and all of its orders."""

    def __init__(
        self,
        account: Account,
        market: Prices,
        hours: MarketHours,
        splits: Mapping[str, float],
        armed: ArmedFaults,
        clock: Callable[[], int],
        publish: Callable[[Update], None],
        on_update: Callable[[Update], None] = lambda _: None,
        *,
        is_position_qty_net: bool = True,
    ) -> None:
        """Set up a broker.

        Args:
            account: The account that the orders change.
            market: The source of prices.
            hours: The hours in which orders for stocks and options fill.
            splits: The new shares of a symbol today for one of yesterday.
            armed: The source of the faults that strike REST's view of the account.
            clock: Returns Unix time in nanoseconds.
            publish: Called with every update that reaches the account's stream.
            on_update: Called with every update when it happens.
            is_position_qty_net: Whether updates state the position after the fee of a purchase.
        """
        self.account = account
        self._market = market
        self._hours = hours
        self._splits = splits
        self._armed = armed
        self._clock = clock
        self.updates = UpdateQueue(armed, clock, publish)
        self._on_update = on_update
        self._is_position_qty_net = is_position_qty_net
        self._offers = Offers(market)
        self._orders: dict[str, Order] = {}
        self._open: dict[str, Order] = {}
        self._was_open: dict[Session, bool] = {"regular": False, "extended": False}
        self._executions = 0
        self._frozen: Statement | None = None

    def begin(self, holdings: Sequence[Holding]) -> None:
        """Restart the day with other holdings and the same cash; the orders stay."""
        self.account = Account(self.account.start_cash, holdings, self.account.crypto_fee)

    def submit(self, request: OrderRequest) -> dict[str, object]:
        """Accept an order, fill as much as possible at once, and return it as it was accepted.

        Raises:
            TradingError: 422 for an unknown symbol or a repeated client's id, 403 if the account
                cannot pay for it.
        """
        asset = request.asset
        if not self._market.knows(asset.market_symbol) and not self.account.quantity(asset.symbol):
            raise bad_input(f'asset "{asset.symbol}" not found')
        order = self._made(request)
        if self._cannot_pay(order, self._offers.price(asset, request.side)):
            raise TradingError(403, NO_POWER, "insufficient buying power")
        self._take(order)
        shown = order.shown()
        self._match(order)
        if request.time_in_force == "ioc" and order.is_open:
            self._end(order, "canceled")
        return shown

    def fill(self, symbol: str, quantity: Decimal, price: Decimal) -> Order:
        """Create an order and fill it at this price, regardless of market and account.

        `quantity` is negative for a sale, `price` in dollars.

        Raises:
            ValueError: the symbol is invalid, or the quantity is 0.
        """
        if not quantity:
            raise ValueError("quantity is 0, expected more to buy, less to sell")
        side: Side = "buy" if quantity > 0 else "sell"
        order = self._made(OrderRequest(asset_of(symbol), side, abs(quantity), time_in_force="gtc"))
        self._take(order)
        self._execute(order, abs(quantity), price)
        return order

    def submit_legs(self, request: MultiLegRequest) -> dict[str, object]:
        """Accept a multi-leg order and fill it as a whole, or else cancel it.

        Raises:
            TradingError: 422 if a leg has no price or the client's id is repeated, 403 if the
                account cannot pay for it.
        """
        prices = [self._offers.price(leg.asset, leg.side) for leg in request.legs]
        known = [price for price in prices if price is not None]
        if len(known) < len(prices):
            symbols = ", ".join(leg.asset.symbol for leg in request.legs)
            raise bad_input(f"one of the assets {symbols} has no price")
        order, net = self._with_legs(request), request.net(known)
        power = self._live().buying_power(without=order)
        if power is not None and request.cost(known) > power:
            raise TradingError(403, NO_POWER, "insufficient buying power")
        self._take(order)
        shown = order.shown()
        is_open = all(self._is_trading(leg) for leg in order.legs)
        if is_open and order.allows(net):
            self._execute_legs(order, request, request.quantity, known)
        else:
            self._end(order, "canceled")
        return shown

    def fill_legs(
        self, legs: Mapping[str, Decimal], prices: Sequence[Decimal], parts: int = 1
    ) -> Order:
        """Create a multi-leg order and fill it in equal parts, regardless of market and account.

        `legs` maps symbols to quantities in each part, negative for a sale; `prices` in dollars.

        Raises:
            ValueError: a symbol is invalid.
        """
        asked = [
            LegRequest(asset_of(symbol), "buy" if quantity > 0 else "sell", abs(quantity))
            for symbol, quantity in legs.items()
        ]
        request = MultiLegRequest(asked, Decimal(parts))
        order = self._with_legs(request)
        self._take(order)
        for _ in range(parts):
            self._execute_legs(order, request, Decimal(1), prices)
        return order

    def replace(self, order_id: str, change: bytes) -> dict[str, object]:
        """Replace an open order by one with the body's changes, and return that one.

        Raises:
            TradingError: 404 if there is none, 422 if it has ended or the change is invalid, 403 if
                the account cannot pay for the successor. The order then stays.
        """
        order = self._open_order(order_id)
        request = read_replacement(change, order)
        successor = self._made(request)
        successor.replaces = order.id
        if self._cannot_pay(successor, self._offers.price(request.asset, request.side), order):
            raise TradingError(403, NO_POWER, "insufficient buying power")
        order.status, order.updated_at = "pending_replace", self._clock()
        self._tell("pending_replace", order)
        order.replaced_by = successor.id
        self._end(order, "replaced")
        self._take(successor)
        shown = successor.shown()
        self._match(successor)
        return shown

    def book(self, symbol: str | None, quantity: Decimal, price: Decimal, cash: Decimal) -> None:
        """Change a position at a price, and the cash, with no order and no update.

        Raises:
            ValueError: the symbol is invalid.
        """
        if symbol is not None:
            self.account.book(asset_of(symbol), quantity, price, self._clock())
        self.account.cash += cash

    def positions_were_read(self) -> None:
        """Fill the order of a fault that tears a report, after its positions were read."""
        fault = self._armed.take("positions", ACCOUNT.name)
        if fault is not None and fault.symbol is not None:
            self.fill(fault.symbol, fault.quantity, fault.price)

    def cancel(self, order_id: str) -> None:
        """Cancel the rest of an order.

        Raises:
            TradingError: 404 if there is none, 422 if it has ended.
        """
        self._end(self._open_order(order_id), "canceled")

    def cancel_all(self) -> list[str]:
        """Cancel all open orders, and return their ids."""
        orders = list(self._open.values())
        for order in orders:
            self._end(order, "canceled")
        return [order.id for order in orders]

    def observe(self, symbol: object) -> None:
        """Fill orders as far as the newest message about a symbol (`BTC/USD`) allows."""
        for order in list(self._open.values()):
            if order.asset.market_symbol == symbol:
                self._match(order)

    async def run(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Check the market's hours periodically, until cancelled."""
        while True:
            self.tick()
            await sleep(_TICK_SECONDS)

    def tick(self) -> None:
        """Fill the orders that waited for the opening; expire day orders at the close.

        Delayed updates are passed on.
        """
        self.updates.release()
        is_open = self._sessions()
        for order in list(self._open.values()):
            session = order.session
            if session and self._was_open[session] and not is_open[session]:
                if order.request.time_in_force == "day":
                    self._end(order, "expired")
            else:
                self._match(order)
        self._was_open = is_open

    def statement(self) -> Statement:
        """Return REST's view of the account: the current one, or the frozen one."""
        if self._frozen is not None and self._armed.take("statement", ACCOUNT.name) is not None:
            return self._frozen
        in_two_rows = frozenset(
            symbol
            for symbol in self.account.positions
            if self._armed.take("row", ACCOUNT.name, symbol) is not None
        )
        return self._live(in_two_rows)

    def freeze(self) -> None:
        """Freeze REST's view of the account, in place of an earlier frozen one."""
        self._frozen = None
        now = self.statement()
        orders = deepcopy(list(now.orders))
        account = deepcopy(now.account)
        assets = {order.asset for order in orders}
        assets |= {position.asset for position in account.positions.values()}
        assets |= {asset_of(holding.symbol) for holding in account.holdings}
        prices = {asset: now.price(asset) for asset in assets}
        closes = {asset: now.close(asset) for asset in assets}
        self._frozen = Statement(
            account, orders, prices.get, closes.get, now.today, now.in_two_rows
        )

    def state(self) -> dict[str, object]:
        """Return the number of orders by status, and of fills, whole and partial."""
        counts = Counter(order.status for order in self._orders.values())
        return {"orders": dict(sorted(counts.items())), "fills": self._executions}

    def _open_order(self, order_id: str) -> Order:
        order = self._orders.get(order_id)
        if order is None:
            raise TradingError(404, NOT_FOUND, f"order not found for {order_id}")
        if not order.is_open:
            state = f'order is already in "{order.status}" state'
            raise TradingError(422, NOT_CANCELABLE, state)
        return order

    def _with_legs(self, request: MultiLegRequest) -> MultiLegOrder:
        whole, now = self._made(request.whole), self._clock()
        legs = []
        for index, leg in enumerate(request.legs):
            total = leg.ratio * request.quantity
            id_ = _uuid(f"leg {index} of {whole.id}")
            part = OrderRequest(leg.asset, leg.side, total, time_in_force=request.time_in_force)
            legs.append(Order(id_, _uuid(f"client order:{id_}"), part, now, now, total=total))
        return MultiLegOrder(
            whole.id,
            whole.client_order_id,
            whole.request,
            now,
            now,
            total=whole.total,
            ratios=[leg.ratio for leg in request.legs],
            legs=legs,
        )

    def _execute_legs(
        self,
        order: MultiLegOrder,
        request: MultiLegRequest,
        quantity: Decimal,
        prices: Sequence[Decimal],
    ) -> None:
        now, executed = self._clock(), []
        for leg, asked, price in zip(order.legs, request.legs, prices, strict=True):
            part = asked.ratio * quantity
            leg.execute(part, price, now)
            self.account.fill(leg.asset, asked.signed * quantity, price, now)
            self._executions += 1
            executed.append(
                {
                    "execution_id": _uuid(f"execution:{now}:{self._executions}"),
                    "order_id": leg.id,
                    "symbol": leg.asset.symbol,
                    "qty": text(part),
                    "price": text(price),
                    "timestamp": render(now),
                }
            )
        event = order.execute(quantity, request.net(prices), now)
        if not order.is_open:
            del self._open[order.id]
        after = {
            leg.asset.symbol: text(self.account.quantity(leg.asset.symbol)) for leg in order.legs
        }
        whole = {"price": text(request.net(prices)), "qty": text(quantity)}
        self._tell(event, order, **whole, position_qtys=after, legs=executed)

    def _made(self, request: OrderRequest) -> Order:
        now = self._clock()
        id_ = _uuid(f"order:{now}:{len(self._orders)}")
        client_order_id = request.client_order_id or _uuid(f"client order:{id_}")
        if any(order.client_order_id == client_order_id for order in self._orders.values()):
            raise bad_input(f"client_order_id must be unique: {client_order_id}")
        return Order(id_, client_order_id, request, now, now, total=request.quantity)

    def _take(self, order: Order) -> None:
        self._orders[order.id] = self._open[order.id] = order
        self._tell("new", order)

    def _match(self, order: Order) -> None:
        """Fill an order as far as the newest quote allows."""
        side = order.request.side
        price = self._offers.price(order.asset, side)
        if price is None or not order.allows(price) or not self._is_trading(order):
            return
        if not order.filled and self._cannot_pay(order, price):
            self._end(order, "rejected")
            return
        quantity = self._offers.take(order.asset, side, order.remaining(price))
        if quantity:
            self._execute(order, quantity, price)

    def _execute(self, order: Order, quantity: Decimal, price: Decimal) -> None:
        now = self._clock()
        event = order.execute(quantity, price, now)
        signed = quantity if order.request.side == "buy" else -quantity
        gross = self.account.quantity(order.asset.symbol) + signed
        self.account.fill(order.asset, signed, price, now)
        net = self.account.quantity(order.asset.symbol)
        self._executions += 1
        if not order.is_open:
            del self._open[order.id]
        self._tell(
            event,
            order,
            price=text(price),
            qty=text(quantity),
            position_qty=text(net if self._is_position_qty_net else gross),
            execution_id=_uuid(f"execution:{now}:{self._executions}"),
        )

    def _end(self, order: Order, status: End) -> None:
        order.end(status, self._clock())
        del self._open[order.id]
        self._tell(status, order)

    def _tell(self, event: Event, order: Order, **execution: object) -> None:
        timestamp = render(order.updated_at)
        update = {"event": event, "timestamp": timestamp, "order": order.shown(), **execution}
        self._on_update(update)
        self.updates.add(update)

    def _cannot_pay(
        self, order: Order, price: Decimal | None, instead_of: Order | None = None
    ) -> bool:
        """Return whether an order exceeds the buying power; False if prices are missing.

        `instead_of` is the order that it replaces.
        """
        statement = self._live()
        need = statement.bound(order, price)
        power = statement.buying_power(without=instead_of or order)
        return power is not None and need > max(power, Decimal(0))

    def _is_trading(self, order: Order) -> bool:
        return order.session is None or self._sessions()[order.session]

    def _sessions(self) -> dict[Session, bool]:
        now = datetime.fromtimestamp(self._clock() / SECOND, UTC)
        return {"regular": self._hours.is_open(now), "extended": in_session(self._hours, now)}

    def _live(self, in_two_rows: frozenset[str] = frozenset()) -> Statement:
        orders = list(self._orders.values())
        today = midnight(self._clock())
        return Statement(self.account, orders, self._price, self._close, today, in_two_rows)

    def _price(self, asset: Asset) -> Decimal | None:
        return exact(self._market.price(asset.market_symbol))

    def _close(self, asset: Asset) -> Decimal | None:
        """Return the close before today's, in today's shares."""
        close = exact(self._market.previous_close(asset.market_symbol, self._clock()))
        ratio = exact(self._splits.get(asset.symbol, 1))
        return None if close is None or ratio is None else close / ratio


def _uuid(name: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"simulator:{name}"))
