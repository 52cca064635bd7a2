"""A trade as the event of the last price, and the events of a symbol that has none."""

from ingest.market.bars import Close
from ingest.market.previous_close import PreviousCloses
from ingest.market.price_events import PriceEvents
from ingest.market.snapshot import NewestCloses
from ingest.market.trading_day import day_of
from shared.price import Price
from tests.ingest.trades import NOON, SECOND, closed_before, trade

TODAY = day_of(NOON)
DAY = 24 * 3600 * SECOND
RECEIVED_US = NOON // 1000


class Symbol:
    """The events of SPY, whose close of the day before may be known, as traded and adjusted."""

    def __init__(self, close: float | None = None, adjusted: float | None = None) -> None:
        self.closes = PreviousCloses()
        self.events = PriceEvents("SPY", self.closes)
        if close is not None:
            self.learn(close, adjusted)

    def learn(self, close: float, adjusted: float | None = None) -> None:
        self.closes.learn(
            NewestCloses(previous_day=Close(NOON - DAY, close)),
            TODAY,
            None if adjusted is None else closed_before(NOON, adjusted),
        )

    def of(self, price: float) -> Price:
        return self.events.of(trade(NOON, price), "regular", RECEIVED_US)


def test_an_event_is_published_once_with_the_time_of_its_publication() -> None:
    symbol = Symbol()
    event = symbol.of(100)

    assert symbol.events.publish(event, TODAY, RECEIVED_US + 1) is event
    assert event.received == RECEIVED_US + 1
    assert symbol.events.publish(event, TODAY, RECEIVED_US + 2) is None


def test_a_price_of_a_day_whose_closes_contradict_each_other_shows_one_and_rest_is_asked() -> None:
    symbol = Symbol(100, adjusted=50)
    assert not symbol.events.needs_close

    assert symbol.of(51).previous_close == 50
    assert symbol.events.needs_close


def test_an_event_gets_the_previous_close_that_is_learnt_after_it() -> None:
    symbol = Symbol()
    event = symbol.of(110)
    symbol.learn(100)

    assert symbol.events.update_close(event, TODAY)
    assert (event.previous_close, event.change, event.change_percent) == (100, 10, 0.1)
    assert not symbol.events.update_close(event, TODAY), "it is not a new one"


def test_no_price_is_published_again_only_with_another_previous_close() -> None:
    symbol = Symbol()
    symbol.events.publish_no_price(TODAY)
    before = symbol.events.published
    assert before == Price(symbol="SPY", reason="no_trade_seen")
    symbol.events.publish_no_price(TODAY)
    assert symbol.events.published is before

    symbol.learn(10.5)
    symbol.events.publish_no_price(TODAY)
    assert symbol.events.published == Price(
        symbol="SPY", reason="no_trade_seen", previous_close=10.5
    )


def test_a_symbol_is_unknown_from_alpacas_word_until_alpaca_lists_it() -> None:
    symbol = Symbol()
    assert symbol.events.publish_listing(listed=True) is None

    unknown = symbol.events.publish_listing(listed=False)
    assert unknown is not None
    assert unknown.reason == "unknown_symbol"
    symbol.events.publish_no_price(TODAY)
    assert symbol.events.publish_listing(listed=False) is None, "it remains so"
    assert symbol.events.publish_listing(listed=True) == Price(symbol="SPY", reason="no_trade_seen")
