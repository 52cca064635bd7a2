"""The state of each symbol, its reason, and how rarely it is published."""

import pytest

from ingest.market.symbol_states import StatesView, SymbolStates
from shared import rfc3339
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
)
CLOSED = OPEN._replace(session="closed")
AWAY = OPEN._replace(stream_live=False, stream_reason="no close frame", acknowledged=frozenset())


class Look:
    """The states of a market with SPY alone, looked at once a second."""

    def __init__(self) -> None:
        self.states = SymbolStates()
        self.now = 100.0
        self.changes: list[SymbolStatus] = []
        self.at(OPEN)

    def at(self, view: StatesView) -> str:
        """Look once; return SPY's state."""
        self.now += 1
        changes = self.states.evaluate(self.now, EPOCH + self.now, view)
        self.changes += changes
        states = [each.state for each in self.states.publish_all()]
        assert states
        return states[0]

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
        self.states.on_trade("SPY", self.now + 0.5)

    def reason(self) -> str:
        return str(self.states.publish_all()[0].reason)


def test_a_symbol_is_quiet_until_its_first_trade_then_live_then_quiet() -> None:
    look = Look()

    assert look.for_seconds(30) == ["quiet"]
    look.trade()
    assert look.for_seconds(30) == ["live", "quiet"]
    assert [each.state for each in look.changes] == ["quiet", "live", "quiet"]


def test_a_young_trade_that_rest_knows_makes_a_new_symbol_live() -> None:
    look = Look()
    look.states.on_known_trade("SPY", look.now - 3)
    assert look.at(OPEN) == "live"

    look.states.on_known_trade("SPY", 0.0)
    assert look.at(OPEN) == "live"


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

    assert look.for_seconds(4, OPEN._replace(acknowledged=frozenset())) == ["quiet"]


def test_a_trade_that_the_stream_did_not_bring_makes_stale_until_its_next_one() -> None:
    look = Look()
    look.for_seconds(10, trade_every=1)
    look.states.mark_stale("SPY")
    assert look.for_seconds(60) == ["stale"]
    look.states.mark_stale("SPY")
    look.trade()
    assert look.at(OPEN) == "live"

    look.states.mark_stale("SPY")
    assert look.at(OPEN) == "stale"
    look.states.mark_fresh("SPY")
    assert look.at(OPEN) == "live"


def test_a_reconnection_forgives_what_was_missed() -> None:
    look = Look()
    look.states.mark_stale("SPY")
    look.at(OPEN)
    look.at(AWAY)

    assert look.at(OPEN) == "quiet"


def test_a_halt_lasts_until_trades_resume() -> None:
    look = Look()
    look.for_seconds(10, trade_every=1)
    look.states.on_trading_status(status("H", "C", "T1"))
    assert look.at(OPEN) == "halted"
    assert look.reason() == "Trading is halted: news is pending."
    look.states.on_trading_status(status("Q", "C"))
    assert look.at(OPEN) == "halted"
    assert look.reason() == "Quotes have resumed, trades not yet."
    halted = look.changes[-2:]
    assert halted[0].since == halted[1].since

    look.states.on_trading_status(status("T", "C"))
    assert look.at(OPEN) == "live"


def test_a_halt_outlives_late_prints_but_not_lasting_trade() -> None:
    look = Look()
    look.states.on_trading_status(status("2", "A", "P"))

    assert look.for_seconds(30, trade_every=3) == ["halted"]
    assert look.for_seconds(40, trade_every=30) == ["halted"]
    assert look.for_seconds(20, trade_every=3) == ["halted", "live"]


def test_a_halt_survives_the_night() -> None:
    look = Look()
    look.states.on_trading_status(status("H", "C", "T12"))

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
    look.states.on_trading_status(status("H", "C"))
    look.states.mark_stale("SPY")

    assert look.for_seconds(10, view)[-1] == state


@pytest.mark.parametrize(
    ("symbol", "reason"),
    [
        ("BTCUSD", "Alpaca does not know this symbol; the pair is BTC/USD."),
        ("SPYY", "Alpaca does not know this symbol."),
    ],
)
def test_a_rejected_symbol_that_lacks_the_slash_of_a_pair_names_the_pair(
    symbol: str, reason: str
) -> None:
    names = frozenset({symbol})
    view = OPEN._replace(wanted=names, rejected=names)
    [change] = SymbolStates().evaluate(100.0, EPOCH, view)

    assert (change.state, change.reason) == ("rejected", reason)


def test_the_night_between_two_sessions_teaches_nothing() -> None:
    look = Look()
    look.for_seconds(60, trade_every=1)
    look.for_seconds(3600, CLOSED)
    look.for_seconds(60, trade_every=1)

    assert look.for_seconds(20) == ["live", "quiet"]


def test_what_nobody_wants_is_forgotten() -> None:
    look = Look()
    look.states.on_trading_status(status("H", "C"))
    look.states.mark_stale("SPY")
    look.trade()
    look.at(OPEN)
    nothing = OPEN._replace(wanted=frozenset())
    assert look.states.evaluate(look.now, EPOCH, nothing) == []

    assert look.states.publish_all() == []
    for left in ("_symbols", "_traded", "_halts", "_lacking"):
        assert not getattr(look.states, left)
    look.states.on_trade("SPY", look.now)  # a late message after the unsubscription
    look.states.evaluate(look.now, EPOCH, nothing)
    assert not look.states._traded


def test_a_status_says_since_when() -> None:
    look = Look()

    assert look.changes[0].since == rfc3339.from_unix(EPOCH + 101)
    look.trade()
    look.for_seconds(5)
    assert look.states.publish_all() == [
        SymbolStatus(symbol="SPY", state="live", reason=None, since=rfc3339.from_unix(EPOCH + 102))
    ]
