"""The last price of a pair: the newest trade, whichever source brought it."""

import pytest

from ingest.market.bars import Close
from ingest.market.last_price import LastPrices
from ingest.market.market_hours import MarketHours
from ingest.market.plain_tape import pair_tape
from ingest.market.prints import Trade
from ingest.market.snapshot import NewestCloses, Snapshot
from shared import rfc3339
from shared.price import Price

NOON = rfc3339.to_nanoseconds("2026-07-01T17:00:00Z")
SECOND = 1_000_000_000
NOW_US = NOON // 1000 + 60_000_000
PAIR = "BTC/USD"


def trade(price: float, seconds: float = 0, id_: int | None = 1, size: float = 0.5) -> Trade:
    at_ns = NOON + round(seconds * SECOND)
    return Trade(PAIR, price, size, at_ns, id_, None, None, None, "B")


@pytest.fixture
def prices() -> LastPrices:
    return LastPrices(MarketHours(trades_in=None), pair_tape)


def streamed(prices: LastPrices, made: Trade) -> float | None:
    """Bring a print by the stream; return the price that it makes."""
    last = prices.on_trade(made, made.at_ns, NOW_US)
    return None if last is None else last.price


def by_rest(prices: LastPrices, made: Trade | None, **closes: Close) -> float | None:
    last = prices.on_snapshot(
        PAIR, Snapshot(trade=made, closes=NewestCloses(**closes)), NOW_US, None
    )
    return None if last is None else last.price


def test_a_newer_trade_is_the_last_price_and_an_older_one_is_late(prices: LastPrices) -> None:
    assert streamed(prices, trade(100, 1)) == 100
    assert streamed(prices, trade(101, 0.5, 2)) is None
    assert streamed(prices, trade(102, 2, 3)) == 102
    assert prices.counts.late == 1


def test_several_trades_of_one_moment_count_in_the_order_of_arrival(prices: LastPrices) -> None:
    assert [streamed(prices, trade(100 + n, 1, n)) for n in (1, 2, 3)] == [101, 102, 103]
    assert streamed(prices, trade(103, 1, 3)) is None, "a repeated one is no other price"
    assert prices.counts.repeated == 1


def test_rests_newer_trade_counts_at_once_and_the_streams_copy_is_the_same(
    prices: LastPrices,
) -> None:
    streamed(prices, trade(100, 1, 1))
    assert by_rest(prices, trade(105, 5, 7)) == 105
    assert streamed(prices, trade(104, 4, 6)) is None
    assert streamed(prices, trade(105, 5, 7)) == 105, "it traded just now"
    assert streamed(prices, trade(105, 5, 7)) is None
    assert by_rest(prices, trade(100, 1, 1)) is None


def test_of_one_moment_rest_shows_the_last_trade(prices: LastPrices) -> None:
    by_rest(prices, trade(105, 5, 7))
    assert streamed(prices, trade(103, 5, 6)) is None
    assert streamed(prices, trade(106, 5, 8)) == 106


def test_a_stored_price_stands_until_a_trade_and_its_copy_is_none(prices: LastPrices) -> None:
    at = rfc3339.from_nanoseconds(NOON)
    prices.restore(Price(symbol=PAIR, price=99.5, timestamp=at, previous_close=90))
    prices.restore(Price(symbol=PAIR, price=1, timestamp=at))
    assert streamed(prices, trade(98, -1, 1)) is None
    assert streamed(prices, trade(99.5, 0, 2)) is None
    assert streamed(prices, trade(100, 0, 3)) == 100
    last = prices.last_price(PAIR)
    assert last is not None
    assert (last.previous_close, last.change) == (90, 10)


@pytest.mark.parametrize("wild", [1e6, 1e-6, 300, 30])
def test_a_price_far_off_waits_for_a_second_sign(prices: LastPrices, wild: float) -> None:
    streamed(prices, trade(100, 1, 1))
    assert streamed(prices, trade(wild, 2, 2)) is None
    assert prices.take_doubtful() == [PAIR]
    assert not prices.is_eligible(trade(wild, 2, 2))
    assert streamed(prices, trade(101, 3, 3)) == 101
    assert streamed(prices, trade(wild, 4, 4)) is None
    assert streamed(prices, trade(wild * 1.01, 5, 5)) == wild * 1.01
    assert prices.counts.quarantined == 2


def test_rest_confirms_a_price_far_off(prices: LastPrices) -> None:
    streamed(prices, trade(100, 1, 1))
    streamed(prices, trade(30, 2, 2))
    assert by_rest(prices, trade(30, 2, 2)) == 30
    assert streamed(prices, trade(31, 3, 3)) == 31


def test_a_trade_from_the_future_is_held_back_until_all_are(prices: LastPrices) -> None:
    streamed(prices, trade(100, 1, 1))
    assert streamed(prices, trade(101, 3600, 2)) is None
    assert streamed(prices, trade(102, 2, 3)) == 102


@pytest.mark.parametrize("price", [0.0, -1.0, float("nan"), float("inf")])
def test_no_price_is_an_error(prices: LastPrices, price: float) -> None:
    with pytest.raises(ValueError, match="is no price"):
        streamed(prices, trade(price))


@pytest.mark.parametrize("size", [-1.0, float("inf"), float("nan")])
def test_no_size_is_an_error(prices: LastPrices, size: float) -> None:
    with pytest.raises(ValueError, match="is no size"):
        streamed(prices, trade(100, size=size))


@pytest.mark.parametrize(
    ("traded", "close"),
    [
        ("2026-07-01T04:59:59Z", 80),  # still the last day of June in Chicago
        ("2026-07-01T05:00:00Z", 90),
        ("2026-07-01T17:00:00Z", 90),
    ],
)
def test_a_price_is_compared_with_the_close_before_its_day_in_chicago(
    prices: LastPrices, traded: str, close: float
) -> None:
    june = rfc3339.to_nanoseconds("2026-06-30T05:00:00Z")
    july = rfc3339.to_nanoseconds("2026-07-01T05:00:00Z")
    prices.on_snapshot(
        PAIR,
        Snapshot(closes=NewestCloses(day=Close(june, 90), previous_day=Close(june - 1, 80))),
        (july - SECOND) // 1000,
        None,
    )
    prices.on_snapshot(
        PAIR,
        Snapshot(closes=NewestCloses(day=Close(july, 95), previous_day=Close(june, 90))),
        july // 1000,
        None,
    )
    at_ns = rfc3339.to_nanoseconds(traded)
    last = prices.on_trade(Trade(PAIR, 100, 1, at_ns, 1, None, None, None), at_ns, NOW_US)
    assert last is not None
    assert (last.previous_close, last.day_zone) == (close, "America/Chicago")


def test_a_pair_that_has_no_trade_says_so_and_whether_alpaca_lists_it(prices: LastPrices) -> None:
    assert by_rest(prices, None) is None
    last = prices.last_price(PAIR)
    assert last is not None
    assert (last.reason, last.day_zone) == ("no_trade_seen", "America/Chicago")
    unknown = prices.on_asset(PAIR, listed=False)
    assert unknown is not None
    assert unknown.reason == "unknown_symbol"
    assert streamed(prices, trade(100)) == 100
    assert prices.on_asset(PAIR, listed=False) is None


def test_of_several_prints_of_one_moment_at_rest_the_last_is_the_price(prices: LastPrices) -> None:
    for number in (1, 3, 2):
        prices.on_rest_trade(trade(100 + number, 1, number), NOW_US)

    last = prices.last_price(PAIR)
    assert last is not None
    assert last.price == 103


def test_of_prints_with_no_id_those_of_one_moment_do_not_take_turns(prices: LastPrices) -> None:
    for _ in range(2):  # the same rows come again
        for price in (101, 102, 103):
            prices.on_rest_trade(trade(price, 1, None), NOW_US)
        last = prices.last_price(PAIR)
        assert last is not None
        assert last.price == 101
    assert by_rest(prices, trade(103, 1, None)) == 103, "the snapshot shows which is the newest"
    assert by_rest(prices, trade(103, 1, None)) is None


def test_a_price_of_the_stream_is_not_replaced_by_another_one_of_its_moment(
    prices: LastPrices,
) -> None:
    streamed(prices, trade(101, 1, None))

    assert by_rest(prices, trade(102, 1, None)) is None
