"""The state of each symbol, its reason, and how rarely it is published."""

import pytest

from ingest.market.halts import TradingStatus
from ingest.market.symbol_states import (
    ASK_AGAIN_SECONDS,
    DOUBTFUL_SYMBOLS,
    MAY_BE_HALTED_SECONDS,
    StatesView,
    SymbolStates,
)
from shared import rfc3339
from shared.ingest_status import Session
from shared.symbol_status import SymbolStatus
from tests.ingest.market.test_halts import status

EPOCH = 1_800_000_000.0
OPEN = StatesView(
    stream_live=True,
    stream_reason=None,
    session="regular",
    wanted=frozenset({"SPY"}),
    acknowledged=frozenset({"SPY"}),
    over_limit=frozenset(),
    rejected=frozenset(),
    heard=frozenset({"SPY"}),
)
CLOSED = OPEN._replace(session="closed")
AWAY = OPEN._replace(stream_live=False, stream_reason="no close frame", acknowledged=frozenset())


class Look:
    """The states of a market with SPY alone, looked at once a second.

    REST answers each question between two looks, unless the test has it fail.
    """

    def __init__(self, *, rest_answers: bool = True, has_price: bool = True) -> None:
        self.traded: dict[str, float] = {}
        self.states = SymbolStates("iex", lambda _: has_price, self.traded.get)
        self.now = 100.0
        self.rest_answers = rest_answers
        self.rest_traded: float | None = None
        self.is_quoted: bool | None = None
        self.asked: list[float] = []
        if rest_answers:
            self.answer()  # each new symbol is looked up
        self.changes: list[SymbolStatus] = []
        self.at(OPEN)

    def at(self, view: StatesView) -> str:
        """Look once; return SPY's state."""
        self.now += 1
        changes = self.states.evaluate(self.now, EPOCH + self.now, view)
        self.changes += changes
        if self.states.take_silent():
            self.asked.append(self.now)
            if self.rest_answers:
                self.answer()
        states = [each.state for each in self.states.publish_all()]
        return states[0] if states else "none"

    def answer(self) -> None:
        self.states.on_rest_answer("SPY", self.now, self.rest_traded, is_quoted=self.is_quoted)

    def for_seconds(
        self, seconds: int, view: StatesView = OPEN, *, trade_every: int = 0
    ) -> list[str]:
        """Look on; return the states that SPY went through."""
        seen: list[str] = []
        for second in range(1, seconds + 1):
            if trade_every and second % trade_every == 0:
                self.trade()
            state = self.at(view)
            if seen[-1:] != [state]:
                seen.append(state)
        return seen

    def trade(self) -> None:
        self.traded["SPY"] = self.now + 0.5

    def report(self, reported: TradingStatus) -> None:
        self.states.on_trading_status(reported, int((EPOCH + self.now) * 1e9), self.now)

    def reason(self) -> str:
        return str(self.states.publish_all()[0].reason)


def test_a_symbol_is_quiet_until_its_first_trade_then_live_then_quiet() -> None:
    look = Look()

    assert look.for_seconds(30) == ["quiet"]
    assert look.reason() == "No trades at present: the last price stands."
    look.trade()
    assert look.for_seconds(30) == ["live", "quiet"]
    assert [each.state for each in look.changes] == ["quiet", "live", "quiet"]


def test_a_young_trade_that_rest_knows_makes_a_new_symbol_live() -> None:
    look = Look()
    look.states.on_rest_answer("SPY", look.now, look.now - 3)
    assert look.at(OPEN) == "live"

    look.rest_traded = look.now - 3
    assert look.for_seconds(20) == ["live", "quiet"]


def test_quiet_depends_on_what_is_usual_for_the_symbol() -> None:
    often, seldom = Look(), Look()
    often.for_seconds(300, trade_every=1)
    seldom.for_seconds(300, trade_every=30)

    assert often.for_seconds(60) == ["live", "quiet"]
    assert seldom.for_seconds(60) == ["live"]
    assert seldom.for_seconds(300) == ["live", "quiet"]


def test_trades_in_clusters_do_not_make_the_state_flap() -> None:
    look = Look()
    for _ in range(10):
        look.for_seconds(5, trade_every=1)
        look.for_seconds(40)

    assert len(look.changes) <= 4
    assert look.for_seconds(45) == ["live"]


def test_a_blip_of_the_connection_makes_no_noise() -> None:
    look = Look()
    look.for_seconds(10, trade_every=1)
    told = len(look.changes)
    look.for_seconds(2, AWAY)
    look.for_seconds(3, OPEN._replace(acknowledged=frozenset()), trade_every=1)
    look.for_seconds(10, trade_every=1)

    assert len(look.changes) == told


def test_a_connection_that_stays_away_makes_stale_until_the_subscription_is_back() -> None:
    look = Look()
    look.for_seconds(10, trade_every=1)

    assert look.for_seconds(8, AWAY) == ["live", "stale"]
    assert look.reason() == "Alpaca's stream is disconnected: no close frame."
    assert look.for_seconds(3, AWAY._replace(stream_reason="HTTP 503")) == ["stale"]
    assert look.at(OPEN._replace(acknowledged=frozenset())) == "stale"
    look.trade()
    assert look.at(OPEN) == "live"
    assert [each.state for each in look.changes] == ["quiet", "live", "stale", "live"]


def test_a_subscription_that_is_not_confirmed_makes_stale_after_a_while() -> None:
    look = Look()

    assert look.for_seconds(10, OPEN._replace(acknowledged=frozenset())) == ["quiet", "stale"]
    assert look.reason() == "Alpaca has not confirmed the subscription."
    assert look.at(OPEN) == "quiet"


def test_waiting_for_a_confirmation_begins_when_it_is_due() -> None:
    look = Look()
    over = OPEN._replace(acknowledged=frozenset(), over_limit=frozenset({"SPY"}))
    assert look.for_seconds(60, over) == ["polled"]

    unconfirmed = look.for_seconds(4, OPEN._replace(acknowledged=frozenset()))
    assert unconfirmed == ["polled", "quiet"]


def test_a_withheld_symbol_is_stale_while_it_is_withheld_and_subscribed_again() -> None:
    look = Look()
    look.for_seconds(10, trade_every=1)
    withheld = OPEN._replace(withheld=OPEN.wanted)
    assert look.for_seconds(60, withheld) == ["stale"]
    assert look.reason() == "There was a trade that the stream has not brought."
    since = look.states.publish_all()[0].since
    assert look.at(withheld._replace(acknowledged=frozenset())) == "stale"
    assert look.at(withheld._replace(lasting=OPEN.wanted)) == "stale"
    assert look.reason() == "Alpaca's stream withholds its trades: looked up every few seconds."
    assert look.states.publish_all()[0].since == since

    look.trade()
    assert look.at(OPEN) == "live"


def test_a_silent_symbol_keeps_its_state_until_rest_agrees() -> None:
    look = Look()
    look.for_seconds(10, trade_every=1)
    look.rest_answers = False
    assert look.for_seconds(60) == ["live"]
    silent = [at for at in look.asked if at > 111]
    assert silent == [126, 136, 146, 156, 166], "at once after its usual pause, then again"

    look.answer()
    assert look.at(OPEN) == "quiet"


def test_an_answer_from_before_the_silence_does_not_make_a_symbol_quiet() -> None:
    look = Look()
    look.for_seconds(10, trade_every=1)
    look.rest_answers = False
    look.states.on_rest_answer("SPY", look.now + 5, None)

    assert look.for_seconds(60) == ["live"]


def test_an_answer_from_before_a_trade_that_no_look_saw_does_not_make_a_symbol_quiet() -> None:
    look = Look(rest_answers=False)
    look.answer()
    look.trade()
    look.now += 20

    assert look.at(OPEN) == "none"
    look.answer()
    assert look.at(OPEN) == "quiet"


def test_a_symbol_that_trades_by_rest_alone_is_not_quiet() -> None:
    look = Look()
    look.for_seconds(10, trade_every=1)
    states = []
    for _ in range(60):
        look.rest_traded = look.now
        states.append(look.at(OPEN))

    assert set(states) == {"live"}


def test_a_trade_that_the_stream_may_still_bring_leaves_the_state_as_it_is() -> None:
    look = Look()
    look.for_seconds(10, trade_every=1)
    disputed = OPEN._replace(disputed=OPEN.wanted)

    assert look.for_seconds(60, disputed) == ["live"]
    assert look.for_seconds(2) == ["quiet"]


def test_while_rest_fails_a_silent_symbol_is_stale_after_a_while() -> None:
    look = Look()
    look.for_seconds(40, trade_every=1)
    look.for_seconds(30)
    look.rest_answers = False
    failing = OPEN._replace(rest_fails=True)
    assert look.for_seconds(60, failing) == ["quiet", "stale"]
    assert look.reason() == "No trades, and REST cannot confirm that there were none."

    look.rest_answers = True
    look.for_seconds(10, failing)
    assert look.at(OPEN) == "quiet"


def test_an_answer_that_cannot_be_used_makes_a_silent_symbol_stale_after_a_while() -> None:
    look = Look(rest_answers=False)
    look.states.on_unusable_answer("SPY")
    assert look.for_seconds(60) == ["none", "stale"]

    look.rest_answers = True
    assert look.for_seconds(15) == ["stale", "quiet"]


def test_an_unreadable_trade_makes_stale_until_a_readable_one() -> None:
    look = Look(rest_answers=False)
    look.for_seconds(10, trade_every=1)
    look.states.on_unreadable_trade("SPY", look.now)
    assert look.for_seconds(30) == ["stale"]
    assert look.reason() == "The stream brought a trade that could not be read."

    look.trade()
    assert look.at(OPEN) == "live"


def test_an_unreadable_trade_that_rest_does_not_have_is_forgotten() -> None:
    look = Look()
    look.for_seconds(20)
    look.states.on_unreadable_trade("SPY", look.now)

    assert look.for_seconds(20) == ["stale", "quiet"]


def test_rest_is_asked_about_a_symbol_that_brings_an_unreadable_trade_each_second() -> None:
    look = Look()
    look.for_seconds(20, trade_every=1)
    look.asked.clear()
    for _ in range(60):
        look.states.on_unreadable_trade("SPY", look.now)
        look.at(OPEN)

    assert len(look.asked) == 60 // ASK_AGAIN_SECONDS


def test_an_unreadable_trade_that_rest_has_makes_stale_while_rest_and_stream_disagree() -> None:
    look = Look()
    look.for_seconds(20)
    look.states.on_unreadable_trade("SPY", look.now)

    assert look.for_seconds(60, OPEN._replace(disputed=OPEN.wanted)) == ["stale"]


def test_each_session_asks_rest_again_about_a_silent_symbol() -> None:
    look = Look()
    look.for_seconds(10, trade_every=1)
    for session in ("pre", "regular", "post", "overnight"):
        asked = len(look.asked)
        assert look.for_seconds(20, OPEN._replace(session=session))[-1] == "quiet"
        assert len(look.asked) == asked + 1, session


def test_a_symbol_without_a_known_trade_is_quiet_with_a_sentence_that_fits() -> None:
    look = Look(has_price=False)

    assert look.for_seconds(3) == ["quiet"]
    assert look.reason() == "No trade on the feed iex is known yet."


def test_a_symbol_that_only_the_stream_rejects_is_polled() -> None:
    look = Look()

    assert look.at(OPEN._replace(refused=OPEN.wanted)) == "polled"
    assert look.reason() == "Alpaca's stream does not take it: looked up every few seconds."
    assert look.at(OPEN._replace(refused=OPEN.wanted, rejected=OPEN.wanted)) == "rejected"


def test_a_reconnection_forgives_the_missed_trades() -> None:
    look = Look()
    assert look.at(OPEN._replace(withheld=OPEN.wanted)) == "stale"
    look.at(AWAY)

    assert look.for_seconds(2) == ["stale", "quiet"]


def test_a_halt_lasts_until_trades_resume() -> None:
    look = Look()
    look.for_seconds(10, trade_every=1)
    look.report(status("H", "C", "T1"))
    assert look.at(OPEN) == "halted"
    assert look.reason() == "Trading is halted: news is pending."
    look.report(status("Q", "C"))
    assert look.at(OPEN) == "halted"
    assert look.reason() == "Quotes have resumed, trades not yet."
    halted = look.changes[-2:]
    assert halted[0].since == halted[1].since

    look.report(status("T", "C"))
    assert look.at(OPEN) == "live"


def test_a_halt_outlives_late_prints_but_not_lasting_trade() -> None:
    look = Look()
    look.report(status("2", "A", "P"))

    assert look.for_seconds(30, trade_every=3) == ["halted"]
    assert look.for_seconds(40, trade_every=30) == ["halted"]
    assert look.for_seconds(20, trade_every=3) == ["halted", "live"]


MAY_BE_HALTED = (
    "The symbol may be halted: there are no trades and no quote of both sides, and no report shows "
    "whether it trades."
)
QUIET = "No trades at present: the last price stands."


def test_a_silent_symbol_without_quotes_may_be_halted_until_a_report_shows_that_it_trades() -> None:
    look = Look()
    look.is_quoted = False
    look.answer()
    assert look.for_seconds(int(MAY_BE_HALTED_SECONDS) - 10) == ["quiet"]
    assert look.reason() == QUIET
    assert look.states.doubtful() == ["SPY"]
    assert look.for_seconds(20) == ["quiet"]
    assert look.reason() == MAY_BE_HALTED

    look.states.halts.on_bands("SPY", "B", 0, look.now)
    assert look.at(OPEN) == "quiet"
    assert look.reason() == QUIET
    assert look.states.doubtful() == []


def test_a_trade_ends_the_doubt_whether_a_symbol_is_halted() -> None:
    look = Look()
    look.is_quoted = False
    look.for_seconds(100)
    look.answer()
    look.at(OPEN)
    assert look.reason() == MAY_BE_HALTED
    look.trade()
    assert look.at(OPEN) == "live"
    assert look.for_seconds(100) == ["live", "quiet"]

    assert look.reason() == QUIET


@pytest.mark.parametrize("is_quoted", [True, None])
def test_a_silent_symbol_that_is_quoted_or_was_not_asked_for_is_not_called_halted(
    is_quoted: bool | None,
) -> None:
    look = Look()
    look.is_quoted = is_quoted
    look.answer()

    assert look.for_seconds(300) == ["quiet"]
    assert look.reason() == QUIET
    assert look.states.doubtful() == ["SPY"]


@pytest.mark.parametrize("session", ["pre", "post", "overnight", "unknown"])
def test_outside_the_regular_session_a_silent_symbol_is_not_called_halted(session: Session) -> None:
    look = Look()
    look.is_quoted = False
    view = OPEN._replace(session=session)
    look.for_seconds(300, view)

    assert look.reason() == QUIET
    assert look.states.doubtful() == (["SPY"] if session == "overnight" else [])


def test_the_silence_before_the_regular_session_or_the_connection_does_not_count() -> None:
    for interruption in (OPEN._replace(session="pre"), AWAY._replace(heard=frozenset())):
        look = Look()
        look.is_quoted = False
        look.for_seconds(300, interruption)
        look.for_seconds(int(MAY_BE_HALTED_SECONDS) - 5)
        assert look.reason() == QUIET
        look.for_seconds(10)
        assert look.reason() == MAY_BE_HALTED


def test_a_symbol_that_rest_cannot_confirm_may_be_halted_as_well() -> None:
    look = Look()
    look.rest_answers = False
    assert look.for_seconds(120, OPEN._replace(rest_fails=True)) == ["quiet", "stale"]

    assert look.reason() == (
        "No trades, and REST cannot confirm that there were none: the symbol may be halted."
    )


def test_a_feed_that_has_no_statuses_leaves_a_silent_symbol_in_doubt_although_it_has_traded() -> (
    None
):
    look = Look()
    deaf = OPEN._replace(heard=frozenset())
    look.is_quoted = False
    look.for_seconds(60, deaf, trade_every=1)
    look.for_seconds(120, deaf)

    assert look.reason() == MAY_BE_HALTED


def test_a_supposed_halt_is_a_halt_and_stays_in_doubt_until_a_trade() -> None:
    look = Look()
    look.states.halts.on_bands("SPY", "D", 0, look.now)
    assert look.at(OPEN) == "halted"
    assert look.reason() == "Trading is halted or paused: its price bands are suspended."
    assert look.states.doubtful() == ["SPY"]
    assert look.for_seconds(40) == ["halted"]
    look.trade()
    assert look.for_seconds(2) == ["live"]
    assert look.states.doubtful() == []


def test_no_more_symbols_are_in_doubt_than_can_be_looked_for() -> None:
    names = frozenset(f"S{number}" for number in range(3 * DOUBTFUL_SYMBOLS))
    states = SymbolStates("iex", lambda _: True, lambda _: None)
    last = max(names)
    states.on_rest_answer(last, 100.0, None, is_quoted=False)
    states.evaluate(100.0, EPOCH, OPEN._replace(wanted=names, acknowledged=names))

    # A halted symbol is not quoted: it must not wait for those that only trade seldom.
    assert states.doubtful() == [last, *sorted(names)[: DOUBTFUL_SYMBOLS - 1]]


def test_a_market_that_has_no_statuses_has_no_doubtful_halts() -> None:
    states = SymbolStates("us", lambda _: True, lambda _: None, has_halts=False)
    states.evaluate(100.0, EPOCH, OPEN)

    assert states.doubtful() == []


def test_a_notice_and_a_restriction_are_published_and_change_no_state() -> None:
    look = Look()
    look.for_seconds(10, trade_every=1)
    told = len(look.changes)
    look.report(status("E", "A"))
    assert look.for_seconds(5, trade_every=1) == ["live"]
    look.report(status("5", "A"))
    assert look.for_seconds(5, trade_every=1) == ["live"]

    restricted, indicated = look.changes[told:]
    assert (restricted.state, restricted.reason) == (indicated.state, indicated.reason)
    assert restricted.since == indicated.since
    assert restricted.notice == "Short sales are restricted."
    assert indicated.notice == "The exchange indicates a price."
    assert restricted.short_sale_restricted is indicated.short_sale_restricted is True


def test_a_notice_holds_for_its_session_also_if_that_becomes_known_later() -> None:
    look = Look()
    look.at(OPEN._replace(session="unknown"))
    look.report(status("5", "A"))
    look.at(OPEN)
    assert look.states.publish_all()[0].notice == "The exchange indicates a price."

    look.at(OPEN._replace(session="post"))
    assert look.states.publish_all()[0].notice is None


def test_what_came_before_the_first_state_is_in_it() -> None:
    look = Look(rest_answers=False)
    look.report(status("E", "A"))
    assert look.for_seconds(2) == ["none"]
    look.answer()
    look.at(OPEN)

    assert look.changes[0].short_sale_restricted is True


def test_a_halt_survives_the_night() -> None:
    look = Look()
    look.report(status("H", "C", "T12"))

    assert look.for_seconds(5, OPEN) == ["halted"]
    assert look.for_seconds(5, CLOSED) == ["closed"]
    assert look.for_seconds(5, OPEN._replace(session="pre")) == ["halted"]


@pytest.mark.parametrize(
    ("view", "state"),
    [
        (CLOSED, "closed"),
        (CLOSED._replace(stream_live=False, acknowledged=frozenset()), "closed"),
        (CLOSED._replace(over_limit=OPEN.wanted), "closed"),
        (CLOSED._replace(rejected=OPEN.wanted), "rejected"),
        (OPEN._replace(over_limit=OPEN.wanted), "polled"),
        (AWAY._replace(over_limit=OPEN.wanted), "polled"),
        (OPEN._replace(over_limit=OPEN.wanted, rejected=OPEN.wanted), "rejected"),
        (AWAY, "halted"),
        (OPEN._replace(session="unknown"), "halted"),
    ],
)
def test_the_first_that_is_true_of_a_halted_symbol_is_its_state(
    view: StatesView, state: str
) -> None:
    look = Look()
    look.report(status("H", "C"))

    assert look.for_seconds(10, view._replace(withheld=OPEN.wanted))[-1] == state


def test_the_night_between_two_sessions_teaches_nothing() -> None:
    look = Look()
    look.for_seconds(60, trade_every=1)
    look.for_seconds(3600, CLOSED)
    look.for_seconds(60, trade_every=1)

    assert look.for_seconds(20) == ["live", "quiet"]


def test_what_nobody_wants_is_forgotten() -> None:
    look = Look()
    look.report(status("H", "C"))
    look.states.on_unreadable_trade("SPY", look.now)
    look.states.on_unusable_answer("SPY")
    look.rest_traded = 1.0
    look.answer()
    look.trade()
    look.at(OPEN)
    nothing = OPEN._replace(wanted=frozenset())
    assert look.states.evaluate(look.now, EPOCH, nothing) == []

    assert look.states.publish_all() == []
    assert not look.states._unread
    for left in ("_symbols", "_traded_by_rest", "_confirmed", "_unreadable", "_unquoted"):
        assert not getattr(look.states, left)
    assert not look.states.halts
    assert not look.states.halts.changed


def test_a_status_says_since_when() -> None:
    look = Look()

    assert look.changes[0].since == rfc3339.from_unix(EPOCH + 101)
    look.trade()
    look.for_seconds(5)
    assert look.states.publish_all() == [
        SymbolStatus(symbol="SPY", state="live", reason=None, since=rfc3339.from_unix(EPOCH + 102))
    ]
