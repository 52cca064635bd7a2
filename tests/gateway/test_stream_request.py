"""What a query or a body asks for, and every way to get it wrong."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http import fields
from gateway.http.api_error import ApiError
from gateway.http.chart_bars import BarQueryFields
from gateway.http.stream_fields import KIND_STREAMS, TopicFields
from gateway.http.stream_request import StreamRequest, StreamRequests, cursor_of
from shared.event_id import EventId
from shared.topics import IMBALANCE, KINDS, LULD, has_interval

LIMIT = 4
DEFAULT = 0.25

REQUESTS = StreamRequests(limit=LIMIT, interval=DEFAULT)


def many(*items: tuple[str, str], header: str | None = None) -> StreamRequest:
    """What ``/api/stream`` makes of a query."""
    return REQUESTS.of_topics(fields.from_query(items, TopicFields), header)


def topics(text: str, **query: str) -> StreamRequest:
    return many(("topics", text), *query.items())


def by_kind(name: str, **query: str) -> StreamRequest:
    """What ``/api/stream/{name}`` makes of a query."""
    stream = KIND_STREAMS[name]
    return REQUESTS.of_kinds(stream, fields.from_query(query.items(), stream.fields), None)


def posted(body: object, name: str | None = None) -> StreamRequest:
    """What a stream makes of a body."""
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    if name is None:
        return REQUESTS.of_topics(fields.from_json(sent, TopicFields), None)
    stream = KIND_STREAMS[name]
    return REQUESTS.of_kinds(stream, fields.from_json(sent, stream.fields), None)


def refused(name: str | None, query: Mapping[str, str]) -> ApiError:
    """Why a query is refused."""
    with pytest.raises(ApiError) as refusal:
        many(*query.items()) if name is None else by_kind(name, **query)
    return refusal.value


def refused_body(body: object) -> ApiError:
    """Why a body is refused."""
    with pytest.raises(ApiError) as refusal:
        posted(body)
    return refusal.value


def test_topics_come_in_the_order_asked_for_spelled_as_published_and_once() -> None:
    asked = topics("quote:spy, price:SPY,news:*,quote:SPY")

    assert asked.topics == ("quote:SPY", "price:SPY", "news:*")


def test_topics_given_several_times_are_one_list() -> None:
    assert many(("topics", "price:SPY"), ("topics", "price:IBM,trade:IBM")).topics == (
        "price:SPY",
        "price:IBM",
        "trade:IBM",
    )


@pytest.mark.parametrize(
    ("text", "interval", "intervals"),
    [
        ("price:SPY", None, {"price:SPY": 0.25}),
        ("price:SPY", "2", {"price:SPY": 2.0}),
        ("price:SPY@1,quote:SPY", None, {"price:SPY": 1.0, "quote:SPY": 0.25}),
        ("price:SPY@1,quote:SPY", "0", {"price:SPY": 1.0, "quote:SPY": 0.0}),
        ("price:SPY@0,quote:SPY@60", "9", {"price:SPY": 0.0, "quote:SPY": 60.0}),
        ("price:SPY@0.2549", None, {"price:SPY": 0.25}),
        ("price:SPY@-0", None, {"price:SPY": 0.0}),
        ("price:SPY@1,price:SPY", None, {"price:SPY": 1.0}),
        ("price:SPY,price:SPY@1", None, {"price:SPY": 1.0}),
        ("price:SPY@1,price:SPY@2", None, {"price:SPY": 2.0}),
        ("trade:SPY,bar.1Min:SPY", "5", {"trade:SPY": 0, "bar.1Min:SPY": 5}),
        ("bar.1Day:SPY@2", "5", {"bar.1Day:SPY": 2}),
        ("trade:SPY@0", "5", {"trade:SPY": 0.0}),
        ("book:BTC/USD,position:*", "5", {"book:BTC/USD": 5.0, "position:*": 5.0}),
    ],
)
def test_each_topic_has_its_interval(
    text: str, interval: str | None, intervals: dict[str, float]
) -> None:
    asked = topics(text, **({} if interval is None else {"interval": interval}))

    assert asked.intervals == intervals
    assert "-0.0" not in str(asked.intervals)


def test_only_merge_topics_with_an_interval_of_their_own_are_told_apart() -> None:
    asked = topics("price:SPY@1,quote:SPY,quote:IBM@2,trade:SPY", interval="2")

    assert asked.interval == 2.0
    assert asked.own_intervals == {"price:SPY": 1.0}
    assert topics("trade:SPY,price:SPY").own_intervals == {}


@pytest.mark.parametrize(
    ("name", "query", "expected"),
    [
        ("prices", {"symbols": "spy,IBM"}, "price:SPY price:IBM status:SPY status:IBM"),
        ("trades", {"symbols": "SPY,IBM,spy"}, "trade:SPY trade:IBM"),
        ("quotes", {"symbols": "brk.b"}, "quote:BRK.B"),
        ("quotes", {"symbols[]": "SPY,IBM"}, "quote:SPY quote:IBM"),
        ("quotes", {"symbols[0]": "SPY", "symbols[1]": "IBM"}, "quote:SPY quote:IBM"),
        ("bars", {"symbols": "SPY", "timeframe[]": "5Min"}, "bar.5Min:SPY"),
        ("book", {"symbols": "BTCUSD"}, "book:BTC/USD"),
        ("bars", {"symbols": "SPY"}, "bar.1Min:SPY"),
        (
            "bars",
            {"symbols": "SPY,IBM", "timeframe": "1Day, 1Min,1Day"},
            "bar.1Min:SPY bar.1Min:IBM bar.1Day:SPY bar.1Day:IBM",
        ),
        ("bars", {"symbols": "SPY", "timeframe": "5Min"}, "bar.5Min:SPY"),
        ("news", {}, "news:*"),
        ("news", {"symbols": "*"}, "news:*"),
        ("news", {"symbols": "SPY,*"}, "news:SPY news:*"),
        ("positions", {}, "position:* account"),
        (
            "positions",
            {"symbols": "SPY,btc/usd,AAPL240119C00100000"},
            "position:SPY position:BTC/USD position:AAPL240119C00100000 account",
        ),
        ("account", {}, "account"),
        ("orders", {}, "orders"),
    ],
)
def test_a_stream_of_a_kind_brings_its_topics(
    name: str, query: dict[str, str], expected: str
) -> None:
    assert " ".join(by_kind(name, **query).topics) == expected


@pytest.mark.parametrize("name", KIND_STREAMS)
def test_the_intervals_of_a_stream_are_those_of_its_kinds(name: str) -> None:
    symbols = "BTC/USD" if name == "book" else "SPY"
    asked = by_kind(name, symbols=symbols, interval="3")

    for topic, seconds in asked.intervals.items():
        assert seconds == (3 if has_interval(topic) else 0), topic


def test_every_kind_but_price_bands_and_imbalances_has_a_stream_of_its_own() -> None:
    kinds = {kind for stream in KIND_STREAMS.values() for kind in stream.kinds}

    assert kinds == KINDS.keys() - {LULD, IMBALANCE}


@pytest.mark.parametrize(
    ("body", "name", "like"),
    [
        ({"topics": ["price:SPY@1", "news:*"]}, None, topics("price:SPY@1,news:*")),
        (
            {"topics": ["price:SPY"], "interval": 2, "last_event_id": "7-9"},
            None,
            topics("price:SPY", interval="2", last_event_id="7-9"),
        ),
        (
            {"symbols": ["SPY", "IBM"], "interval": 0.5},
            "prices",
            by_kind("prices", symbols="SPY,IBM", interval="0.5"),
        ),
        (
            {"symbols": ["SPY"], "timeframe": ["5Min"]},
            "bars",
            by_kind("bars", symbols="SPY", timeframe="5Min"),
        ),
        (b"", "news", by_kind("news")),
        ({"lang": {"a": [1]}}, "news", by_kind("news")),
    ],
)
def test_a_body_asks_for_the_same_as_a_query(
    body: object, name: str | None, like: StreamRequest
) -> None:
    assert posted(body, name) == like


@pytest.mark.parametrize(
    ("header", "given", "cursor"),
    [
        (None, "", None),
        ("", "", None),
        ("7-9", "", EventId(7, 9)),
        (None, "7-9", EventId(7, 9)),
        ("8-1", "7-9", EventId(8, 1)),
        ("8-1", "nonsense", EventId(8, 1)),
        ("nonsense", "7-9", EventId(7, 9)),
        ("nonsense", "", None),
        ("-1", "", None),
        ("1-\xb2", "", None),
        (f"1-{2**64}", "", None),
        ("9" * 5000 + "-1", "", None),
        (f"1-{10**19 - 1}", "", EventId(1, 10**19 - 1)),
    ],
)
def test_the_header_goes_before_the_query_and_counts_as_none_where_it_is_malformed(
    header: str | None, given: str, cursor: EventId | None
) -> None:
    assert cursor_of(header, given) == cursor


@pytest.mark.parametrize(
    "given", ["nonsense", "7", "7-", "-7", "7-9-1", "7-9\n", "7 9", f"1-{2**64}", "9" * 5000 + "-1"]
)
def test_a_malformed_cursor_in_the_query_is_refused_by_name(given: str) -> None:
    with pytest.raises(ApiError) as refused:
        cursor_of(None, given)

    assert (refused.value.status, refused.value.code) == (400, "bad_value")
    assert refused.value.message.startswith("last_event_id: ")
    assert given[:10].strip() in refused.value.message


@pytest.mark.parametrize(
    ("name", "query", "code", "says"),
    [
        (None, {"topics": "price:A,price:B,price:C,price:D,price:E"}, "topics", "5 topics"),
        ("prices", {"symbols": "A,B,C,D,E"}, "symbols", "5 symbols"),
        ("news", {"symbols": "A,B,C,D,E"}, "symbols", "5 symbols"),
        ("bars", {"symbols": "A,B,C", "timeframe": "1Min,1Day"}, "topics", "6 topics"),
    ],
)
def test_what_is_more_than_one_stream_takes_is_refused(
    name: str | None, query: dict[str, str], code: str, says: str
) -> None:
    refusal = refused(name, query)

    assert (refusal.status, refusal.code) == (400, f"too_many_{code}")
    assert refusal.message.startswith(says)
    assert "MAX_TOPICS_PER_CLIENT" in refusal.hint


def test_a_status_comes_free_with_each_price_but_each_timeframe_counts() -> None:
    assert len(by_kind("prices", symbols="A,B,C,D").topics) == 8
    assert len(by_kind("bars", symbols="A,B", timeframe="1Min,1Day").topics) == 4


@pytest.mark.parametrize(
    ("name", "query", "code", "says"),
    [
        (None, {}, "no_topics", "no topics were requested"),
        (None, {"topics": ""}, "no_topics", "no topics were requested"),
        (None, {"symbols": "SPY"}, "no_topics", "no topics were requested"),
        (None, {"topics": "price:SPY,"}, "bad_topic", "'' is not a topic"),
        (None, {"topics": "SPY"}, "bad_topic", "'SPY' is not a topic"),
        (None, {"topics": "price:*"}, "bad_topic", "'price:*' is not a topic"),
        (None, {"topics": "feed:SPY"}, "bad_topic", "there is no kind 'feed'"),
        (None, {"topics": "price:SPY@"}, "bad_value", "'price:SPY@' has no interval"),
        (None, {"topics": "price:SPY@x"}, "bad_value", "'price:SPY@x' has no interval"),
        (None, {"topics": "price:SPY@61"}, "bad_value", "'price:SPY@61' has no interval"),
        (None, {"topics": "price:SPY@-1"}, "bad_value", "'price:SPY@-1' has no interval"),
        (None, {"topics": "price:SPY@nan"}, "bad_value", "'price:SPY@nan' has no interval"),
        (None, {"topics": "price:SPY@1@2"}, "bad_value", "'price:SPY@1@2' has no interval"),
        (
            None,
            {"topics": "trade:SPY@1"},
            "bad_value",
            "'trade:SPY@1': trade:SPY takes no interval",
        ),
        (None, {"topics": "price:SPY", "interval": "x"}, "bad_value", "interval='x': "),
        (None, {"topics": "price:SPY", "interval": "61"}, "bad_value", "interval=61: "),
        (None, {"topics": "price:SPY", "last_event_id": "x"}, "bad_value", "last_event_id: 'x'"),
        (None, {"topic": "price:SPY"}, "misspelt", "there is no 'topic'"),
        (None, {"Topics": "price:SPY"}, "misspelt", "there is no 'Topics'"),
        (None, {"topics": "price:SPY", "intervals": "1"}, "misspelt", "there is no 'intervals'"),
        ("trades", {"symbol": "SPY"}, "misspelt", "there is no 'symbol'"),
        ("trades", {"symbol[]": "SPY"}, "misspelt", "there is no 'symbol[]'"),
        (None, {"topics": "price:SPY", "interval[]": "1"}, "misspelt", "'interval[]'"),
        ("trades", {"symbols": ""}, "no_symbols", "no symbols were requested"),
        ("news", {"symbols": ""}, "no_symbols", "no symbols were requested"),
        ("trades", {}, "no_symbols", "no symbols were requested"),
        ("trades", {"symbols": "*"}, "bad_symbol", "'*' is not a symbol"),
        ("quotes", {"symbols": "SPY,1A"}, "bad_symbol", "'1A' is not a symbol"),
        ("bars", {"symbols": "SPY", "timeframe": "2Hour"}, "bad_value", "timeframe='2Hour': "),
        ("bars", {"symbols": "SPY", "timeframe": ""}, "bad_value", "timeframe='': "),
        ("bars", {"symbols": "SPY", "timeframes": "1Day"}, "misspelt", "'timeframes'"),
    ],
)
def test_a_wrong_query_is_refused_by_the_value_with_the_remedy(
    name: str | None, query: dict[str, str], code: str, says: str
) -> None:
    refusal = refused(name, query)

    assert (refusal.status, refusal.code) == (400, code)
    assert says in refusal.message
    assert refusal.hint


def test_the_hint_at_a_misspelt_name_has_the_right_one() -> None:
    refusal = refused("trades", {"symbol": "SPY"})

    assert refusal.hint == "write symbols: symbols as SPY,BRK.B,BTC/USD,AAPL240119C00100000"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "the body is not a JSON object: Input data was truncated"),
        (b"topics=price:SPY", "the body is not a JSON object: JSON is malformed"),
        (b'{"topics":["\xff"]}', "the body is not a JSON object: "),
        (b'{"topics":["\\ud800"]}', "the body is not a JSON object: "),
        (b'{"topics":' + b"[" * 100_000, "the body is not a JSON object: maximum recursion depth"),
        (["price:SPY"], "the body is not a JSON object: another kind of value"),
        ("price:SPY", "the body is not a JSON object: another kind of value"),
        (None, "the body is not a JSON object: another kind of value"),
    ],
)
def test_a_body_that_is_no_object_is_refused(body: object, says: str) -> None:
    refusal = refused_body(body)

    assert (refusal.status, refusal.code) == (400, "bad_body")
    assert says in refusal.message
    assert refusal.hint == "its members may be topics interval padding last_event_id"


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        ({}, "no_topics", "no topics were requested"),
        ({"topics": []}, "no_topics", "no topics were requested"),
        ({"topics": "price:SPY"}, "bad_value", 'topics="price:SPY": Expected `array`'),
        ({"topics": ["price:SPY", 1]}, "bad_value", 'topics=["price:SPY", 1]: Expected `str`'),
        ({"topics": None}, "bad_value", "topics=null: Expected `array`"),
        ({"topics": ["price:SPY"], "interval": "1"}, "bad_value", 'interval="1": Expected `float`'),
        ({"topics": ["price:SPY"], "interval": True}, "bad_value", "interval=true: "),
        ({"topics": ["price:SPY"], "interval": None}, "bad_value", "interval=null: "),
        ({"topics": ["price:SPY"], "interval": -1}, "bad_value", "interval=-1: "),
        ({"topics": ["price:SPY"], "last_event_id": 7}, "bad_value", "last_event_id=7: "),
        ({"topics": ["price:SPY"], "last_event_id": "7"}, "bad_value", "last_event_id: '7'"),
        ({"topic": ["price:SPY"]}, "misspelt", "there is no 'topic'"),
        ({"topics[]": ["price:SPY"]}, "misspelt", "there is no 'topics[]'"),
        ({"topics": ["feed:SPY"]}, "bad_topic", "there is no kind 'feed'"),
    ],
)
def test_a_wrong_body_is_refused_by_the_field(body: object, code: str, says: str) -> None:
    refusal = refused_body(body)

    assert (refusal.status, refusal.code) == (400, code)
    assert says in refusal.message
    assert refusal.hint


def test_a_refusal_does_not_repeat_a_value_without_end() -> None:
    refusal = refused_body({"topics": "x" * 100_000})

    assert len(refusal.message) < 200


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"limit": "0"}, "limit=0: "),
        ({"limit": "10001"}, "limit=10001: "),
        ({"limit": "1.5"}, "limit=1.5: "),
        ({"limit": "many"}, "limit='many': "),
        ({"timeframe": "1Min,1Day"}, "timeframe='1Min,1Day': "),
        ({"timeframe": "2Hour"}, "timeframe='2Hour': "),
    ],
)
def test_stored_bars_are_asked_for_within_bounds(query: dict[str, str], says: str) -> None:
    with pytest.raises(ApiError) as refused:
        fields.from_query(query.items(), BarQueryFields)

    assert says in refused.value.message


def read_or_refused(read: Callable[[], StreamRequest]) -> None:
    """Any request is either understood or rejected in words that can be sent."""
    try:
        asked = read()
    except ApiError as error:
        refusal = error
    else:
        assert 1 <= len(asked.topics) <= LIMIT
        assert all(0 <= seconds <= 60 for seconds in asked.intervals.values())
        return
    assert refusal.status == 400
    assert refusal.response().body


@given(st.dictionaries(st.sampled_from(["topics", "interval", "last_event_id", "x"]), st.text()))
def test_whatever_a_query_says_it_is_read_or_refused(query: dict[str, str]) -> None:
    read_or_refused(lambda: many(*query.items()))


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(
    st.one_of(
        st.binary(),
        st.dictionaries(
            st.sampled_from(["topics", "interval", "last_event_id", "x"]),
            json_values | st.lists(st.sampled_from(["price:SPY", "news:*", "quote:A@1"])),
        ),
    )
)
def test_whatever_a_body_says_it_is_read_or_refused(body: object) -> None:
    read_or_refused(lambda: posted(body))


@pytest.mark.parametrize("name", [None, "trades"])
def test_of_two_mistakes_the_topics_are_named_first(name: str | None) -> None:
    error = refused(name, {"last_event_id": "x"})

    assert error.code == ("no_topics" if name is None else "no_symbols")
