"""Made-up wants, a clock that tests move, and a small model of Alpaca's subscription."""

from ingest.demand.channels import BARS, DAILY_BARS, STOCK_CHANNELS, TRADES, UPDATED_BARS
from ingest.demand.subscription import (
    SYMBOLS_PER_REQUEST,
    Rejection,
    Subscription,
    SubscriptionChange,
)
from ingest.demand.wanted import Want

BAR_CHANNELS = (BARS, UPDATED_BARS, DAILY_BARS)


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def want(
    symbol: str, viewers: int = 1, *channels: str, position: bool = False, lingering: bool = False
) -> Want:
    """Return a want, by default for trades."""
    return Want(
        symbol, frozenset(channels or [TRADES]), position, 0 if lingering else viewers, lingering
    )


def names(count: int, prefix: str = "S") -> list[str]:
    """Return symbols."""
    return [f"{prefix}{number:04}" for number in range(count)]


def wants(symbols: list[str], *channels: str) -> list[Want]:
    """Return wants of equal importance."""
    return [want(symbol, 1, *channels) for symbol in symbols]


class Alpaca:
    """Takes or refuses a request as a whole, and answers with the whole set.

    ``limit`` counts symbols over trades and quotes, or with ``pairs`` symbols in each of them. With
    ``counts_bars`` it counts those of bars as well.
    """

    def __init__(
        self,
        limit: int | None = None,
        *,
        bad: frozenset[str] = frozenset(),
        pairs: bool = False,
        statuses: Rejection | None = None,
        bars: Rejection | None = None,
        counts_bars: bool = False,
    ) -> None:
        self.limit = limit
        self.counts_bars = counts_bars
        self.bad = bad
        self.pairs = pairs
        self.statuses = statuses
        """Why a request for statuses is rejected; None: it is not."""
        self.bars = bars
        """Why a request for bars of any kind is rejected; None: it is not."""
        self.held: dict[str, set[str]] = {}
        self.requests: list[SubscriptionChange] = []
        self.lost()

    def lost(self) -> None:
        """Lose the connection."""
        self.held = {channel.name: set() for channel in STOCK_CHANNELS}

    def answer(self, change: SubscriptionChange, subscription: Subscription) -> tuple[str, ...]:
        """Take a request; return what the subscription says of a refusal."""
        assert 0 < len(change.symbols) <= SYMBOLS_PER_REQUEST
        assert len(set(change.symbols)) == len(change.symbols)
        held = self.held[change.channel]
        self.requests.append(change)
        if change.action == "unsubscribe":
            assert held.issuperset(change.symbols), "a request for nothing"
            self.held[change.channel] = held.difference(change.symbols)
        else:
            assert held.isdisjoint(change.symbols), "a request for nothing"
            rejection = self._rejection(change)
            if rejection is not None:
                assert subscription.concerns_change(rejection)
                return subscription.on_rejected(rejection)
            self.held[change.channel] = held.union(change.symbols)
        subscription.on_acknowledged(self.acknowledgement())
        return ()

    def acknowledgement(self) -> dict[str, list[str]]:
        """Return the whole set."""
        return {channel: sorted(held) for channel, held in self.held.items()}

    def _rejection(self, change: SubscriptionChange) -> Rejection | None:
        if change.channel == "statuses" and self.statuses is not None:
            return self.statuses
        if change.channel in BAR_CHANNELS and self.bars is not None:
            return self.bars
        if self.bad.intersection(change.symbols):
            return Rejection.SYNTAX
        after = self.held | {change.channel: self.held[change.channel].union(change.symbols)}
        return (
            None if self.limit is None or self.size(after) <= self.limit else Rejection.SYMBOL_LIMIT
        )

    def size(self, held: dict[str, set[str]]) -> int:
        """Return how many slots are taken."""
        both = [held["trades"], held["quotes"]]
        if self.counts_bars:
            both += [held[channel] for channel in BAR_CHANNELS]
        return sum(map(len, both)) if self.pairs else len(set.union(*both))

    def settle(self, subscription: Subscription, wanted: list[Want], most: int = 200) -> list[str]:
        """Play until there is nothing left to request; return the rejected symbols."""
        refused: list[str] = []
        for _ in range(most):
            change = subscription.next_change(wanted)
            if change is None:
                own = subscription.acknowledged
                assert own == {channel: self.held[channel] for channel in own}
                return refused
            assert subscription.next_change(wanted) is None, "one request at a time"
            refused += self.answer(change, subscription)
        raise AssertionError(f"does not settle: {self.requests[-5:]}")
