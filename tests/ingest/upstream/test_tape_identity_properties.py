"""Whatever is lost, repeated or handed over: a client that follows the tape has the true prints."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ingest.bus.announcer import Announcer
from ingest.bus.history_gaps import HANDOVER_SECONDS, repaired_until
from ingest.bus.outbox import Outbox
from ingest.demand.lookups import OpenGap
from ingest.demand.wanted import Demand
from ingest.market.last_price import LastPrices
from ingest.market.prints import Cancel, Correction, Trade
from ingest.market.rest_prints import RestPrint
from ingest.market.tape_events import cancel_event, correction_event, print_event
from ingest.upstream.alpaca_rest import AlpacaRest
from ingest.upstream.catch_up import CatchUp
from ingest.upstream.market_rest import Trades
from ingest.upstream.missed_prints import MissedPrints
from shared import rfc3339
from shared import trade as events
from shared.topics import kind_of
from tests.examples import examples
from tests.ingest.demand.wants import Clock
from tests.ingest.trades import NOON, SECOND, two_days

DAY = 24 * 3600 * SECOND


@dataclass
class Printed:
    """A print of the true tape; ``mark`` is REST's ``u``."""

    trade: Trade
    mark: str | None = None


class World(AlpacaRest):
    """The true tape, and REST's rows of it. ``D`` has three facilities that count from 1 a day."""

    def __init__(self) -> None:
        self.now = NOON
        self.prints: list[Printed] = []
        self._ids: Counter[tuple[int, int]] = Counter()
        self._day = 0

    @property
    def delay_seconds(self) -> float:
        return 0.0

    async def trades(
        self,
        symbols: Sequence[str],
        since: float,
        *,
        polling: bool = False,  # noqa: ARG002 - as its base
    ) -> Trades:
        rows = [_row(each) for each in self.prints if each.trade.at_ns >= since * 1e9 - 1]
        return Trades(dict.fromkeys(symbols, rows), frozenset())

    def next_day(self) -> None:
        self._day += 1
        self.now = NOON + self._day * DAY

    def print(self, facility: int) -> Printed:
        self._ids[self._day, facility] += 1
        number = self._ids[self._day, facility]
        exchange = "V" if facility == 0 else "D"
        price = 100 + facility
        new = Printed(Trade("SPY", price, 100, self.now, number, exchange, ("@",), "B"))
        self.prints.append(new)
        return new

    def standing_today(self) -> list[Printed]:
        start = NOON + self._day * DAY
        standing = [each for each in self.prints if each.mark in (None, "corrected")]
        return [each for each in standing if each.trade.at_ns >= start]

    def cancel(self, wrong: Printed) -> Cancel:
        wrong.mark = "canceled"
        old = wrong.trade
        return Cancel("SPY", old.id or 0, old.price, old.size, self.now, old.exchange, "C", "B")

    def correct(self, wrong: Printed, *, keeps_id: bool) -> Correction:
        old = wrong.trade
        new_id = old.id if keeps_id else 1000 + len(self.prints)
        # Two prints of one id, price and size could not be told apart by any cancel of the stream.
        new = msgspec.structs.replace(old, id=new_id, price=old.price + len(self.prints) / 1000)
        wrong.mark = "incorrect"
        self.prints.append(Printed(new, "corrected"))
        self.prints.sort(key=lambda each: each.trade.at_ns)
        return Correction(
            "SPY", old.id or 0, old.price, old.size, new_id or 0, new.price, new.size, self.now,
            old.exchange, old.conditions, "B",
        )  # fmt: skip


def _row(printed: Printed) -> dict[str, Any]:
    trade = printed.trade
    row = {"t": rfc3339.from_nanoseconds(trade.at_ns), "p": trade.price, "s": trade.size}
    row |= {"i": trade.id, "x": trade.exchange, "c": trade.conditions, "z": trade.tape}
    return row if printed.mark is None else {**row, "u": printed.mark}


Fact = Printed | Cancel | Correction


@dataclass
class Leader:
    """An ingest's parts; it publishes to ``history``, from which it also starts."""

    world: World
    history: list[tuple[str, dict[str, Any]]]
    on_way: list[Fact] = field(default_factory=list)
    """Messages that the connection has not delivered yet."""
    gap: OpenGap | None = None
    connected: bool = True

    def __post_init__(self) -> None:
        demand = Demand(Clock())
        demand.update({"trade:SPY": 1})
        self._outbox = Outbox()
        self._announcer = Announcer(self._outbox)
        prices = LastPrices(two_days())
        self._missed = MissedPrints(prices, demand, self._announcer, lambda: self.world.now)
        recorded = [_event(name, body) for name, body in self.history]
        self._announcer.recall_tape("SPY", recorded, is_whole=True)
        self._began = self.world.now
        self.gap = OpenGap(self.world.now / 1e9 - HANDOVER_SECONDS)
        if recorded:
            newest = rfc3339.to_nanoseconds(recorded[-1].timestamp) / 1e9
            known_since = self._announcer.recent.known_since("SPY")
            self.gap = OpenGap(repaired_until(newest, known_since))

    def withdrawable_since(self, symbol: str) -> float | None:
        return self._missed.withdrawable_since(symbol)

    def on_missed_prints(self, symbol: str, prints: Sequence[RestPrint], since_ns: int) -> None:
        self._missed.apply(symbol, prints, since_ns)

    def on_unrepairable_gap(self, symbols: Sequence[str], since: float) -> None:
        raise AssertionError(f"{symbols} since {since}")

    def happen(self, fact: Fact, *, late: bool) -> None:
        if self.connected:
            self.on_way.append(fact)
            if not late:
                self.deliver()

    def deliver(self) -> None:
        for fact in self.on_way:
            match fact:
                case Printed(trade):
                    self._announcer.trade(print_event(trade, 0, eligible=True))
                case Cancel():
                    self._announcer.withdrawal(cancel_event(fact, 0))
                case Correction():
                    self._announcer.withdrawal(correction_event(fact, 0))
        self.on_way.clear()
        self._publish()

    @property
    def is_overdue(self) -> bool:
        """Whether REST must have answered by now."""
        return self.connected and self.world.now - self._began > 30 * SECOND

    def lose(self) -> None:
        self.on_way.clear()
        self.connected = False
        since = self.world.now / 1e9 - 1
        self.gap = OpenGap(since if self.gap is None else min(since, self.gap.since))

    def catch_up(self) -> None:
        self.connected = True
        if self.gap is not None:
            catch_up = CatchUp(self.world, self, clock=lambda: self.world.now / 1e9)
            asyncio.run(catch_up.run({"SPY": self.gap}))
            self.gap = None
        self._publish()

    def _publish(self) -> None:
        for each in self._outbox.take(10_000):
            if kind_of(each.topic) == "trade":
                self.history.append((each.event or "trade", msgspec.json.decode(each.body)))


def _event(name: str, body: dict[str, Any]) -> events.Trade | events.Withdrawal:
    if name == "trade":
        return msgspec.convert(body, events.Trade)
    if name == "cancel":
        return msgspec.convert(body, events.Cancel)
    return msgspec.convert(body, events.Correction)


def followed(history: Sequence[tuple[str, dict[str, Any]]]) -> Counter[tuple[Any, ...]]:
    """Return the prints of a client that applies the events as the reference page describes."""
    prints: Counter[tuple[Any, ...]] = Counter()
    for name, event in history:
        if name == "trade":
            key = event["exchange"], event["id"], event["timestamp"], event["price"]
            prints[key] += 1
            continue
        at, exchange = event["original_timestamp"], event["exchange"]
        original = exchange, event["original_id"], at, event["original_price"]
        # Unknown prints are ignored.
        if prints[original]:
            prints[original] -= 1
            if name == "correction":
                prints[exchange, event["id"], at, event["price"]] += 1
    return +prints


def true_prints(world: World) -> Counter[tuple[Any, ...]]:
    return Counter(
        (
            each.trade.exchange,
            str(each.trade.id),
            rfc3339.from_nanoseconds(each.trade.at_ns),
            each.trade.price,
        )
        for each in world.prints
        if each.mark in (None, "corrected")
    )


Step = tuple[str, int, bool]
steps: st.SearchStrategy[list[Step]] = st.lists(
    st.tuples(
        st.sampled_from(
            ["print"] * 6
            + ["cancel", "correct", "renumber", "early", "lose", "catch up", "deliver"]
            + ["repeat", "hand over", "next day"]
        ),
        st.integers(0, 20),
        st.booleans(),
    ),
    max_size=40,
)


def move_world(world: World, move: str, number: int) -> list[Fact]:
    """Let something happen on the true tape; return the stream's messages about it."""
    standing = world.standing_today()
    chosen = standing[-1 - number % len(standing)] if standing else None
    match move:
        case "print":
            return [world.print(number % 4)]
        case "early":
            new = world.print(number % 4)
            return [world.cancel(new), new]
        case "cancel" if chosen is not None:
            return [world.cancel(chosen)]
        case "correct" | "renumber" if chosen is not None:
            return [world.correct(chosen, keeps_id=move == "correct")]
        case "repeat" if chosen is not None and chosen.mark is None:
            return [replace(chosen)]
    return []


def play(world: World, moves: Sequence[Step]) -> Leader:
    """Play the steps until all gaps are closed; return the leader of the end."""
    leader = Leader(world, [])
    for move, number, late in moves:
        # Messages are under way for no longer than REST's answer overlaps with the stream.
        if number >= 10:
            leader.deliver()
        if leader.is_overdue:
            leader.catch_up()
        world.now += number * SECOND // 10 + 1
        for fact in move_world(world, move, number):
            leader.happen(fact, late=late)
        match move:
            case "lose":
                leader.lose()
            case "catch up":
                leader.catch_up()
            case "deliver":
                leader.deliver()
            case "hand over":
                leader = Leader(world, leader.history)
            case "next day":
                # Withdrawals come on the day of their prints: see the reference page for the bound.
                leader.catch_up()
                leader.deliver()
                world.next_day()
    leader.catch_up()
    leader.deliver()
    return leader


@examples(times=1.5)
@given(moves=steps)
def test_the_followed_tape_is_the_true_one(moves: list[Step]) -> None:
    world = World()
    leader = play(world, moves)
    assert followed(leader.history) == true_prints(world)


@examples()
@given(moves=steps)
def test_each_print_and_each_withdrawal_with_its_time_comes_once(moves: list[Step]) -> None:
    leader = play(World(), moves)
    prints = Counter(
        (event["exchange"], event["id"], event["timestamp"])
        for name, event in leader.history
        if name == "trade"
    )
    withdrawals = Counter(
        (
            event["exchange"],
            event["original_id"],
            event["original_timestamp"],
            event["original_price"],
        )
        for name, event in leader.history
        if name != "trade" and event["original_timestamp"]
    )
    assert all(count == 1 for count in (prints + withdrawals).values())
