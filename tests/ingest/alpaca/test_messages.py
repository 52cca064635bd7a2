"""Frames become messages one by one, whatever else is in them."""

import math
from typing import Any, get_args

import msgpack
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.alpaca import messages as wire
from ingest.alpaca.bounds import EARLIEST_NS, LATEST_NS
from ingest.alpaca.unreadable import BadFrameError, Malformed, Unknown

NS = 1_384_000_000_123_456_789


def frame(*messages: Any) -> bytes:
    packed: bytes = msgpack.packb(list(messages))
    return packed


def stamp(at: int = NS) -> msgpack.Timestamp:
    return msgpack.Timestamp.from_unix_nano(at)


def trade(**fields: Any) -> dict[str, Any]:
    return {"T": "t", "S": "SPY", "p": 168.5, "s": 100, "t": stamp(), **fields}


def decoded(**fields: Any) -> Any:
    (message,) = wire.decode(frame(fields))
    return message


def test_a_trade_has_all_that_alpaca_sends() -> None:
    (taken,) = wire.decode(frame(trade(i=52983525029461, x="V", c=["@", "I"], z="B", r=stamp())))

    assert isinstance(taken, wire.Trade)
    assert (taken.symbol, taken.price, taken.size) == ("SPY", 168.5, 100)
    assert (taken.id, taken.exchange, taken.tape) == (52983525029461, "V", "B")
    assert taken.conditions == ("@", "I")
    assert wire.nanoseconds(taken.time) == NS


def test_numbers_keep_their_kind() -> None:
    (whole,) = wire.decode(frame(trade(p=136, s=5)))

    assert (type(whole.price), type(whole.size)) == (int, int)


def test_every_other_kind_is_told_apart() -> None:
    assert isinstance(
        decoded(T="q", S="SPY", bp=1.0, bs=2, bx="V", ap=1.1, ax="Q", t=stamp(), **{"as": 3}),
        wire.Quote,
    )
    assert isinstance(decoded(T="s", S="SPY", sc="H", t=stamp()), wire.TradingStatus)
    assert isinstance(
        decoded(T="c", S="SPY", oi=1, ci=2, cp=1.5, cs=10, t=stamp()), wire.Correction
    )
    assert isinstance(decoded(T="x", S="SPY", i=1, t=stamp()), wire.Cancel)
    assert isinstance(decoded(T="l", S="SPY", u=2, d=1, i="B", t=stamp()), wire.PriceBands)
    assert isinstance(decoded(T="i", S="SPY", p=9.75, t=stamp()), wire.Imbalance)
    bar = {"S": "SPY", "t": stamp(), "o": 1, "h": 2.5, "l": 1, "c": 2, "v": 700, "n": 7, "vw": 1.5}
    assert isinstance(decoded(T="b", **bar), wire.MinuteBar)
    assert isinstance(decoded(T="u", **bar), wire.UpdatedBar)
    assert isinstance(decoded(T="d", **bar), wire.DayBar)
    assert decoded(T="subscription", trades=["SPY"]) == wire.Subscribed(trades=["SPY"])
    assert decoded(T="error", code=406, msg="connection limit exceeded").code == 406
    assert decoded(T="success", msg="connected") == wire.Success("connected")


@pytest.mark.parametrize("kind", get_args(wire.Data), ids=lambda kind: kind.__name__)
def test_no_kind_of_data_is_unknown_to_the_decoder(kind: type[msgspec.Struct]) -> None:
    tag = str(kind.__struct_config__.tag)

    assert [type(each) for each in wire.decode(frame({"T": tag}))] == [Malformed]


def test_a_bar_costs_itself_if_it_lacks_a_price_and_no_more_than_a_count_that_is_none() -> None:
    bar = {"T": "b", "S": "A", "t": stamp(), "o": 1, "h": 2, "l": 1, "c": 2, "v": 700, "n": "x"}
    taken, lost, bad, last = wire.decode(frame(bar, {**bar, "h": 0}, trade(S="B")))

    assert (taken.volume, taken.trade_count, taken.vwap) == (700, None, None)
    assert (lost.kind, bad.kind, bad.symbol, last.symbol) == ("b", "b", "A", "B")


def test_an_acknowledgement_names_the_channels_as_requests_do() -> None:
    lists = {"trades": ["A"], "updatedBars": ["B"], "dailyBars": ["C"], "bars": [], "lulds": ["D"]}
    lists["orderbooks"] = ["E/F"]

    assert decoded(T="subscription", **lists).channels() == {
        "trades": ["A"],
        "updatedBars": ["B"],
        "dailyBars": ["C"],
        "lulds": ["D"],
        "orderbooks": ["E/F"],
    }


def book(**fields: Any) -> dict[str, Any]:
    sides = {"b": [{"p": 99, "s": 0.5}, {"p": 98.25, "s": 0}], "a": [{"p": 1e-05, "s": 10**17}]}
    return {"T": "o", "S": "BTC/USD", "t": stamp(), **sides, **fields}


def sides(found: wire.OrderBook) -> list[list[tuple[float, float]] | None]:
    return [
        None if side is None else [(each.price, each.size) for each in side]
        for side in (found.bids, found.asks)
    ]


def test_an_order_book_has_its_levels_in_order_and_as_they_were_written() -> None:
    found = decoded(**book())

    assert isinstance(found, wire.OrderBook)
    assert sides(found) == [[(99, 0.5), (98.25, 0)], [(1e-05, 10**17)]]
    assert [type(each.price) for each in found.bids or ()] == [int, float]
    assert isinstance(found.time, msgspec.msgpack.Ext)
    assert (found.symbol, found.reset, wire.nanoseconds(found.time)) == ("BTC/USD", False, NS)


def test_a_whole_order_book_differs_from_a_change() -> None:
    assert decoded(**book(r=True)).reset
    assert not decoded(**book(r=False)).reset


@pytest.mark.parametrize("time", ["2026-11-16T12:00:00Z", stamp()])
def test_an_order_book_has_its_time_in_either_form(time: Any) -> None:
    assert isinstance(decoded(**book(t=time)), wire.OrderBook)


def test_a_side_of_an_order_book_may_be_absent_null_or_empty() -> None:
    absent = {name: value for name, value in book().items() if name != "a"}

    assert sides(decoded(**absent))[1] is None
    assert sides(decoded(**book(a=None)))[1] is None
    assert sides(decoded(**book(a=[]))) == [[(99, 0.5), (98.25, 0)], []]


LEVEL: dict[str, Any] = {"p": 99, "s": 1}
NO_PRICES: list[Any] = [0, -1, 10**9, math.nan, math.inf, -math.inf, "9", None, {}]
NO_SIZES: list[Any] = [-1, 10**18, math.nan, math.inf, "9", None, []]
BAD_LEVELS: list[Any] = [
    *({**LEVEL, "p": bad} for bad in NO_PRICES),
    *({**LEVEL, "s": bad} for bad in NO_SIZES),
    *({"p": 99}, {"s": 1}, {}, 7, None, [99, 1], [LEVEL], "99"),
]


@pytest.mark.parametrize("bad", BAD_LEVELS)
@pytest.mark.parametrize("place", [0, 1, 150])
def test_one_bad_level_costs_its_whole_message_which_names_the_book(bad: Any, place: int) -> None:
    levels = [LEVEL] * 300
    levels.insert(place, bad)
    first, found, last = wire.decode(frame(book(S="A"), book(b=levels), book(S="B")))

    assert isinstance(found, Malformed)
    assert (found.kind, found.symbol) == ("o", "BTC/USD")
    assert found.problem
    assert (first.symbol, last.symbol) == ("A", "B")


@pytest.mark.parametrize(
    "bad", [{"b": 7}, {"a": "x"}, {"r": 1}, {"r": None}, {"t": 7}, {"t": None}, {"t": "x" * 65}]
)
def test_a_bad_field_of_an_order_book_costs_its_message_which_names_the_book(bad: Any) -> None:
    found = decoded(**book(**bad))

    assert isinstance(found, Malformed)
    assert (found.kind, found.symbol) == ("o", "BTC/USD")


@pytest.mark.parametrize("bad", [{"S": 7}, {"S": None}])
def test_an_order_book_without_a_symbol_may_be_any(bad: Any) -> None:
    found = decoded(**book(**bad))

    assert isinstance(found, Malformed)
    assert (found.kind, found.symbol) == ("o", "")


def test_a_message_of_too_many_levels_is_malformed_and_one_of_the_most_is_read() -> None:
    levels = [LEVEL] * (wire.MOST_LEVELS + 1)
    found, whole = wire.decode(frame(book(b=levels), book(b=levels[1:])))

    assert (found.kind, found.symbol) == ("o", "BTC/USD")
    assert len(whole.bids) == wire.MOST_LEVELS


def test_a_field_that_is_not_read_does_not_harm_an_order_book() -> None:
    nested: Any = 1
    for _ in range(300):
        nested = [nested]
    found = decoded(**book(extra=nested))

    assert sides(found) == sides(decoded(**book()))


@pytest.mark.parametrize("time", ["2026-11-16T12:00:00Z", stamp()])
def test_an_article_has_its_times_in_either_form(time: Any) -> None:
    article = decoded(T="n", id=7, headline="x", created_at=time, updated_at=time, content="<p>")

    assert isinstance(article, wire.News)


def test_one_bad_or_new_message_takes_no_other_of_its_frame_with_it() -> None:
    messages = wire.decode(
        frame(trade(S="A"), {"T": "zz"}, trade(p="dear"), 7, {"S": "B"}, trade(S="C"))
    )

    assert [type(each) for each in messages] == [
        wire.Trade,
        Unknown,
        Malformed,
        Malformed,
        Malformed,
        wire.Trade,
    ]
    assert (messages[0].symbol, messages[5].symbol) == ("A", "C")
    assert messages[1].kind == "zz"


def test_text_that_is_no_text_spoils_its_own_message_only() -> None:
    bad = b"\x82\xa1T\xa1t\xa1S\xa2\xff\xfe"
    good = msgpack.packb({"T": "success", "msg": "connected"})

    assert wire.decode(b"\x92" + bad + good)[1] == wire.Success("connected")


@pytest.mark.parametrize(
    "garbage",
    [b"", b"\xc1", b"\x91", b"\x05", b"\xff" * 100, frame(trade())[:-3], msgpack.packb(trade())],
)
def test_a_frame_that_is_no_array_is_told(garbage: bytes) -> None:
    with pytest.raises(BadFrameError):
        wire.decode(garbage)


def test_text_is_told() -> None:
    with pytest.raises(BadFrameError, match="text where msgpack was requested"):
        wire.decode('[{"T":"success"}]')


@given(st.binary(max_size=200))
def test_no_bytes_do_any_harm(garbage: bytes) -> None:
    try:
        messages = wire.decode(garbage)
    except BadFrameError:
        return
    assert isinstance(messages, list)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.sampled_from("TSptsxcibar"), inner, max_size=5)
        ),
    )
)
def test_no_message_does_any_harm_to_the_one_after_it(anything: Any) -> None:
    messages = wire.decode(frame(anything, trade(S="LAST")))

    assert messages[-1].symbol == "LAST"


@given(st.integers(EARLIEST_NS, LATEST_NS))
def test_times_are_exact_to_the_nanosecond(at: int) -> None:
    ext = msgspec.msgpack.decode(msgpack.packb(stamp(at)), type=msgspec.msgpack.Ext)

    assert wire.nanoseconds(ext) == at


@pytest.mark.parametrize(
    "at", [EARLIEST_NS - 1, LATEST_NS + 1, 2**63 * 10**9 - 1, -(2**63) * 10**9]
)
def test_a_time_that_no_calendar_has_is_none(at: int) -> None:
    seconds, ns = divmod(at, 10**9)
    data = ns.to_bytes(4, "big") + seconds.to_bytes(8, "big", signed=True)

    with pytest.raises(ValueError, match="years 1 to 9999"):
        wire.nanoseconds(msgspec.msgpack.Ext(-1, data))


@pytest.mark.parametrize(("code", "data"), [(1, b"\0" * 8), (-1, b"\0" * 5)])
def test_another_extension_is_no_time(code: int, data: bytes) -> None:
    with pytest.raises(ValueError, match="not a msgpack timestamp"):
        wire.nanoseconds(msgspec.msgpack.Ext(code, data))
