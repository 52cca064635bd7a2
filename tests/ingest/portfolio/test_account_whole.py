"""The account beside an independent ledger, at each moment, while all its sources are unreliable.

A live account that is not partial shows a state of the ledger: never half of a fill, never a fill
twice. Once everything has arrived it shows the newest.

The examples are the same in each run: among thousands of random ones is now and then a sequence of
losses that no figure shows, such as those that the broker of the model leaves out.
"""

import random
from collections.abc import Coroutine
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

from hypothesis import given
from hypothesis import strategies as st

from ingest.alpaca.account_rows import read_account, read_positions
from ingest.portfolio.amount import rounded
from ingest.portfolio.execution import Execution
from ingest.portfolio.portfolio import Portfolio
from ingest.portfolio.waiting_executions import DISBELIEF_SECONDS
from ingest.upstream import account_translation
from ingest.upstream.report_reading import AccountReading, PositionsReading, ReportReading
from shared.account import Account
from tests.examples import examples
from tests.ingest.demand.wants import Clock
from tests.ingest.portfolio.account_model import (
    COIN,
    OPTION,
    STOCKS,
    Broker,
    Faults,
    State,
    asset_class,
)
from tests.ingest.portfolio.rows import AS_OF

CALM = Faults(prices_move=True)
LATE = Faults(stream_delay=2.5, rest_lag=2.0, torn=True)
WILD = Faults(
    stream_delay=2.5, rest_lag=2.0, reordered=True, repeated=True, lost=True, activities=True
)
STEPS = 60
UNEVEN = Decimal("1.2345678901e-12")

Result = TypeVar("Result")


class Figures(NamedTuple):
    """The cash, and for each symbol its quantity and cost."""

    cash: float | None
    held: dict[str, tuple[Decimal, Decimal]]


class Run:
    """A portfolio that hears of a broker as the ingest would."""

    def __init__(self, seed: int, faults: Faults) -> None:
        self.dice, self.faults, self.clock = random.Random(seed), faults, Clock()  # noqa: S311
        self.broker = Broker(self.dice, faults, self.clock)
        self.portfolio = Portfolio(lambda _: None, self.clock)
        holdings = self.portfolio.holdings
        self.reading = ReportReading(self._positions, self._account, holdings.explains)
        self.lag = self.torn = 0.0
        self._is_over = True
        self._fills_left = 1
        self._owned: list[Figures] = []
        self.shown: list[Account] = []
        self.live: list[Figures] = []
        """What a live account that is not partial has shown since the last look at it."""
        assert self.report()
        self._is_over = False
        # A first execution that comes at once shows how far the two clocks are apart.
        self.broker.faults = CALM
        self.broker.fill(STOCKS[0])
        self.wait(0.2)
        self.broker.faults = faults

    def step(self) -> None:
        dice, broker = self.dice, self.broker
        chance = dice.random()
        if chance < 0.4:
            broker.fill(dice.choice((*STOCKS, STOCKS[0], COIN, OPTION)))
        elif chance < 0.45 and self.faults.activities:
            broker.activity()
        elif chance < 0.5 and self.faults.prices_move:
            broker.prices[dice.choice(STOCKS)] *= Decimal(dice.choice(("1.002", "0.998")))
        elif chance < 0.7:
            self.lag = dice.choice((0.0, dice.uniform(0, self.faults.rest_lag)))
            if self.faults.torn:
                self.torn = dice.uniform(-self.lag, self.faults.rest_lag - self.lag)
            self.report()
        else:
            self.wait(dice.choice((0.0, 0.05, 0.5, 3.0)))

    def wait(self, seconds: float) -> None:
        """Let time pass; the stream brings its updates."""
        until = self.clock.now + seconds
        while True:
            for each in self.broker.due():
                self.portfolio.on_execution(
                    Execution(
                        each.symbol,
                        asset_class(each.symbol),
                        each.delta,
                        each.price,
                        each.qty,
                        each.at,
                        each.name,
                    )
                )
                self.look()
            self.look()
            if self.clock.now >= until:
                return
            next_due = self.broker.stream[0].due if self.broker.stream else until
            self.clock.now = min(until, max(next_due, self.clock.now), self.clock.now + 0.3)

    def report(self) -> bool:
        self._fills_left = 1
        report, _ = run(self.reading.read(AS_OF))
        whole = self.portfolio.on_report(report, 0.0)
        if whole:
            # The report may have been late, and in parts.
            self.broker.known_at = report.asked_at - self.faults.rest_lag
        self.look()
        return whole

    def look(self) -> None:
        self.portfolio.set_state("live", None)
        account = self.portfolio.account()
        self.shown.append(account)
        if account.state == "live" and not account.partial:
            figures = self.figures()
            if figures not in self.live[-1:]:
                self.live.append(figures)

    def figures(self) -> Figures:
        held = self.portfolio.holdings.by_symbol
        return Figures(
            self.portfolio.account().cash,
            {s: (close(each.qty), close(each.cost_basis)) for s, each in held.items()},
        )

    def is_real(self) -> bool:
        """Return whether all that was shown as live was once owned."""
        self._owned += (figures_of(state) for _, state in self.broker.past[len(self._owned) :])
        shown, self.live = self.live, []
        return all(figures in self._owned for figures in shown)

    def finish(self) -> Account:
        """Let everything arrive; return the account."""
        self.lag, self.torn, self._is_over = 0.0, 0.0, True
        self.wait(DISBELIEF_SECONDS + 5)
        for _ in range(3):
            self.report()
            self.wait(2.0)
        assert self.report()
        return self.portfolio.account()

    async def _positions(self) -> PositionsReading:
        asked_at = self.clock.now
        self._travel()
        read, unreadable = read_positions(self.broker.positions(self.lag))
        held, more = account_translation.positions(read, AS_OF)
        self._travel()
        return PositionsReading(held, [*unreadable, *more], asked_at)

    async def _account(self) -> AccountReading:
        asked_at = self.clock.now
        self._travel()
        row = read_account(self.broker.account(self.lag + self.torn))
        self._travel()
        return AccountReading(account_translation.account(row), asked_at)

    def _travel(self) -> None:
        """Let a request or its answer be on its way, while the market goes on."""
        self.wait(self.dice.uniform(0.01, 0.05))
        if not self._is_over and self._fills_left and self.dice.random() < 0.15:
            # With activities, a purchase and its sale within one report can look like one of them.
            self._fills_left -= self.faults.activities
            self.broker.fill(self.dice.choice(STOCKS))


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Return what a coroutine returns that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as stop:
        result: Result = stop.value
        return result
    raise AssertionError("it waits")


def close(amount: Decimal) -> Decimal:
    """Return an amount without the last digits, which divisions leave."""
    # They would decide about half of the last digit, which prices of three decimals often make.
    return round(amount + UNEVEN, 9)


def figures_of(state: State) -> Figures:
    return Figures(
        rounded(state.cash),
        {symbol: (close(qty), close(state.cost[symbol])) for symbol, qty in state.qty.items()},
    )


def is_of_the_ledger(shown: Figures, broker: Broker) -> bool:
    """Return whether each quantity was there, and the cash is what exactly these cost."""
    sums = {Decimal(0)}
    for symbol, steps in broker.steps.items():
        qty = shown.held.get(symbol, (Decimal(0), Decimal(0)))[0]
        costs = {cost for after, cost in steps if close(after) == qty or symbol == ""}
        sums = {before + cost for before in sums for cost in costs}
    return any(rounded(Decimal(100_000) - each) == shown.cash for each in sums)


@examples(times=0.4, derandomize=True)
@given(st.integers(0, 2**32))
def test_with_a_prompt_broker_each_execution_shows_at_once_and_the_account_is_never_stale(
    seed: int,
) -> None:
    run_of = Run(seed, CALM)
    for _ in range(STEPS):
        run_of.step()
        assert run_of.shown[-1].state == "live"
        assert run_of.is_real()
    run_of.wait(0.2)
    assert run_of.figures() == figures_of(run_of.broker.now)
    assert run_of.finish().state == "live"


@examples(times=0.4, derandomize=True)
@given(st.integers(0, 2**32))
def test_however_late_or_torn_stream_and_rest_are_the_account_shows_a_state_it_really_had(
    seed: int,
) -> None:
    run_of = Run(seed, LATE)
    for _ in range(STEPS):
        run_of.step()
        assert run_of.is_real()
    end = run_of.finish()
    assert run_of.is_real()
    assert (end.state, end.partial) == ("live", False)
    assert run_of.figures() == figures_of(run_of.broker.now)


@examples(times=0.4, derandomize=True)
@given(st.integers(0, 2**32))
def test_with_lost_or_swapped_updates_fees_and_activities_no_money_counts_twice_or_not_at_all(
    seed: int,
) -> None:
    run_of = Run(seed, WILD)
    for _ in range(STEPS):
        run_of.step()
        for figures in run_of.live:
            assert is_of_the_ledger(figures, run_of.broker)
        run_of.live.clear()
    end = run_of.finish()
    assert (end.state, end.partial) == ("live", False)
    assert run_of.figures() == figures_of(run_of.broker.now)
