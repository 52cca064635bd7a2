import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.markets import CRYPTO, MARKETS, OPTIONS, STOCKS, Market, market_of
from shared.symbols import InvalidSymbolError, bare, symbol_of, with_slash


@pytest.mark.parametrize(
    ("text", "symbol", "market"),
    [
        ("SPY", "SPY", STOCKS),
        ("spy", "SPY", STOCKS),
        (" ibm ", "IBM", STOCKS),
        ("BRK.B", "BRK.B", STOCKS),
        ("brk.b", "BRK.B", STOCKS),
        ("BAC.PRB", "BAC.PRB", STOCKS),
        ("F", "F", STOCKS),
        ("FAKEPACA", "FAKEPACA", STOCKS),
        ("ZVZZT", "ZVZZT", STOCKS),
        ("AAPL1234", "AAPL1234", STOCKS),
        ("ACAQ.U", "ACAQ.U", STOCKS),
        ("AAC.WS.A", "AAC.WS.A", STOCKS),
        ("628CVR016", "628CVR016", STOCKS),
        ("RUSD", "RUSD", STOCKS),
        ("BTC/USD", "BTC/USD", CRYPTO),
        ("btc/usd", "BTC/USD", CRYPTO),
        ("BTCUSD", "BTC/USD", CRYPTO),
        ("ethbtc", "ETH/BTC", CRYPTO),
        ("SHIBUSDC", "SHIB/USDC", CRYPTO),
        ("BTCUSDT", "BTC/USDT", CRYPTO),
        ("USDTUSD", "USDT/USD", CRYPTO),
        ("1INCH/USD", "1INCH/USD", CRYPTO),
        ("AAPL240119C00100000", "AAPL240119C00100000", OPTIONS),
        ("AAPL1261218C00100000", "AAPL1261218C00100000", OPTIONS),
        ("spxw240327p04925000", "SPXW240327P04925000", OPTIONS),
        ("F240119C00012000", "F240119C00012000", OPTIONS),
    ],
)
def test_the_form_of_a_symbol_determines_its_market(text: str, symbol: str, market: Market) -> None:
    assert symbol_of(text) == symbol
    assert market_of(symbol) is market


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "an empty symbol: write them as SPY,IBM without a comma too many"),
        ("  ", "an empty symbol"),
        ("BRK/B", "'BRK/B' is not a symbol: write BRK.B"),
        ("A.B.C.D", "is not a symbol"),
        ("BRK-B", "'BRK-B' is not a symbol: expected letters such as SPY .* BRK.B for a share"),
        ("BRK..B", "is not a symbol"),
        (".B", "is not a symbol"),
        ("A.", "is not a symbol"),
        ("*", "is not a symbol"),
        ("A B", "is not a symbol"),
        ("SPY\nid: 9", "is not a symbol"),
        ("A" * 13, "is not a symbol"),
        ("{SPY}", "is not a symbol"),
        ("price:SPY", "is not a symbol"),
        ("straße", "is not a symbol"),
        ("ﬁ", "is not a symbol"),
        ("СПЫ", "is not a symbol"),
        ("A\u0661", "is not a symbol"),
        ("B/USD", "is not a symbol"),
        ("AAPL  240119C00100000", "is not a symbol"),
    ],
)
def test_what_no_symbol_looks_like_is_rejected_by_name_and_with_the_remedy(
    text: str, says: str
) -> None:
    with pytest.raises(InvalidSymbolError, match=says):
        symbol_of(text)


def test_a_symbol_of_another_market_is_rejected_with_those_that_are_expected() -> None:
    with pytest.raises(InvalidSymbolError, match="'SPY' is a stock: expected a pair such as"):
        symbol_of("SPY", [CRYPTO])


@given(st.text())
def test_an_accepted_symbol_is_safe_in_keys_channels_and_headers(text: str) -> None:
    try:
        symbol = symbol_of(text)
    except InvalidSymbolError:
        return
    assert symbol.isascii()
    assert symbol.replace(".", "").replace("/", "").isalnum()
    assert symbol_of(symbol) == symbol


@given(st.sampled_from(MARKETS).flatmap(lambda market: st.from_regex(market.form, fullmatch=True)))
def test_each_symbol_belongs_to_one_market(symbol: str) -> None:
    fitting = [market for market in MARKETS if re.fullmatch(market.form, symbol)]

    assert fitting == [market_of(symbol)]


@given(st.from_regex(r"[A-Z]{3,8}/(USD|USDC|USDT|BTC)", fullmatch=True))
def test_the_brokers_spelling_of_a_pair_is_one_of_a_pair(symbol: str) -> None:
    found = with_slash(bare(symbol))

    # Where the first currency ends may be ambiguous: AUSD/TUSDC or AUSDT/USDC.
    assert market_of(found) is CRYPTO
    assert bare(found) == bare(symbol)
