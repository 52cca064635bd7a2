"""Several rows of one symbol as one position. Pure, in Decimal.

After a reverse split or a merger the old shares have another CUSIP, and the broker lists both
assets under the symbol (forum.alpaca.markets/t/5541). ``BTCUSD`` and ``BTC/USD`` are one pair.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal

from ingest.portfolio.amount import NOTHING, total
from ingest.portfolio.holding import Holding


def by_symbol(rows: Iterable[Holding]) -> tuple[list[Holding], list[str]]:
    """Return one position for each symbol, and the symbols whose rows have no sum."""
    groups: dict[str, list[Holding]] = {}
    for row in rows:
        groups.setdefault(row.symbol, []).append(row)
    holdings: list[Holding] = []
    unreadable: list[str] = []
    for symbol, group in groups.items():
        # Long in one asset and short in the other: one quantity cannot express both. The sum with
        # an impossible number is as impossible.
        if (
            not all(row.is_plausible for row in group)
            or len({(row.side, row.asset_class, row.multiplier) for row in group}) > 1
        ):
            unreadable.append(symbol)
        else:
            holdings.append(group[0] if len(group) == 1 else _sum(group))
    return holdings, unreadable


def _sum(group: Sequence[Holding]) -> Holding:
    first, prices = group[0], {row.broker_price for row in group}
    qty = sum((row.qty for row in group), NOTHING)
    cost = sum((row.cost_basis for row in group), NOTHING)
    return replace(
        first,
        qty=qty,
        cost_basis=cost,
        day_basis=total(row.day_basis for row in group),
        avg_entry_price=cost / (qty * first.multiplier),
        lastday_price=_average(group, [row.lastday_price for row in group], qty),
        broker_price=_average(group, [row.broker_price for row in group], qty),
        # Rows with no price may have different ones: the tape has that of one asset at most.
        blended=len(prices) > 1 or None in prices,
    )


def _average(
    group: Sequence[Holding], prices: Sequence[Decimal | None], qty: Decimal
) -> Decimal | None:
    """Return the average price by quantity; None if one is unknown."""
    parts = [
        None if price is None else row.qty * price for row, price in zip(group, prices, strict=True)
    ]
    sum_of_parts = total(parts)
    return None if sum_of_parts is None else sum_of_parts / qty
