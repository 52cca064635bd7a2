"""A quote of REST's is published only if it is newer than all others."""

from ingest.market.newest_quotes import NewestQuotes
from ingest.market.quotes import Quote, quote_event
from shared import quote
from tests.ingest.trades import NOON, SECOND

NOW_US = NOON // 1000


def best(at: int, received_us: int = NOW_US, bid: float = 100.1) -> quote.Quote:
    received = Quote("QQQ", bid, 1, "Q", bid + 0.02, 1, "Q", at, ("R",), "C")
    return quote_event(received, received_us)


def test_the_first_quote_of_a_symbol_is_news() -> None:
    assert NewestQuotes().is_news(best(NOON), 0)


def test_an_older_quote_is_no_news() -> None:
    quotes = NewestQuotes()
    quotes.add(best(NOON))
    later = NOW_US + 1
    assert not quotes.is_news(best(NOON - SECOND // 10), later)
    assert quotes.is_news(best(NOON), later)
    assert quotes.is_news(best(NOON + SECOND // 10), later)


def test_while_the_stream_brings_quotes_a_newer_one_is_no_news() -> None:
    quotes = NewestQuotes()
    quotes.add(best(NOON))
    assert not quotes.is_news(best(NOON + 1), NOW_US), "the stream may have brought it already"
    assert quotes.is_news(best(NOON + 1), NOW_US + 1)


def test_the_newest_time_counts_and_not_that_of_the_last_arrival() -> None:
    # Recorded: an NBBO quote that arrives after another one whose time is 0.35 ms later.
    quotes = NewestQuotes()
    quotes.add(best(NOON + 350_000))
    quotes.add(best(NOON))
    assert not quotes.is_news(best(NOON + 300_000), NOW_US + 1)
