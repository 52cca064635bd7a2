"""The day's gain after purchases and sales, beside the lots of the simulator's ledger."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from ingest.portfolio.day_lots import Lot, sum_of, without_oldest
from ingest.portfolio.holding import Holding
from simulator.account.asset import asset_of
from simulator.account.ledger import Account
from simulator.account.ledger import Holding as Start
from tests.ingest.portfolio.rows import LATER, holding

CLOSE = Decimal(10)
BAC = asset_of("BAC")

quantities = st.integers(-9, 9).filter(bool).map(Decimal)
prices = st.integers(900, 1100).map(lambda cents: Decimal(cents) / 100)


def basis(account: Account) -> Decimal:
    """Return the base of the day's gain: the lots before today at the close."""
    lots = account.positions["BAC"].lots
    return sum(
        (lot.quantity * (CLOSE if lot.time is None else lot.price) for lot in lots), Decimal(0)
    )


def reported(account: Account) -> Holding:
    position = account.positions["BAC"]
    value = position.quantity * 10
    return holding(
        "BAC",
        str(position.quantity),
        str(position.average_price),
        "10",
        cost_basis=str(position.cost),
        unrealized_intraday_pl=str(value - basis(account)),
    )


@given(quantities, st.lists(st.tuples(quantities, prices, st.booleans()), max_size=12))
def test_with_every_execution_seen_the_base_of_the_day_is_the_ledgers_at_every_moment(
    start: Decimal, steps: list[tuple[Decimal, Decimal, bool]]
) -> None:
    ledger = Account(Decimal(0), [Start("BAC", start, Decimal(7))])
    held: Holding | None = reported(ledger)
    for delta, price, is_reported in steps:
        ledger.fill(BAC, delta, price, 1)
        opened = Holding.opened("BAC", "us_equity", delta, price, LATER)
        held = held.after(delta, price, LATER) if held else opened
        if "BAC" not in ledger.positions:
            assert held is None
            continue
        assert held is not None
        if is_reported:
            held = reported(ledger).continuing(held)
        assert held.day_basis is not None
        assert abs(held.day_basis - basis(ledger)) < Decimal("1e-9")


def test_the_oldest_lots_are_sold_first_and_a_uniform_one_in_part() -> None:
    lots = (
        Lot(Decimal(4), Decimal(40), is_uniform=True),
        Lot(Decimal(6), Decimal(90), is_uniform=False),
    )

    assert without_oldest(lots, Decimal(1)) == (
        Lot(Decimal(3), Decimal(30), is_uniform=True),
        lots[1],
    )
    assert without_oldest(lots, Decimal(4)) == lots[1:]
    assert without_oldest(lots, Decimal(5)) is None
    assert sum_of(lots) == Lot(Decimal(10), Decimal(130), is_uniform=False)
