"""The order of slots: positions, the most watched symbols, and those that have one already."""

from hypothesis import given
from hypothesis import strategies as st

from ingest.demand.channels import STOCK_CHANNELS, UpstreamChannel
from ingest.demand.priority import Shares, share_out
from ingest.demand.wanted import Want
from tests.ingest.demand.wants import names, want

NOBODY: dict[str, set[str]] = {"trades": set(), "quotes": set()}
TWO = ("trades", "quotes")

some_wants = st.lists(
    st.builds(
        want,
        st.sampled_from(names(15)),
        st.integers(0, 8),
        st.sampled_from(TWO),
        position=st.booleans(),
        lingering=st.booleans(),
    ).map(lambda w: w._replace(lingering=w.lingering and not w.position)),
    unique_by=lambda w: w.symbol,
)
holdings = st.fixed_dictionaries(
    {channel: st.sets(st.sampled_from(names(15)), max_size=8) for channel in TWO}
)
limits = st.none() | st.integers(0, 12)


def holders(shares: Shares) -> dict[str, set[str]]:
    return {channel: set(symbols) for channel, symbols in shares.symbols.items()}


def size(held: dict[str, set[str]], counts_each_channel: bool) -> int:
    if counts_each_channel:
        return sum(map(len, held.values()))
    return len(set.union(*held.values()))


def test_positions_come_first_then_the_most_watched_then_by_name() -> None:
    wanted = [want("B", 2), want("A", 2), want("TOP", 9), want("POS", 0, position=True)]
    shares = share_out(wanted, NOBODY, 3, STOCK_CHANNELS)

    assert shares.symbols["trades"] == ["POS", "TOP", "A"]
    assert shares.over_limit == ["B"]


def test_a_holder_yields_to_more_than_twice_its_viewers() -> None:
    held = {"trades": {"OLD"}, "quotes": set[str]()}
    assert share_out([want("OLD", 2), want("NEW", 4)], held, 1, STOCK_CHANNELS).symbols[
        "trades"
    ] == ["OLD"]
    assert share_out([want("OLD", 2), want("NEW", 5)], held, 1, STOCK_CHANNELS).symbols[
        "trades"
    ] == ["NEW"]


def test_what_lingers_keeps_a_slot_that_nobody_needs_and_gets_none() -> None:
    held = {"trades": {"GONE"}, "quotes": set[str]()}
    left = want("GONE", lingering=True)
    assert share_out([left, want("NEW", 0)], held, 2, STOCK_CHANNELS).symbols["trades"] == [
        "NEW",
        "GONE",
    ]
    shares = share_out([left, want("NEW", 0)], held, 1, STOCK_CHANNELS)
    assert (shares.symbols["trades"], shares.over_limit) == (["NEW"], [])
    assert share_out([left], NOBODY, None, STOCK_CHANNELS).symbols["trades"] == []


def test_a_freed_slot_goes_to_the_best_of_the_overflow() -> None:
    wanted = [want("A", 5), want("B", 1), want("C", 3)]
    held = holders(share_out([*wanted, want("D", 9)], NOBODY, 2, STOCK_CHANNELS))
    assert held["trades"] == {"D", "A"}
    assert set(share_out(wanted, held, 2, STOCK_CHANNELS).symbols["trades"]) == {"A", "C"}


@given(wanted=some_wants, held=holdings, limit=limits, counts_each_channel=st.booleans())
def test_the_limit_holds_and_positions_come_before_all_others(
    wanted: list[Want], held: dict[str, set[str]], limit: int | None, counts_each_channel: bool
) -> None:
    shares = share_out(wanted, held, limit, STOCK_CHANNELS, counts_each_channel=counts_each_channel)
    served = set.union(*holders(shares).values())

    assert limit is None or size(holders(shares), counts_each_channel) <= limit
    assert shares.symbols == {k: list(dict.fromkeys(v)) for k, v in shares.symbols.items()}
    positions = {want.symbol for want in wanted if want.position}
    if served - positions:
        assert positions <= served
    watched = {want.symbol for want in wanted if not want.lingering}
    assert watched <= served.union(shares.over_limit)
    assert served.isdisjoint(shares.over_limit)
    assert set(shares.partly_over_limit) <= set(shares.symbols["trades"])
    if shares.over_limit:
        assert not served - watched, "a lingering symbol has a slot that another needs"


@given(wanted=some_wants, held=holdings, limit=limits, counts_each_channel=st.booleans())
def test_constant_numbers_move_nobody_after_one_step(
    wanted: list[Want], held: dict[str, set[str]], limit: int | None, counts_each_channel: bool
) -> None:
    once = holders(
        share_out(wanted, held, limit, STOCK_CHANNELS, counts_each_channel=counts_each_channel)
    )
    twice = share_out(wanted, once, limit, STOCK_CHANNELS, counts_each_channel=counts_each_channel)

    assert holders(twice) == once


THREE = (
    UpstreamChannel("trades"),
    UpstreamChannel("quotes"),
    UpstreamChannel("books"),
    UpstreamChannel("bars", counted=False),
    UpstreamChannel("statuses", counted=False, follows="trades"),
)
EMPTY = {channel.name: set[str]() for channel in THREE}


def test_every_first_channel_comes_before_a_second_and_every_second_before_a_third() -> None:
    wanted = [want("A", 3, "trades", "quotes", "books"), want("B", 2, "quotes", "books")]
    wanted.append(want("C", 1, "books"))

    def symbols(limit: int) -> dict[str, list[str]]:
        shares = share_out(wanted, EMPTY, limit, THREE, counts_each_channel=True)
        return {channel: had for channel, had in shares.symbols.items() if had}

    assert symbols(3) == {"trades": ["A"], "quotes": ["B"], "books": ["C"]}
    assert symbols(4) == {"trades": ["A"], "quotes": ["B", "A"], "books": ["C"]}
    assert symbols(5) == {"trades": ["A"], "quotes": ["B", "A"], "books": ["C", "B"]}
    assert symbols(6) == {"trades": ["A"], "quotes": ["B", "A"], "books": ["C", "B", "A"]}


def test_a_symbol_takes_one_slot_on_any_number_of_channels() -> None:
    wanted = [want("A", 2, "trades", "quotes", "books"), want("B", 1, "books")]
    shares = share_out(wanted, EMPTY, 1, THREE)

    assert {channel for channel, had in shares.symbols.items() if had == ["A"]} == {
        "trades",
        "quotes",
        "books",
    }
    assert (shares.over_limit, shares.partly_over_limit) == (["B"], [])


def test_a_channel_that_is_not_counted_takes_no_slot_and_needs_none() -> None:
    wanted = [want("A", 3, "trades"), want("B", 2, "trades", "bars"), want("C", 1, "bars")]
    shares = share_out(wanted, EMPTY, 1, THREE)

    assert shares.symbols["trades"] == ["A"]
    assert shares.symbols["bars"] == ["B", "C"]
    assert shares.over_limit == ["B"]


@given(wanted=some_wants, held=holdings, limit=limits)
def test_who_loses_a_slot_loses_it_to_somebody_much_more_important(
    wanted: list[Want], held: dict[str, set[str]], limit: int | None
) -> None:
    had = set.union(*held.values())
    served = set.union(*holders(share_out(wanted, held, limit, STOCK_CHANNELS)).values())
    losers = [w for w in wanted if w.symbol in had - served]
    for loser in losers:
        for winner in (w for w in wanted if w.symbol in served - had):
            assert (
                winner.position > loser.position
                or loser.lingering
                or winner.viewers > 2 * loser.viewers
            )
    if limit is not None and losers and len(had & {w.symbol for w in wanted}) <= limit:
        assert served - had, "a symbol lost its slot for nothing"
