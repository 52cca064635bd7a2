"""The gaps of imbalances: Alpaca repeats none, and REST has none."""

import time
from collections.abc import Callable

from ingest.demand.channels import IMBALANCES
from ingest.demand.subscription import Subscription
from ingest.demand.unheard import Unheard
from ingest.demand.wanted import Demand
from ingest.upstream.announcements import Announcements
from shared import rfc3339
from shared.topics import IMBALANCE, key_of, kind_of, topic


class ImbalanceGaps:
    """Announces what was missed about a watched symbol once its imbalances come again.

    ``clock`` gives unix seconds.
    """

    def __init__(
        self,
        demand: Demand,
        subscription: Subscription,
        announcer: Announcements,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._demand = demand
        self._subscription = subscription
        self._announcer = announcer
        self._clock = clock
        self._unheard = Unheard()

    def lost(self, since: float) -> None:
        """Note, before the subscription is forgotten, that the stream ended at a time (unix s)."""
        self._unheard.add(filter(self._hears, self._watched()), since)

    def continue_gap(self, symbol: str, since: float) -> None:
        """Announce a gap from a time (unix s) on until imbalances of a symbol come.

        The histories' own ends there: it covers the time before this leader looked at them.
        """
        if not self._hears(symbol):
            self._unheard.add([symbol], since)

    def on_acknowledged(self) -> None:
        """Announce what was missed about the symbols that are subscribed to now."""
        until = rfc3339.from_unix(self._clock())
        for symbol, since in self._unheard.take_heard(self._watched(), self._hears):
            start = rfc3339.from_unix(since)
            self._announcer.gap([topic(IMBALANCE, symbol)], start, until, "upstream_lost")

    def _watched(self) -> set[str]:
        topics = self._demand.recorded_topics()
        return {key_of(each) for each in topics if kind_of(each) == IMBALANCE}

    def _hears(self, symbol: str) -> bool:
        return symbol in self._subscription.acknowledged.get(IMBALANCES, ())
