import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.bus import keys
from shared.markets import CRYPTO, OPTIONS, STOCKS, Market
from shared.topics import (
    BARS,
    KINDS,
    ORDERED,
    WITHOUT_SYMBOL,
    InvalidTopicError,
    has_interval,
    key_of,
    kind_of,
    parse_topic,
    price_topic,
    topic,
)
from tests.keyspace import KEYSPACE
from tests.repository.tree import ROOT


def test_a_topic_is_a_kind_and_what_it_is_about() -> None:
    topic = price_topic("BRK.B")

    assert topic == "price:BRK.B"
    assert kind_of(topic) == "price"
    assert key_of(topic) == "BRK.B"
    assert kind_of("bar.5Min:SPY") == "bar.5Min"


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - WITHOUT_SYMBOL - {"book"}))
def test_every_kind_that_has_symbols_is_asked_for_by_symbol(kind: str) -> None:
    assert parse_topic(f" {kind}:brk.b ") == f"{kind}:BRK.B"


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - WITHOUT_SYMBOL - {"luld", "imbalance"}))
@pytest.mark.parametrize("text", ["btc/usd", "BTCUSD"])
def test_a_pair_is_asked_for_by_either_spelling(kind: str, text: str) -> None:
    assert parse_topic(f"{kind}:{text}") == f"{kind}:BTC/USD"


@pytest.mark.parametrize("kind", ["price", "quote", "trade", "status", "position"])
def test_an_option_is_asked_for_by_its_occ_symbol(kind: str) -> None:
    assert parse_topic(f"{kind}:spxw240327p04925000") == f"{kind}:SPXW240327P04925000"


@pytest.mark.parametrize(
    ("topic", "says"),
    [
        ("book:SPY", "'SPY' is a stock: expected a pair such as BTC/USD"),
        ("book:AAPL240119C00100000", "is an option: expected a pair such as BTC/USD"),
        ("luld:BTCUSD", "'BTCUSD' is a pair: expected a stock such as SPY"),
        (
            "bar.1Min:AAPL240119C00100000",
            "is an option: expected a stock such as SPY or a pair such as BTC/USD",
        ),
        ("news:AAPL240119C00100000", "is an option: expected a stock such as SPY or a pair"),
    ],
)
def test_a_kind_that_a_market_lacks_is_rejected_with_the_markets_that_have_it(
    topic: str, says: str
) -> None:
    with pytest.raises(InvalidTopicError, match=says):
        parse_topic(topic)


@pytest.mark.parametrize("kind", sorted(WITHOUT_SYMBOL))
def test_a_kind_without_symbols_is_a_topic_by_itself(kind: str) -> None:
    assert parse_topic(f" {kind} ") == kind
    for key in ("SPY", "*", ""):
        with pytest.raises(InvalidTopicError, match=f"{kind} has no symbol, write {kind}"):
            parse_topic(f"{kind}:{key}")


@pytest.mark.parametrize(
    "symbol",
    [
        "BTC/USD",
        "AAPL240119C00100000",
        "AAPL1261218C00100000",
        "SPXW240327P04925000",
        "BRK.B",
        "AAC.WS.A",
        "628CVR016",
    ],
)
def test_whatever_is_held_has_a_position(symbol: str) -> None:
    assert parse_topic(f"position:{symbol.lower()}") == f"position:{symbol}"


@pytest.mark.parametrize(
    ("name", "market"), [("STOCK", STOCKS), ("PAIR", CRYPTO), ("OPTION", OPTIONS)]
)
def test_the_web_package_takes_the_same_words_for_symbols(name: str, market: Market) -> None:
    text = (ROOT / "web/src/topics.ts").read_text()
    [form] = re.findall(rf"const {name} = /\^(.*)\$/;", text)

    assert form.replace(r"\/", "/") == market.form.pattern


@pytest.mark.parametrize("topic", ["news:*", "position:*"])
def test_news_and_positions_are_asked_for_as_a_whole_too(topic: str) -> None:
    assert parse_topic(topic) == topic


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"news", "position", *WITHOUT_SYMBOL}))
def test_nothing_else_is_asked_for_as_a_whole(kind: str) -> None:
    with pytest.raises(InvalidTopicError, match=rf"'{kind}:\*' is not a topic: '\*' is not"):
        parse_topic(f"{kind}:*")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "'' is not a topic: write a kind and a symbol as price:SPY"),
        ("SPY", "'SPY' is not a topic: write a kind and a symbol as price:SPY"),
        ("prices:SPY", "'prices:SPY' is not a topic: there is no kind 'prices', only price quote"),
        ("Price:SPY", "there is no kind 'Price', only price"),
        ("bar.1min:SPY", "there is no kind 'bar.1min', only .* bar.1Min"),
        ("feed:SPY", "there is no kind 'feed'"),
        (":SPY", "there is no kind ''"),
        ("price :SPY", "there is no kind 'price '"),
        ("price:", "'price:' is not a topic: an empty symbol"),
        ("trade:A-B", "'trade:A-B' is not a topic: 'A-B' is not a symbol: expected letters"),
        ("quote:BTC/US", "'BTC/US' is not a symbol: write BTC.US"),
        ("news:**", r"'\*\*' is not a symbol"),
        ("price:price:SPY", "'price:SPY' is not a symbol"),
        ("price:SPY\nid: 9", "is not a symbol"),
    ],
)
def test_what_is_no_topic_is_refused_by_name_and_with_the_remedy(text: str, says: str) -> None:
    with pytest.raises(InvalidTopicError, match=says):
        parse_topic(text)


@given(st.one_of(st.text(), st.builds("{}:{}".format, st.sampled_from([*KINDS]), st.text())))
def test_an_accepted_topic_stays_what_it_is(text: str) -> None:
    try:
        topic = parse_topic(text)
    except InvalidTopicError:
        return
    assert parse_topic(topic) == topic
    assert kind_of(topic) in KINDS


def test_every_ordered_kind_has_a_history_and_no_other() -> None:
    assert {"trade", *BARS, "news", "orders", "imbalance"} == ORDERED
    assert {"bar.1Min", "bar.5Min", "bar.15Min", "bar.1Hour", "bar.1Day"} == BARS
    assert set(keys.HISTORY_LENGTHS) == ORDERED


def test_a_topics_last_value_lies_in_the_same_cluster_slot() -> None:
    """A cluster hashes the part in the first braces, or the whole key if there are none."""
    assert KEYSPACE.last("price:SPY") == "{price:SPY}:last"


def test_gateways_and_tickets_have_keys_of_their_own() -> None:
    assert KEYSPACE.gateway("web-1") == "gateway:web-1"
    assert KEYSPACE.ticket("ab12") == "ticket:ab12"


def test_values_have_an_interval_and_running_bars_are_values() -> None:
    chosen = {kind for kind in KINDS if has_interval(topic(kind, "SPY"))}

    assert chosen == (KINDS.keys() - ORDERED) | BARS
