"""Whatever the stream and REST bring, and in any order, the bars are those of a rebuild."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.bars.bar_changes import BarChange
from tests.ingest.bars.chart import Chart
from tests.ingest.bars.market import SPANS, Market, Print
from tests.ingest.bars.rules import equal

PRINTS = st.one_of(
    st.builds(
        Print,
        price=st.sampled_from([99.5, 100.0, 100.25, 101.0]),
        size=st.integers(1, 500),
        conditions=st.sampled_from(["@", "@T", "@I", "@4", "@Z", "@6", "@M", "@TI", "@P", "@R"]),
        tape=st.just("C"),
    ),
    st.builds(
        Print,
        price=st.sampled_from([98.0, 103.0]),
        size=st.integers(1, 500),
        conditions=st.sampled_from([" ", " B", " E", " G", " ?"]),
        tape=st.sampled_from("AB"),
    ),
    st.just(Print(100.75, 0, "@9", "C")),
)
AGES = st.one_of(st.floats(0, 1), st.floats(0, 100))
CLOSES = st.sampled_from([90.0, 95.5, 100.0])
VOLUMES = st.integers(1, 1000)
ROWS = st.lists(st.tuples(st.integers(0, 59), CLOSES, VOLUMES), max_size=4)
NUMBERS = st.integers(0, 30)

ACTS = st.one_of(
    st.tuples(st.just("wait"), st.one_of(st.floats(0.1, 2), st.floats(0, 70))),
    st.tuples(st.just("trade"), AGES, PRINTS),
    st.tuples(st.just("trade"), AGES, PRINTS),
    st.tuples(st.just("overtake"), AGES, PRINTS),
    st.tuples(st.just("deliver")),
    st.tuples(st.just("cancel"), NUMBERS),
    st.tuples(st.just("correct"), NUMBERS, PRINTS),
    st.tuples(st.just("bar"), st.integers(1, 3), CLOSES, VOLUMES),
    st.tuples(st.just("day_bar"), CLOSES, VOLUMES),
    st.tuples(st.just("lose")),
    st.tuples(st.just("reconnect")),
    st.tuples(st.just("answer"), st.one_of(ROWS, st.none())),
)
DAYS = st.lists(ACTS, max_size=40)
OFFSETS = st.floats(0, 100)


def played(offset: float, acts: list[tuple[Any, ...]]) -> Market:
    """Return the market after all acts, when all bars but the day's and the running are final."""
    market = Market(offset)
    for name, *values in acts:
        if name == "overtake":
            market.trade(*values, overtaken=True)
        else:
            getattr(market, name)(*values)
    market.end()
    return market


def newest(market: Market) -> dict[tuple[str, int], BarChange]:
    """Return the newest version of each bar."""
    return {
        (timeframe, each.bar.at_ns): each
        for timeframe, topic in market.stream.topics.items()
        for each in topic.events
    }


@settings(max_examples=300)
@given(OFFSETS, DAYS)
def test_the_newest_bars_are_those_of_a_rebuild(offset: float, acts: list[tuple[Any, ...]]) -> None:
    market = played(offset, acts)
    shown, wanted = newest(market), market.expected()

    assert {
        key: (shown.get(key), bar)
        for key, bar in wanted.items()
        if key not in shown or not equal(shown[key].bar, bar)
    } == {}
    # A bar that was shown disappears only if its prints are withdrawn.
    if not market.withdrawn and not market.corrected:
        assert shown.keys() == wanted.keys()


@settings(max_examples=200)
@given(OFFSETS, DAYS)
def test_every_bar_that_has_ended_is_final_in_the_end(
    offset: float, acts: list[tuple[Any, ...]]
) -> None:
    market = played(offset, acts)
    wanted = market.expected()
    running = {key for key, each in newest(market).items() if key in wanted and not each.final}

    # The day runs on, and so do the larger bars from 13:00.
    assert all(
        timeframe == "1Day" or start + SPANS.get(timeframe, 0) > market.now
        for timeframe, start in running
    ), running


@settings(max_examples=200)
@given(OFFSETS, DAYS)
def test_no_client_s_chart_throws_whenever_it_connects_and_whatever_it_skips(
    offset: float, acts: list[tuple[Any, ...]]
) -> None:
    market = played(offset, acts)

    for topic in market.stream.topics.values():
        whole = Chart()
        for each in topic.events:
            whole.draw(each)
        final = {each.bar.at_ns: each.bar for each in topic.events}
        assert whole.bars == final
        ended = {each.bar.at_ns for each in topic.events if not each.running}
        for number in range(len(topic.events) + 1):
            chart = topic.chart_from(number)
            assert {start: chart.bars.get(start) for start in ended} == {
                start: final[start] for start in ended
            }
        assert topic.conflated_chart().bars.keys() >= ended
