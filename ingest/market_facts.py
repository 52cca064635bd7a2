"""The state of the markets, of each and of all together, as the status and the alarms need it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import msgspec

from shared.ingest_status import Session, TapeCounts


@dataclass(frozen=True, kw_only=True)
class MarketFacts:
    """The state of a market, as the status and the alarms need it."""

    session: Session
    next_open: str | None
    next_close: str | None
    lag_ms: float | None
    lag_alarm: bool
    is_clock_behind: bool
    subscribed: list[str]
    over_limit: list[str]
    limit: int | None
    left_out: int
    rejected: list[str]
    refused: list[str]
    """Symbols that the stream rejects and REST has."""
    withheld: list[str]
    tape: TapeCounts
    rest_failing_seconds: float
    rest_error: str | None


def together(markets: Sequence[MarketFacts]) -> MarketFacts:
    """Return the state of all markets; sessions are the first one's.

    The lag is the first one's too, unless only another market's raises an alarm.
    """
    first = markets[0]
    late = next((each for each in markets if each.lag_alarm or each.is_clock_behind), first)
    failing = max(markets, key=lambda each: each.rest_failing_seconds)
    return replace(
        first,
        lag_ms=late.lag_ms,
        lag_alarm=late.lag_alarm,
        is_clock_behind=late.is_clock_behind,
        subscribed=sorted(chain.from_iterable(each.subscribed for each in markets)),
        # The other markets have limits of single channels.
        limit=None if any(each.over_limit for each in markets[1:]) else first.limit,
        over_limit=list(chain.from_iterable(each.over_limit for each in markets)),
        left_out=sum(each.left_out for each in markets),
        rejected=sorted(chain.from_iterable(each.rejected for each in markets)),
        refused=sorted(chain.from_iterable(each.refused for each in markets)),
        withheld=sorted(chain.from_iterable(each.withheld for each in markets)),
        tape=_sum([each.tape for each in markets]),
        rest_failing_seconds=failing.rest_failing_seconds,
        rest_error=failing.rest_error,
    )


def _sum(tapes: Sequence[TapeCounts]) -> TapeCounts:
    sums: dict[str, Any] = {}
    for tape in tapes:
        for name, value in msgspec.structs.asdict(tape).items():
            if isinstance(value, dict):
                sums[name] = dict(Counter(sums.get(name, {})) + Counter(value))
            else:
                sums[name] = sums.get(name, 0) + value
    return TapeCounts(**sums)
