"""The ``luld`` event: a stock's price bands of the plan Limit Up-Limit Down."""

import msgspec


class Luld(msgspec.Struct, kw_only=True):
    """Between these prices a stock may trade. A bound that is not in force is null.

    ``indicator`` is the exchange's code, of which Alpaca documents none; by the UTP specification:
    ``A`` opening update, ``B`` update within the day, ``C`` restated, ``D`` suspended during a halt
    or pause, ``E`` update at the reopening, ``F`` outside the rule's hours. ``received`` is unix
    µs. The JSON gets ``event_id`` when it is published.

    Source: https://docs.alpaca.markets/docs/real-time-stock-pricing-data#luld
    """

    symbol: str
    limit_up: float | None
    limit_down: float | None
    indicator: str | None
    tape: str | None
    timestamp: str
    received: int


encode = msgspec.json.Encoder().encode
