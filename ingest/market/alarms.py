"""What a person should know of: alarms from the ingest's facts, as they are now.

A state alarms while it lasts. What happens once and is counted alarms for five minutes.
"""

from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from shared.alarm import Alarm
from shared.ingest_status import FeedState

RECENT_SECONDS = 300.0
AWAY_SECONDS = 30.0
"""A connection that is lost so long does not come back by itself at once."""

REDIS_SECONDS = 1.0
REST_SECONDS = 30.0
NAMED = 10
"""So many symbols or codes are named in a text; of the others the number."""


class StreamFacts(NamedTuple):
    """One connection; ``slot_taken``: Alpaca's last error says that another session has it.

    ``seconds``: since the state began.
    """

    name: str
    state: FeedState
    reason: str | None = None
    slot_taken: bool = False
    seconds: float = 0.0


class Facts(NamedTuple):
    """The ingest at one moment; counters are of this leadership and only grow."""

    streams: Sequence[StreamFacts] = ()
    hours_unknown_seconds: float = 0.0
    """For how long the session has been unknown."""
    lag_ms: float | None = None
    lag_alarm: bool = False
    over_limit: int = 0
    limit: int | None = None
    left_out: int = 0
    """Symbols beyond what one ingest serves at all."""
    rejected: Collection[str] = ()
    redis_waiting_seconds: float = 0.0
    """How long the oldest publication has waited."""
    redis_conflated: int = 0
    events_lost: int = 0
    unknown_conditions: Mapping[str, int] = {}
    """By ``tape:code``."""
    quarantined: int = 0
    rest_failing_seconds: float = 0.0
    rest_error: str | None = None
    eviction_policy: str | None = None


class Alarms:
    """Remembers the counters' increases; ``now`` is monotonic seconds."""

    def __init__(self) -> None:
        self._lost = _Recent()
        self._quarantined = _Recent()
        self._unknown: dict[str, _Recent] = {}

    def look(self, now: float, facts: Facts) -> list[Alarm]:
        """Return the alarms of this moment, the gravest first."""
        return [
            *_of_streams(facts),
            *_of_redis(facts, self._lost.increase(now, facts.events_lost)),
            *_of_rest(facts),
            *_of_symbols(facts),
            *self._of_trades(now, facts),
        ]

    def _of_trades(self, now: float, facts: Facts) -> Iterator[Alarm]:
        if quarantined := self._quarantined.increase(now, facts.quarantined):
            yield Alarm(
                "quarantined",
                f"{_counted(quarantined, 'print')} far from the last price or outside all sessions "
                "did not move it within 5 minutes; nothing is to be done unless prices shown are "
                "wrong",
            )
        unknown = {
            code: increase
            for code, count in facts.unknown_conditions.items()
            if (increase := self._unknown.setdefault(code, _Recent()).increase(now, count))
        }
        if unknown:
            yield Alarm(
                "unknown_conditions",
                f"{_counted(sum(unknown.values()), 'print')} with sale conditions that are not "
                f"known ({_named(unknown)}, as tape:code) did not move the last price within 5 "
                "minutes; add them to the table of conditions",
            )


class _Recent:
    """How much a counter has grown in the last five minutes."""

    def __init__(self) -> None:
        self._count = 0
        self._growths: deque[tuple[float, int]] = deque()
        """When it grew, at most once a second, and what it was before."""

    def increase(self, now: float, count: int) -> int:
        if count < self._count:
            self._count = 0
            self._growths.clear()
        growths = self._growths
        if count > self._count and (not growths or now - growths[-1][0] >= 1):
            growths.append((now, self._count))
        self._count = count
        while growths and now - growths[0][0] > RECENT_SECONDS:
            growths.popleft()
        return count - growths[0][1] if growths else 0


def _of_streams(facts: Facts) -> Iterator[Alarm]:
    for stream in facts.streams:
        why = stream.reason or "no reason given"
        if stream.state == "failed":
            yield Alarm(
                "stream_failed",
                f"the {stream.name} stream has ended for good: {why}; "
                "correct the keys, the plan or the feed and restart the ingest",
            )
        elif stream.state == "reconnecting" and stream.slot_taken:
            yield Alarm(
                "slot_taken",
                f"another session has held Alpaca's slot for the {stream.name} stream for "
                f"{stream.seconds:.0f} s; one that has crashed is let go after about 90 s, "
                "otherwise stop the program that uses the same account",
            )
        elif stream.state != "live" and stream.seconds >= AWAY_SECONDS:
            yield Alarm(
                "stream_away",
                f"the {stream.name} stream has been away for {stream.seconds:.0f} s: {why}; "
                "it is tried again without end, check the network and Alpaca's status page",
            )
    if facts.lag_alarm and facts.lag_ms is not None:
        yield Alarm(
            "lagging",
            f"trades arrive {facts.lag_ms / 1000:.1f} s after they happened; "
            "give the ingest more CPU or watch fewer symbols, and check this machine's clock",
        )


def _of_redis(facts: Facts, lost: int) -> Iterator[Alarm]:
    if lost:
        yield Alarm(
            "events_lost",
            f"the last 5 minutes have lost {_counted(lost, 'event')} on the way to Redis, "
            "announced as gaps; check that Redis is reachable and has memory",
        )
    if facts.redis_waiting_seconds >= REDIS_SECONDS:
        yield Alarm(
            "redis_slow",
            f"publications wait {facts.redis_waiting_seconds:.1f} s for Redis, "
            f"{facts.redis_conflated} were replaced by newer ones so far; "
            "check its load, its memory and the network to it",
        )
    if facts.eviction_policy not in (None, "noeviction"):
        yield Alarm(
            "eviction_policy",
            f"Redis evicts keys (maxmemory-policy {facts.eviction_policy}) and may evict the "
            "lease; set it to noeviction",
        )


def _of_rest(facts: Facts) -> Iterator[Alarm]:
    if facts.rest_failing_seconds >= REST_SECONDS:
        yield Alarm(
            "rest_failing",
            f"Alpaca's REST has failed for {facts.rest_failing_seconds:.0f} s "
            f"({facts.rest_error or 'no reason given'}): first prices and polled symbols are "
            "missing; check the keys, the plan's rate limit and Alpaca's status page",
        )
    if facts.hours_unknown_seconds >= REST_SECONDS:
        yield Alarm(
            "hours_unknown",
            f"Alpaca's clock and calendar have not been read for "
            f"{facts.hours_unknown_seconds:.0f} s, so a silent stream cannot be told "
            "from a closed market; check ALPACA_TRADING_URL and the keys",
        )


def _of_symbols(facts: Facts) -> Iterator[Alarm]:
    if facts.over_limit:
        limit = "the plan's number" if facts.limit is None else str(facts.limit)
        yield Alarm(
            "over_limit",
            f"beyond {limit} of live symbols, {_counted(facts.over_limit, 'symbol')} can only be "
            "looked up every few seconds; watch fewer, or take a plan with more and set "
            "ALPACA_SYMBOL_LIMIT",
        )
    if facts.left_out:
        yield Alarm(
            "left_out",
            f"{facts.left_out} watched symbols are more than one ingest serves and have no "
            "prices; watch fewer",
        )
    if facts.rejected:
        yield Alarm(
            "rejected_symbols",
            f"Alpaca does not know {_named(facts.rejected)}; correct who asks for them",
        )


def _named(names: Collection[str]) -> str:
    some = sorted(names)[:NAMED]
    more = len(names) - len(some)
    return ", ".join(some) + (f" and {more} more" if more else "")


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
