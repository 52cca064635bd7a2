"""Symbols that a living stream withholds: found by REST's newer trades, ended by the stream's."""

from itertools import pairwise

from ingest.market.withheld_trades import (
    BEHIND_LOOKS,
    CLOCKS_NS,
    FIRST_RENEWAL_SECONDS,
    LONGEST_RENEWAL_SECONDS,
    OWED_LOOKS,
    SETTLE_SECONDS,
    WithheldTrades,
)
from tests.ingest.trades import NOON, SECOND


class Market:
    """TFPM and SPY, both acknowledged at noon; a look is a second."""

    def __init__(self, *, known: bool = True, delay_ns: int = 0) -> None:
        self.streamed: dict[str, int] = {}
        self.known: dict[str, int] = {"TFPM": NOON - delay_ns - 60 * SECOND} if known else {}
        self.newest_streamed = -1
        self.seconds = 0
        self.trades = WithheldTrades(
            streamed_ns=lambda symbol: self.streamed.get(symbol, -1),
            known_ns=self.known.get,
            newest_streamed_ns=lambda: self.newest_streamed,
            delay_ns=delay_ns,
        )
        self.subscribe("TFPM", "SPY")

    @property
    def now(self) -> int:
        return NOON + self.seconds * SECOND

    def subscribe(self, *symbols: str) -> None:
        self.trades.on_subscribed(frozenset(symbols), self.now, self.seconds)

    def stream(self, symbol: str, at_ns: int | None = None) -> None:
        self.newest_streamed = self.now if at_ns is None else at_ns
        self.streamed[symbol] = max(self.newest_streamed, self.streamed.get(symbol, -1))

    def ask(self, at_ns: int | None) -> None:
        """Let REST answer about TFPM."""
        self.trades.on_rest("TFPM", at_ns, self.seconds)

    def fetch(self) -> int:
        """Let REST return all prints of TFPM up to now; return the time of the newest."""
        self.trades.on_fetched("TFPM", NOON, self.now)
        return self.now

    def look(self, seconds: int = 1, *, streaming: str | None = "SPY") -> list[bool]:
        """Look once a second; return whether TFPM was withheld at each look."""
        found = []
        for _ in range(seconds):
            self.seconds += 1
            if streaming:
                self.stream(streaming)
            self.trades.look()
            found.append("TFPM" in self.trades.symbols)
        return found


def withheld() -> Market:
    """Return a market in which the stream brought TFPM until 12:00:10 and withholds it since."""
    market = Market()
    market.look(10, streaming="TFPM")
    market.look(20)
    market.ask(market.now - SECOND)
    market.look(OWED_LOOKS)
    assert market.trades.symbols == {"TFPM"}
    return market


def test_a_symbol_with_a_trade_that_only_rest_shows_is_withheld_within_seconds() -> None:
    market = Market()
    market.look(10, streaming="TFPM")
    market.look(20)
    market.ask(market.now - SECOND)

    assert market.trades.disputed == {"TFPM"}
    assert market.look(OWED_LOOKS) == [False] * (OWED_LOOKS - 2) + [True, True]
    assert market.trades.take_found() == {"TFPM": (NOON + 10 * SECOND - CLOCKS_NS) / 1e9}
    assert market.trades.take_found() == {}


def test_a_busy_symbol_of_which_rest_is_ahead_is_not_withheld() -> None:
    market = Market()
    for _ in range(60):
        market.ask(market.now + SECOND)  # REST shows each trade a second before the stream
        assert market.look(1, streaming="TFPM") == [False]


def test_answers_in_quick_succession_do_not_postpone_the_finding() -> None:
    market = Market()
    market.look(30)
    for _ in range(OWED_LOOKS):
        market.ask(market.now)
        market.look(1)

    assert market.trades.symbols == {"TFPM"}


def test_a_trade_from_before_the_subscription_was_never_due() -> None:
    market = Market()
    market.ask(NOON + CLOCKS_NS)

    assert not any(market.look(60))


def test_the_first_trade_that_is_known_of_a_new_symbol_was_never_due() -> None:
    market = Market(known=False)
    market.look(30)
    market.ask(market.now - SECOND)
    assert not any(market.look(60))
    market.ask(market.now - SECOND)

    assert any(market.look(OWED_LOOKS)), "the next one is"


def test_while_this_process_is_stopped_no_time_passes() -> None:
    market = Market()
    market.look(30, streaming="TFPM")
    market.ask(market.now)
    market.seconds += 3600  # no look, and the stream waits in the socket
    assert market.look(1, streaming=None) == [False]
    market.stream("TFPM")

    assert not any(market.look(60, streaming=None))


def test_a_stream_that_is_behind_as_a_whole_is_given_time() -> None:
    market = Market()
    market.look(30)
    market.ask(market.now)
    late = market.now - 20 * SECOND
    found = []
    for number in range(BEHIND_LOOKS):
        market.stream("SPY", late + number)
        found += market.look(1, streaming=None)

    assert found == [False] * (BEHIND_LOOKS - 1) + [True]


def test_a_stream_that_brings_nothing_is_no_reason_to_subscribe_again() -> None:
    market = Market()
    market.ask(NOON + 10 * SECOND)

    assert market.look(OWED_LOOKS, streaming=None)[-1]
    assert market.trades.take_renewals(market.seconds) == []
    market.look(20)
    assert market.trades.take_renewals(market.seconds) == ["TFPM"]


def test_the_streams_next_trade_ends_it_and_the_prints_until_then_are_fetched() -> None:
    market = withheld()
    market.trades.take_found()
    fetched = market.fetch()
    market.ask(market.now + SECOND)  # a snapshot shows the newest trade alone
    market.stream("TFPM", market.now + 2 * SECOND)
    market.look()

    assert market.trades.symbols == set()
    assert market.trades.take_ended() == {"TFPM": fetched / 1e9}


def test_a_snapshot_does_not_count_as_the_prints_before_it() -> None:
    market = withheld()
    fetched = market.fetch()
    market.ask(market.now + 4 * SECOND)

    assert market.trades.missing_since() == {"TFPM": fetched / 1e9}


def test_prints_of_a_later_time_leave_a_hole_that_stays_missing() -> None:
    market = withheld()
    fetched = market.fetch()
    market.trades.on_fetched("TFPM", fetched + SECOND, fetched + 2 * SECOND)

    assert market.trades.missing_since() == {"TFPM": fetched / 1e9}


def test_a_loss_that_is_announced_is_not_missing_any_more() -> None:
    market = withheld()
    market.ask(market.now + 4 * SECOND)
    market.trades.on_unrepairable("TFPM")

    assert market.trades.missing_since() == {"TFPM": (market.now + 4 * SECOND) / 1e9}


def test_a_delayed_feed_owes_trades_that_are_older_than_the_subscription() -> None:
    delay = 900 * SECOND
    market = Market(delay_ns=delay)
    market.look(30)
    market.ask(market.now - delay)
    market.look(OWED_LOOKS)

    assert market.trades.take_found() == {"TFPM": NOON / 1e9}, "by the time of arrival"


def test_a_late_print_of_the_stream_does_not_end_it() -> None:
    market = withheld()
    market.stream("TFPM", NOON)

    assert market.look(1) == [True]


def test_a_withheld_symbol_is_subscribed_again_and_less_often_each_time() -> None:
    market = withheld()
    times = []
    for _ in range(3000):
        times += [market.seconds] * len(market.trades.take_renewals(market.seconds))
        market.ask(market.now)
        market.look(1)

    waits = [later - earlier for earlier, later in pairwise(times)]
    assert waits[:6] == [FIRST_RENEWAL_SECONDS * 2**number for number in range(5)] + [
        LONGEST_RENEWAL_SECONDS
    ]
    assert market.trades.lasting == {"TFPM"}


def renewed(market: Market) -> Market:
    assert market.trades.take_renewals(market.seconds) == ["TFPM"]
    market.subscribe("SPY")
    assert market.trades.symbols == {"TFPM"}
    market.subscribe("SPY", "TFPM")
    return market


def test_a_renewed_symbol_of_which_rest_shows_no_newer_trade_is_not_withheld_any_more() -> None:
    market = withheld()
    shown = market.now - SECOND
    market.known["TFPM"] = shown
    renewed(market)
    market.ask(shown)
    assert market.look(1) == [True], "too soon to know"
    market.look(int(SETTLE_SECONDS))
    market.ask(shown)

    assert market.look(1) == [False]
    assert market.trades.take_ended().keys() == {"TFPM"}, "those from before it are fetched"


def test_a_renewed_symbol_that_remains_withheld_is_so_without_a_break() -> None:
    market = renewed(withheld())
    found = []
    for _ in range(30):
        market.ask(market.now)
        found += market.look(1)

    assert all(found)


def test_prints_that_were_lost_hours_apart_are_no_lasting_trouble() -> None:
    market = renewed(withheld())
    market.seconds += 3600
    assert market.trades.take_renewals(market.seconds) == ["TFPM"]

    assert market.trades.lasting == set()


def test_a_lost_connection_returns_the_symbols_that_it_withheld_and_those_in_doubt() -> None:
    suspected = Market()
    suspected.look(10, streaming="TFPM")
    suspected.look(20)
    suspected.ask(suspected.now)
    assert suspected.trades.on_stream_lost() == {"TFPM": (NOON + 10 * SECOND - CLOCKS_NS) / 1e9}

    market = withheld()
    market.trades.take_found()
    fetched = market.fetch()
    assert market.trades.on_stream_lost() == {"TFPM": fetched / 1e9}


def test_a_lost_connection_forgets_the_doubts() -> None:
    market = Market()
    market.look(10, streaming="TFPM")
    market.look(20)
    market.ask(market.now)
    market.trades.on_stream_lost()

    assert not any(market.look(60))
    assert market.trades.take_found() == {}


def reconnected(market: Market) -> int:
    """Let a market's connection be lost, the prints be fetched, and the next one be subscribed."""
    market.trades.take_found()
    market.trades.on_stream_lost()
    fetched = market.fetch()
    market.subscribe("SPY", "TFPM")
    return fetched


def test_prints_that_a_new_connection_withholds_too_for_a_moment_are_fetched() -> None:
    market = withheld()
    fetched = reconnected(market)
    assert market.look(2) == [True, True]

    assert market.look(1, streaming="TFPM") == [False]
    assert market.trades.take_ended() == {"TFPM": fetched / 1e9}


def test_a_symbol_that_a_new_connection_lacks_no_trade_of_is_not_withheld_any_more() -> None:
    market = withheld()
    shown = market.now - SECOND
    fetched = reconnected(market)
    market.ask(shown)
    assert market.look(1) == [True], "too soon to know"
    market.look(int(SETTLE_SECONDS))
    market.ask(shown)

    assert market.look(1) == [False]
    assert market.trades.take_ended() == {"TFPM": fetched / 1e9}


def test_symbols_that_no_client_wants_are_forgotten() -> None:
    market = withheld()
    market.trades.take_renewals(market.seconds)
    market.subscribe("SPY")
    market.trades.forget_others({"SPY"})

    assert market.trades.symbols == set()
    for left in ("_owed", "_withheld", "_renewals", "_found", "_ended"):
        assert not getattr(market.trades, left)
