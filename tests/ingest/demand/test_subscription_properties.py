"""With any wishes, rejections and losses, the subscription settles at the best possible one."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from ingest.demand.channels import STOCK_CHANNELS
from ingest.demand.learnt_limits import LIMIT_RETRY_SECONDS
from ingest.demand.priority import share_out
from ingest.demand.subscription import Rejection, Subscription
from ingest.demand.wanted import LINGER_SECONDS, Demand, Want
from tests.examples import examples
from tests.ingest.demand.wants import Alpaca, Clock, names

SYMBOLS = names(12)
KINDS = ("price", "quote", "bar.5Min", "bar.1Day")
TOPICS = [f"{kind}:{symbol}" for kind in KINDS for symbol in SYMBOLS]


class Reconciliation(RuleBasedStateMachine):
    """Viewers come and go, Alpaca answers when it likes, connections break, plans change."""

    @initialize(
        plan=st.none() | st.integers(1, 10),
        real=st.none() | st.integers(0, 10),
        pairs=st.booleans(),
        bad=st.frozensets(st.sampled_from(SYMBOLS), max_size=3),
        statuses=st.none() | st.sampled_from(Rejection),
        bars=st.none() | st.sampled_from([each for each in Rejection if each.name != "SYNTAX"]),
        counts_bars=st.booleans(),
    )
    def start(
        self,
        plan: int | None,
        real: int | None,
        pairs: bool,
        bad: frozenset[str],
        statuses: Rejection | None,
        bars: Rejection | None,
        counts_bars: bool,
    ) -> None:
        self.clock = Clock()
        self.demand = Demand(self.clock)
        self.plan = plan
        self.teaches_a_limit = real is not None and (plan is None or real < plan)
        self.subscription = Subscription(plan, monotonic=self.clock)
        self.alpaca = Alpaca(
            real, bad=bad, pairs=pairs, statuses=statuses, bars=bars, counts_bars=counts_bars
        )

    @rule(watched=st.dictionaries(st.sampled_from(TOPICS), st.integers(0, 9)))
    def viewers_change(self, watched: dict[str, int]) -> None:
        self.demand.update(watched)

    @rule(symbols=st.frozensets(st.sampled_from(SYMBOLS), max_size=3))
    def positions_change(self, symbols: frozenset[str]) -> None:
        self.demand.set_positions(symbols)

    @rule(seconds=st.sampled_from([1.0, LINGER_SECONDS, LIMIT_RETRY_SECONDS]))
    def time_passes(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(symbols=st.frozensets(st.sampled_from(SYMBOLS), max_size=3))
    def symbols_are_renewed(self, symbols: frozenset[str]) -> None:
        self.subscription.renew("trades", symbols)

    @rule()
    def one_step(self) -> None:
        change = self.subscription.next_change(self.demand.wanted())
        if change is not None:
            assert self.subscription.next_change(self.demand.wanted()) is None
            self.alpaca.answer(change, self.subscription)

    @rule()
    def the_connection_breaks(self) -> None:
        self.subscription.next_change(self.demand.wanted())  # its answer never comes
        self.subscription.begin()
        self.alpaca.lost()

    @precondition(lambda self: self.alpaca.limit is not None)
    @rule()
    def the_plan_grows(self) -> None:
        self.alpaca.limit = None
        self.clock.now += LIMIT_RETRY_SECONDS
        self.settles()

    @rule()
    def settles(self) -> None:
        """Each bad symbol and the limit cost a few requests to find, the rest one per channel."""
        wanted = self.demand.wanted()
        self.alpaca.settle(self.subscription, wanted, most=30 + 10 * len(self.alpaca.bad))
        held = self.alpaca.held
        subscription = self.subscription
        served = held["trades"] | held["quotes"]

        assert self.alpaca.limit is None or self.alpaca.size(held) <= self.alpaca.limit
        assert subscription.rejected <= self.alpaca.bad
        for want in wanted:
            if not want.lingering and not want.channels.isdisjoint(("trades", "quotes")):
                accounted = served.union(subscription.over_limit, subscription.rejected)
                assert want.symbol in accounted, "neither served nor accounted for"
        if self.alpaca.statuses is None:
            assert held["statuses"] == held["trades"]
        if self.alpaca.bars is None:
            assert held["updatedBars"] == held["bars"]
        if self.alpaca.bars is None and not self.alpaca.counts_bars and not self.teaches_a_limit:
            for want in wanted:
                for channel in () if want.lingering else want.channels & {"bars", "dailyBars"}:
                    assert want.symbol in held[channel] | self.alpaca.bad
        if not self.alpaca.pairs:
            self._is_the_best(wanted)
        asked = len(self.alpaca.requests)
        self.alpaca.settle(subscription, wanted)
        assert len(self.alpaca.requests) == asked

    def _is_the_best(self, wanted: list[Want]) -> None:
        held, subscription = self.alpaca.held, self.subscription
        possible = [want for want in wanted if want.symbol not in subscription.rejected]
        best = share_out(possible, held, subscription.limit, STOCK_CHANNELS).symbols
        for channel in ("trades", "quotes"):
            assert set(best[channel]) - self.alpaca.bad == held[channel]
        limits = [each for each in (self.plan, self.alpaca.limit) if each is not None]
        watched = sum(
            not want.lingering and not want.channels.isdisjoint(("trades", "quotes"))
            for want in possible
        )
        assert self.alpaca.size(held) >= min([watched, *limits])


TestReconciliation = Reconciliation.TestCase
TestReconciliation.settings = examples(stateful_step_count=20)


def test_a_symbol_that_flaps_costs_one_request() -> None:
    clock = Clock()
    demand, alpaca = Demand(clock), Alpaca(5)
    subscription = Subscription(5, monotonic=clock)
    demand.update({"price:SPY": 1, "price:IBM": 1})
    alpaca.settle(subscription, demand.wanted())
    asked = len(alpaca.requests)
    for _ in range(50):
        demand.update({"price:IBM": 1})
        alpaca.settle(subscription, demand.wanted())
        clock.now += LINGER_SECONDS - 1
        demand.update({"price:SPY": 1, "price:IBM": 1})
        alpaca.settle(subscription, demand.wanted())

    assert len(alpaca.requests) == asked
