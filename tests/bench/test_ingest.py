"""The tape spread over more symbols, and the table of what they cost."""

from collections import Counter, defaultdict

import pytest

from bench.ingest_figures import Span, Width, width_table
from bench.tape_frames import spread, tape_trades
from shared.symbols import symbol_of

TRADES = tape_trades()


@pytest.mark.parametrize("symbols", [4, 5, 987, 4499])
def test_the_tape_is_spread_evenly_over_a_number_of_symbols(symbols: int) -> None:
    trades = spread(TRADES, symbols)
    counts = Counter(trade["S"] for trade in trades)

    assert len(counts) == symbols
    assert [symbol_of(symbol) for symbol in counts] == list(counts)
    if symbols > 900:
        assert max(counts.values()) <= 1.5 * len(trades) / symbols + 1


def test_each_symbol_has_prices_of_one_symbol_of_the_tape_in_order() -> None:
    origins = defaultdict(set)
    for before, after in zip(TRADES, spread(TRADES, 100), strict=True):
        origins[after["S"]].add(before["S"])
        assert {**after, "S": before["S"]} == before

    assert all(len(each) == 1 for each in origins.values())


def test_fewer_symbols_than_the_tape_has_are_an_error() -> None:
    with pytest.raises(ValueError, match="3 symbols are fewer than the 4"):
        spread(TRADES, 3)


def test_costs_are_compared_within_a_round() -> None:
    def spans(*costs: float) -> list[Span]:
        return [Span(1_000_000, 2.0, cost, 2 * cost) for cost in costs]

    narrow = Width(5, spans(1, 2, 9), spans(4, 8, 36), 2**20, "5 are right")
    wide = Width(4500, spans(1, 2, 9), spans(6, 12, 54), 2**21, "all are right")

    rows = [" ".join(line.split()) for line in width_table([narrow, wide]).splitlines()]
    assert rows[2:] == [
        "5 symbols 2.00 8.00 125,000 500,000 16.00 1.0 4.00 1.00",
        "4,500 symbols 2.00 12.00 83,333 500,000 24.00 2.0 6.00 1.50",
        "5 are right",
        "all are right",
    ]
