"""Prints from the future: one has a wrong time, three show that our clock is behind."""

from typing import Any

from ingest.market.last_price import LastPrices
from shared.price import Price
from tests.ingest.trades import NOON, SECOND, rest_snapshot, trade

HOUR = 3600 * SECOND
US = 1000


def streamed(prices: LastPrices, at: int, price: Any) -> Price | None:
    """Bring a print at its own time."""
    return prices.on_trade(trade(at, price, number=at), at, at // US)


def test_a_time_far_in_the_future_does_not_make_all_others_late(prices: LastPrices) -> None:
    streamed(prices, NOON, 100)
    stray = trade(NOON + 3 * HOUR, 100, number=1)

    assert prices.on_trade(stray, stray.at_ns, NOON // US) is None
    assert streamed(prices, NOON + 1, 101) is not None
    future = {"latestTrade": {"t": "2026-11-16T20:00:00Z", "p": 102, "s": 100, "i": 1, "x": "V"}}
    assert prices.on_snapshot("SPY", rest_snapshot(future), NOON // US) is None
    assert streamed(prices, NOON + 2, 103) is not None
    assert prices.timestamp_of("SPY") == NOON + 2


def test_a_machine_whose_clock_is_behind_shows_prices_all_the_same(prices: LastPrices) -> None:
    shown = [
        prices.on_trade(trade(at, 100 + at - NOON, number=at), at, (NOON - HOUR) // US)
        for at in range(NOON, NOON + 5)
    ]

    assert shown[:2] == [None, None]
    assert None not in shown[2:]


def test_one_print_from_the_future_does_not_make_the_right_ones_late(prices: LastPrices) -> None:
    streamed(prices, NOON, 100)
    assert (
        prices.on_trade(trade(NOON + 50 * SECOND, 100.1, number=2), NOON + 50 * SECOND, NOON // US)
        is None
    )
    shown = [streamed(prices, NOON + second * SECOND, 101) for second in range(1, 50)]

    assert None not in shown
    assert prices.counts.late == 0
    assert prices.timestamp_of("SPY") == NOON + 49 * SECOND


def test_a_clock_that_is_behind_costs_two_prints_of_all_symbols_together(
    prices: LastPrices,
) -> None:
    shown = [
        prices.on_trade(
            trade(NOON + second * 10 * SECOND, 100, symbol=symbol),
            NOON + second * 10 * SECOND,
            at // US,
        )
        for second, symbol in enumerate(["SPY", "IBM", "QQQ", "AIG", "BAC", "SPY"])
        for at in [NOON + second * 10 * SECOND - 30 * SECOND]
    ]

    assert [each is None for each in shown] == [True, True, False, False, False, False]


def test_prints_from_the_future_among_others_never_agree_on_a_wrong_clock(
    prices: LastPrices,
) -> None:
    streamed(prices, NOON, 100)
    for second in range(1, 40, 2):
        at = NOON + second * SECOND
        stray = trade(at + 50 * SECOND, 100, number=second, symbol="IBM")
        assert prices.on_trade(stray, stray.at_ns, at // US) is None
        assert streamed(prices, at, 100) is not None

    assert "IBM" not in prices.by_symbol


def test_a_clock_that_is_set_right_is_believed_again(prices: LastPrices) -> None:
    for second in range(5):
        prices.on_trade(
            trade(NOON + second * SECOND, 100, number=second),
            NOON + second * SECOND,
            NOON // US - 30_000_000,
        )
    assert streamed(prices, NOON + 5 * SECOND, 100) is not None

    stray = trade(NOON + 30 * SECOND, 101, number=2)
    assert prices.on_trade(stray, stray.at_ns, NOON // US + 5_500_000) is None
    assert streamed(prices, NOON + 6 * SECOND, 100) is not None
