"""The search for assets: which are found, and in which order."""

import pytest

from gateway.http.asset_search import AssetSearch
from shared.asset import Asset, AssetList

ASSETS = [
    Asset("A", "Agilent Technologies Inc.", "NYSE", "stock"),
    Asset("AAPL", "Apple Inc. Common Stock", "NASDAQ", "stock"),
    Asset("APLE", "Apple Hospitality REIT, Inc.", "NYSE", "stock"),
    Asset("BAC", "Bank of America Corporation", "NYSE", "stock"),
    Asset("BAC.PRK", "", "NYSE", "stock"),
    Asset("BRK.B", "Berkshire Hathaway Inc. Class B", "NYSE", "stock"),
    Asset("BTC/USD", "Bitcoin / US Dollar", "CRYPTO", "crypto"),
    Asset("SPY", "SPDR S&P 500 ETF Trust", "ARCA", "stock"),
]
SEARCH = AssetSearch(AssetList(as_of="2026-11-16T14:00:00Z", assets=ASSETS))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("a", ["A", "AAPL", "APLE", "BAC", "BAC.PRK"]),
        ("AAPL", ["AAPL"]),
        ("bac", ["BAC", "BAC.PRK"]),
        (" bac ", ["BAC", "BAC.PRK"]),
        ("apple", ["AAPL", "APLE"]),
        ("apple hosp", ["APLE"]),
        ("bank of am", ["BAC"]),
        ("america", ["BAC"]),
        ("merica", []),
        ("s&p 500", ["SPY"]),
        ("brk.b", ["BRK.B"]),
        ("btc/usd", ["BTC/USD"]),
        ("bitcoin", ["BTC/USD"]),
        ("PRK", ["BAC.PRK"]),
        ("zzz", []),
        ("&", []),
        ("  ", []),
        ("", []),
    ],
)
def test_a_text_finds_symbols_by_their_beginning_and_names_by_their_words(
    query: str, found: list[str]
) -> None:
    assert [each.symbol for each in SEARCH.find(query, 20)] == found


def test_no_more_are_found_than_were_asked_for() -> None:
    assert [each.symbol for each in SEARCH.find("a", 2)] == ["A", "AAPL"]
    assert SEARCH.find("a", 0) == []


def test_type_and_exchange_restrict_the_results() -> None:
    assert [each.symbol for each in SEARCH.find("b", 20, type_="crypto")] == ["BTC/USD"]
    assert [each.symbol for each in SEARCH.find("a", 20, exchange="nasdaq")] == ["AAPL"]


def test_a_symbol_is_found_by_itself() -> None:
    assert SEARCH.get("BAC") == ASSETS[3]
    assert SEARCH.get("bac") is None
