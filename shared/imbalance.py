"""The ``imbalance`` event: the orders of a stock to buy and to sell do not match."""

import msgspec


class Imbalance(msgspec.Struct, kw_only=True):
    """An imbalance of orders at a price, in dollars; Alpaca states neither the side nor the size.

    Such reports come mostly during halts by limit up-limit down. ``timestamp`` is the exchange's,
    ``received`` unix µs. The JSON gets ``event_id`` when it is published.

    Source: https://docs.alpaca.markets/docs/real-time-stock-pricing-data#order-imbalances
    """

    symbol: str
    price: float
    tape: str | None
    timestamp: str
    received: int


encode = msgspec.json.Encoder().encode
