"""Any course of a market day, against what the states are meant to be."""

from dataclasses import dataclass, field
from typing import TypeAlias

from hypothesis import given
from hypothesis import strategies as st

from ingest.market.halts import TradingStatus
from ingest.market.symbol_states import (
    LEAST_QUIET_SECONDS,
    MOST_QUIET_SECONDS,
    STREAM_LOST_SECONDS,
    UNACKNOWLEDGED_SECONDS,
    StatesView,
    SymbolStates,
)
from shared.symbol_status import SymbolStatus
from tests.ingest.market.test_halts import status

SYMBOLS = ["SPY", "IBM", "F"]
some_symbols = st.frozensets(st.sampled_from(SYMBOLS))
views = st.builds(
    StatesView,
    stream_live=st.sampled_from([True, True, False]),
    stream_reason=st.sampled_from([None, "no close frame", "HTTP 503"]),
    session=st.sampled_from(["regular", "regular", "regular", "post", "closed", "unknown"]),
    wanted=st.just(frozenset(SYMBOLS)) | some_symbols,
    acknowledged=st.just(frozenset(SYMBOLS)) | some_symbols,
    over_limit=st.just(frozenset()) | some_symbols,
    rejected=st.just(frozenset()) | some_symbols,
    refused=st.just(frozenset()) | some_symbols,
    withheld=st.just(frozenset()) | some_symbols,
    lasting=st.just(frozenset()) | some_symbols,
    disputed=st.just(frozenset()) | some_symbols,
    heard=st.just(frozenset(SYMBOLS)) | some_symbols,
    rest_fails=st.sampled_from([False, False, True]),
    stream_failed=st.sampled_from([False, False, False, True]),
)
pauses = st.sampled_from([0.5, 1.0, 1.0, 1.0, 3.0, 20.0, 400.0])
happenings = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *("trade", "trade", "agreed", "agreed", "unusable", "unquoted"),
                *("halt", "resume", "indication", "restriction", "suspended", "in force"),
            ]
        ),
        st.sampled_from(SYMBOLS),
    ),
    max_size=4,
)
courses = st.lists(st.tuples(pauses, happenings, views, st.integers(1, 4)), max_size=25)


Course: TypeAlias = list[tuple[float, list[tuple[str, str]], StatesView, int]]


@dataclass
class Told:
    """The published states of each symbol, as a client would keep them."""

    now: float = 1000.0
    traded: dict[str, float] = field(default_factory=dict)
    states: SymbolStates = field(init=False)
    known: dict[str, SymbolStatus] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.states = SymbolStates("iex", lambda _: True, lambda symbol: self.traded.get(symbol))

    def happen(self, what: str, symbol: str) -> None:
        if what == "trade":
            self.traded[symbol] = self.now
        elif what == "agreed":
            self.states.on_rest_answer(symbol, self.now, None)
        elif what == "unquoted":
            self.states.on_rest_answer(symbol, self.now, None, is_quoted=False)
        elif what == "unusable":
            self.states.on_unusable_answer(symbol)
        elif what in INDICATORS:
            self.states.halts.on_bands(symbol, INDICATORS[what], 0, self.now)
        else:
            received_ns = int((1e9 + self.now) * 1e9)
            self.states.on_trading_status(status_of(what, symbol), received_ns, self.now)

    def look(self, view: StatesView) -> list[SymbolStatus]:
        changes = self.states.evaluate(self.now, 1e9 + self.now, view)
        self.known = {name: last for name, last in self.known.items() if name in view.wanted}
        self.traded = {name: at for name, at in self.traded.items() if name in view.wanted}
        return changes


INDICATORS = {"suspended": "D", "in force": "B"}
CODES = {"halt": "H", "resume": "T", "indication": "5", "restriction": "E"}


def status_of(what: str, symbol: str) -> TradingStatus:
    return status(CODES[what], None)._replace(symbol=symbol)


def content(told: SymbolStatus) -> tuple[object, ...]:
    return told.state, told.reason, told.notice, told.short_sale_as_of


@given(courses)
def test_every_change_is_one_and_together_they_are_everything(course: Course) -> None:
    told = Told()
    for pause, happenings_, view, times in course:
        for what, symbol in happenings_:
            told.happen(what, symbol)
        for _ in range(times):
            told.now += pause
            for change in told.look(view):
                before = told.known.get(change.symbol)
                assert before is None or content(before) != content(change)
                if before is not None and before.state == change.state:
                    assert before.since == change.since
                told.known[change.symbol] = change
            # A new symbol has no state before REST or the stream has said anything of it.
            assert told.known.keys() <= view.wanted
            everything = {each.symbol: each for each in told.states.publish_all()}
            assert everything == told.known


class Naive:
    """What SPY's state may be, from all that ever happened."""

    def __init__(self) -> None:
        self.looks: list[tuple[float, StatesView]] = []
        self.trades: list[float] = []
        self.halted_at: float | None = None
        self.is_supposed = False
        self.agreed_at = -1.0
        self.is_unusable = False
        self.excused_at: float | None = None
        self.before: str | None = None

    def happen(self, now: float, what: str) -> None:
        if what == "trade":
            self.trades.append(now)
        elif what in ("agreed", "unquoted"):
            self.agreed_at, self.is_unusable = now, False
        elif what == "unusable":
            self.is_unusable = True
        elif what in ("halt", "resume"):
            self.halted_at, self.is_supposed = (now if what == "halt" else None), False
        elif what == "suspended" and self.halted_at is None:
            self.halted_at, self.is_supposed = now, True
        elif what == "in force" and self.is_supposed:
            self.halted_at = None

    def states(self, now: float, view: StatesView) -> set[str | None]:
        """Return the states that are right at this look; None: no state is published."""
        self.looks.append((now, view))
        states = self._states(now, view)
        is_ours = not states & {"live", "quiet", "stale"}
        is_ours = is_ours or self.excused_at is None
        if is_ours or "SPY" in view.acknowledged or self._seconds_away(now) > STREAM_LOST_SECONDS:
            self.excused_at = now
        return states

    def _states(self, now: float, view: StatesView) -> set[str | None]:
        for state, is_true in (
            ("rejected", "SPY" in view.rejected),
            ("closed", view.session == "closed"),
            ("polled", "SPY" in view.over_limit | view.refused or view.stream_failed),
        ):
            if is_true:
                return {state}
        moving = self._moving(now, view)
        if self.halted_at is None:
            return moving
        has_traded = any(trade > self.halted_at + 30 for trade in self.trades)
        return {"halted"} | (moving if has_traded else set())

    def _moving(self, now: float, view: StatesView) -> set[str | None]:
        if self._seconds_away(now) > STREAM_LOST_SECONDS or "SPY" in view.withheld:
            return {"stale"}
        by_trades = self._by_trades(now, view)
        if "SPY" not in view.acknowledged:
            is_late = now - (self.excused_at or now) > UNACKNOWLEDGED_SECONDS
            return {"stale"} if is_late else {"stale", *by_trades}
        return by_trades

    def _by_trades(self, now: float, view: StatesView) -> set[str | None]:
        age = now - self.trades[-1] if self.trades else MOST_QUIET_SECONDS + 1
        if age <= LEAST_QUIET_SECONDS:
            return {"live"}
        states = {self.before} if age > MOST_QUIET_SECONDS else {self.before, "live"}
        # Silence is not enough: REST has been asked since, and shows no trade.
        if self.agreed_at > max([0.0, *self.trades]) and "SPY" not in view.disputed:
            states.add("quiet")
        if self.is_unusable or view.rest_fails:
            states.add("stale")
        return states

    def _seconds_away(self, now: float) -> float:
        since = now
        for at, view in reversed(self.looks):
            if view.stream_live:
                break
            since = at
        return now - since


@given(courses)
def test_a_state_is_what_all_that_happened_makes_it(course: Course) -> None:
    told, naive = Told(), Naive()
    for pause, happenings_, some_view, times in course:
        view = some_view._replace(wanted=frozenset({"SPY"}))
        for what, _ in happenings_:
            told.now += 0.001
            told.happen(what, "SPY")
            naive.happen(told.now, what)
        for _ in range(times):
            told.now += pause
            told.look(view)
            published = told.states.publish_all()
            is_now = published[0].state if published else None

            allowed = naive.states(told.now, view)
            assert is_now in allowed
            naive.before = is_now
            if is_now != "halted" and "halted" in allowed:
                naive.halted_at = None
