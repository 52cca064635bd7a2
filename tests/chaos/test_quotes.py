"""The check of quotes finds each violation when it is fed one, and nothing where there is none."""

from typing import Any

import pytest

from simulator.protocol import rfc3339
from tests.chaos.ledger import Ledger, Quote
from tests.chaos.quotes import Quotes

QUOTES = [Quote(at, 10.0 + at, 100, 10.1 + at, 200) for at in (1000, 2000, 1900, 3000)]
"""By arrival; the third is older than the second by the exchange's time."""


def follow(*steps: tuple[str, int | Quote]) -> tuple[Quotes, list[str]]:
    """Feed quotes, by event id and number or values."""
    complaints: list[str] = []
    ledger = Ledger()
    for quote in QUOTES:
        ledger.quote("SPY", quote)
    found = Quotes("it", ("SPY",), ledger, complaints.append)
    found.opened()
    for event_id, step in steps:
        quote = QUOTES[step] if isinstance(step, int) else step
        data = {"symbol": "SPY", "event_id": event_id, "timestamp": rfc3339.render(quote.at)}
        sides = {"bid": quote.bid, "bid_size": quote.bid_size}
        found.event("quote", {**data, **sides, "ask": quote.ask, "ask_size": quote.ask_size})
    return found, complaints


def test_quotes_in_the_order_of_arrival_are_right() -> None:
    found, complaints = follow(("7-1", 0), ("7-2", 1), ("7-3", 2))
    assert complaints == []
    assert len(found.differences(("SPY", "IBM"))) == 1

    found, complaints = follow(("7-1", 1), ("7-2", 3))
    assert (complaints, found.differences(("SPY",))) == ([], [])


def test_rest_may_show_the_latest_by_time_after_the_latest_by_arrival() -> None:
    assert follow(("7-1", 2), ("7-2", 1))[1] == []


def test_an_older_quote_after_a_newer_one_is_found() -> None:
    [complaint] = follow(("7-1", 1), ("7-2", 0))[1]
    assert "went back" in complaint

    [complaint] = follow(("7-2", 1), ("7-1", 3))[1]
    assert "7-1 after 7-2" in complaint


def test_a_quote_of_other_values_is_found() -> None:
    [complaint] = follow(("7-1", QUOTES[0]._replace(ask=99.0)))[1]

    assert "never published" in complaint


CALL = "SPY301220C00500000"


@pytest.mark.parametrize(("symbol", "indicative"), [("FIL/USD", {}), (CALL, {"indicative": True})])
def test_a_side_may_be_absent_and_quotes_of_contracts_are_indicative(
    symbol: str, indicative: dict[str, bool]
) -> None:
    complaints: list[str] = []
    ledger, quote = Ledger(), Quote(1000, None, None, 10.5, 0.25)
    ledger.quote(symbol, quote)
    found = Quotes("it", (symbol,), ledger, complaints.append)
    found.opened()
    data: dict[str, Any] = {"symbol": symbol, "event_id": "7-1"}
    data |= {"timestamp": rfc3339.render(quote.at), "bid": None, "bid_size": None}
    data |= {"ask": 10.5, "ask_size": 0.25}
    found.event("quote", data | indicative)
    assert (complaints, found.differences((symbol,))) == ([], [])

    found.event("quote", data | {"event_id": "7-2", "indicative": not indicative})
    assert "indicative is wrong" in complaints[0]
