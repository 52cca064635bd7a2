"""Prints that REST brings after a loss, some of which the stream has brought."""

from hypothesis import given
from hypothesis import strategies as st

from ingest.market.last_price import LastPrices
from ingest.market.prints import Trade
from ingest.market.rest_lead import LOOKS
from shared.price import Price
from tests.ingest.market.streamed import last_of
from tests.ingest.trades import NOON, SECOND, cancel_of, trade, two_days

NOW_US = (NOON + 60 * SECOND) // 1000


def live(prices: LastPrices, print_: Trade) -> None:
    prices.on_trade(print_, print_.at_ns, NOW_US)


def missed(prices: LastPrices, *prints: Trade) -> list[float | None]:
    """Return the last price that each makes, None where it is none."""
    events = [prices.on_rest_trade(each, NOW_US) for each in prints]
    return [None if event is None else event.price for event in events]


def test_only_the_eligible_and_newer_ones_are_last_prices(prices: LastPrices) -> None:
    live(prices, trade(NOON, 100, number=1))
    prices.begin(["SPY"])
    found = missed(
        prices,
        trade(NOON - SECOND, 99, number=9),
        trade(NOON, 100, number=1),
        trade(NOON + SECOND, 101, number=2),
        trade(NOON + 2 * SECOND, 50, ["@", "I"], number=3),
    )

    assert found == [None, None, 101, None]
    assert prices.timestamp_of("SPY") == NOON + 2 * SECOND
    assert (prices.counts.ineligible, prices.counts.quarantined) == (0, 0)


def test_of_equal_times_none_takes_the_price_back(prices: LastPrices) -> None:
    sweep = [trade(NOON, 100 + number, number=number) for number in range(40)]
    for each in sweep:
        live(prices, each)
    missed(prices, *sweep)
    assert last_of(prices) == 139


def test_a_missed_print_is_what_remains_when_a_later_one_is_cancelled(prices: LastPrices) -> None:
    live(prices, trade(NOON, 100, number=1))
    newest = trade(NOON + 2 * SECOND, 102, number=3)
    live(prices, newest)
    assert missed(prices, trade(NOON + SECOND, 101, number=2)) == [None]
    last = prices.on_cancel(cancel_of(newest), NOW_US)
    assert last is not None
    assert last.price == 101


def test_what_was_cancelled_meanwhile_stays_so(prices: LastPrices) -> None:
    live(prices, trade(NOON, 100, number=1))
    gone = trade(NOON + SECOND, 101, number=2)
    prices.on_cancel(cancel_of(gone), NOW_US)
    assert missed(prices, gone) == [None]


def test_a_restored_price_gets_its_id_so_that_it_can_be_cancelled(prices: LastPrices) -> None:
    stored = Price(symbol="SPY", price=101, timestamp="2026-11-16T17:00:01Z")
    prices.restore(stored)
    same = trade(NOON + SECOND, 101, number=2)
    missed(prices, trade(NOON, 100, number=1), same)
    last = prices.on_cancel(cancel_of(same), NOW_US)
    assert last is not None
    assert last.price == 100


@given(
    brought=st.lists(st.booleans(), min_size=1, max_size=30),
    steps=st.lists(st.integers(0, 1), min_size=30, max_size=30),
    lost_at=st.integers(0, 30),
)
def test_whatever_the_stream_has_brought_the_newest_print_is_the_last_price(
    brought: list[bool], steps: list[int], lost_at: int
) -> None:
    prices, at, everything = LastPrices(two_days()), NOON, []
    for number, step in enumerate(steps[: len(brought)]):
        at += step * SECOND
        everything.append(trade(at, 100 + number, number=number))
    for each, is_live in zip(everything, brought, strict=True):
        if each.id == lost_at:
            prices.begin(["SPY"])
        if is_live:
            live(prices, each)
    missed(prices, *everything)
    for _ in range(LOOKS + 1):
        if prices.take_doubtful():
            missed(prices, *everything)

    newest = {each.price for each in everything if each.at_ns == everything[-1].at_ns}
    assert last_of(prices) in newest
