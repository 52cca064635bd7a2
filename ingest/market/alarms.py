"""Conditions that need a person's attention: alarms from the ingest's facts.

A state raises its alarm for as long as it lasts, a counted event for five minutes. Each text names
the value and the remedy.
"""

from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from shared.alarm import Alarm
from shared.ingest_status import FeedState

COUNTED_SECONDS = 300.0
DISCONNECTED_SECONDS = 30.0
"""A routine reconnection takes less; after this, the cause is outside the ingest."""

REDIS_WAIT_SECONDS = 1.0
REST_FAILURE_SECONDS = 30.0
BARS_COMPARED, BARS_DIFFER = 20, 0.25
"""The number of bars, and the share of them that differ, from which on prints count as lost."""
NAMED_AT_MOST = 10
"""A text names this number of symbols or codes, and counts the rest."""


_SOURCES = {
    "stocks": "the stocks stream",
    "news": "the news stream",
    "account": "the account stream",
    "rest": "Alpaca's REST",
    "redis": "Redis' contents",
}


class StreamFacts(NamedTuple):
    """One connection; ``slot_taken``: Alpaca's last error says that another session has it.

    ``seconds``: since the state began.
    """

    name: str
    state: FeedState
    reason: str | None = None
    slot_taken: bool = False
    seconds: float = 0.0


class MalformedFacts(NamedTuple):
    """The data of a stream, or of REST, that could not be read; ``first`` is the first problem."""

    items: int
    first: str | None = None


class RecordingFacts(NamedTuple):
    """A recording that has stopped: its file, the reason, and the number of records since."""

    file: str
    reason: str
    lost: int


class Facts(NamedTuple):
    """The ingest at one moment. Counters start with this leadership and only increase."""

    streams: Sequence[StreamFacts] = ()
    hours_unknown_seconds: float = 0.0
    """The time for which the session has been unknown."""
    lag_ms: float | None = None
    lag_alarm: bool = False
    is_clock_behind: bool = False
    over_limit: int = 0
    limit: int | None = None
    left_out: int = 0
    """The number of watched symbols beyond the most that one ingest serves."""
    rejected: Collection[str] = ()
    refused: Collection[str] = ()
    """Symbols that Alpaca lists and its stream rejects."""
    withheld: Collection[str] = ()
    """Symbols whose trades REST has and the stream does not bring."""
    redis_rejects: str | None = None
    """A sentence about the work that Redis rejects, with its answer and the remedy."""
    redis_waiting_seconds: float = 0.0
    """The time for which the oldest publication has waited."""
    redis_conflated: int = 0
    events_lost: int = 0
    events_rejected: int = 0
    """The number of events that Redis rejected while it accepted others."""
    histories_aside: int = 0
    """The number of histories that were put aside, because another program had written to them."""
    first_rejection: str | None = None
    unknown_conditions: Mapping[str, int] = {}
    """By ``tape:code``."""
    unknown_statuses: Mapping[str, int] = {}
    """By ``tape:code``."""
    malformed: Mapping[str, MalformedFacts] = {}
    """By stream, and of ``rest`` and ``redis``."""
    quarantined: int = 0
    bars_compared: int = 0
    """Minutes whose bar was made of prints, and for which Alpaca has sent one."""
    bars_differ: int = 0
    """Those of them with another volume."""
    rest_failing_seconds: float = 0.0
    rest_error: str | None = None
    eviction_policy: str | None = None
    recording: RecordingFacts | None = None
    """None while everything is recorded, or nothing is to be."""


class Alarms:
    """Remembers the counters' increases; ``now`` is monotonic seconds.

    ``malformed_before``: the items by source of an earlier leadership of this process.
    """

    def __init__(self, malformed_before: Mapping[str, int] = MappingProxyType({})) -> None:
        self._lost = _Recent()
        self._events_rejected = _Recent()
        self._aside = _Recent()
        self._quarantined = _Recent()
        self._bars_compared = _Recent()
        self._bars_differ = _Recent()
        self._unknown: dict[str, _Recent] = {}
        self._unknown_statuses: dict[str, _Recent] = {}
        # The client of REST, and its count, outlive a leadership. Old items are no news.
        self._malformed = {source: _Recent(n) for source, n in malformed_before.items()}

    def look(self, now: float, facts: Facts) -> list[Alarm]:
        """Return the present alarms, the most serious first."""
        return [
            *_of_streams(facts),
            *_of_redis(facts, self._lost.increase(now, facts.events_lost)),
            *self._of_rejections(now, facts),
            *_of_rest(facts),
            *_of_symbols(facts),
            *self._of_malformed(now, facts),
            *self._of_trades(now, facts),
            *self._of_statuses(now, facts),
            *self._of_bars(now, facts),
            *_of_recording(facts),
        ]

    def _of_bars(self, now: float, facts: Facts) -> Iterator[Alarm]:
        # Alpaca's own bars of a minute have a few more prints now and then: 2 of 47 in one capture.
        compared = self._bars_compared.increase(now, facts.bars_compared)
        differ = self._bars_differ.increase(now, facts.bars_differ)
        if compared >= BARS_COMPARED and differ > compared * BARS_DIFFER:
            yield Alarm(
                "bars_differ",
                f"{differ} of {compared} bars of minutes that were made of prints in the last 5 "
                "minutes had another volume than Alpaca's: prints are lost on their way; the "
                "charts show Alpaca's bars, and if this lasts, use a faster machine or connection",
            )

    def _of_rejections(self, now: float, facts: Facts) -> Iterator[Alarm]:
        # The batch was accepted, so the connection looks well, and only some topics are silent.
        if rejected := self._events_rejected.increase(now, facts.events_rejected):
            yield Alarm(
                "events_rejected",
                f"Redis rejected {_counted(rejected, 'event')} in the last 5 minutes, and those of "
                f"ordered topics became gaps, the first: {facts.first_rejection}; give the "
                "ingest's Redis user the rights that docs/operations.md lists",
            )
        if aside := self._aside.increase(now, facts.histories_aside):
            yield Alarm(
                "history_aside",
                f"{_counted(aside, 'stored history', 'stored histories')} had contents of another "
                f"program and were put aside in the last 5 minutes, the first: "
                f"{facts.first_rejection}; look at the keys that end in :aside, and give each "
                "program its own Redis or REDIS_NAMESPACE",
            )

    def _of_malformed(self, now: float, facts: Facts) -> Iterator[Alarm]:
        # Alpaca has changed a form, or something between here and Alpaca damages the data. If it
        # is the trades, the prices stand still while the stream looks well.
        for source, (items, first) in facts.malformed.items():
            recent = self._malformed.setdefault(source, _Recent()).increase(now, items)
            if recent:
                yield Alarm(
                    "malformed",
                    f"{_counted(recent, 'item')} of {_SOURCES.get(source, source)} had another "
                    f"form in the last 5 minutes and were left out, the first: {first}; "
                    "update Tapecast, or report this text",
                )

    def _of_trades(self, now: float, facts: Facts) -> Iterator[Alarm]:
        # One wild print is routine. A person looks only if a client reports a wrong price.
        if quarantined := self._quarantined.increase(now, facts.quarantined):
            yield Alarm(
                "quarantined",
                f"{_counted(quarantined, 'print')} far from the last price, outside all sessions "
                "or ahead of this machine's clock did not move it in the last 5 minutes; no action "
                "is needed unless displayed prices are wrong",
            )
        unknown = _increases(self._unknown, now, facts.unknown_conditions)
        # An exchange has introduced a code. Until the table has it, the safe choice is not to let
        # such a print set the last price.
        if unknown:
            yield Alarm(
                "unknown_conditions",
                f"{_counted(sum(unknown.values()), 'print')} with unknown sale conditions "
                f"({_named(unknown)}, as tape:code) did not move the last price in the last 5 "
                "minutes; add them to the table of conditions",
            )

    def _of_statuses(self, now: float, facts: Facts) -> Iterator[Alarm]:
        # One of them may be a halt, which clients would not see as one.
        unknown = _increases(self._unknown_statuses, now, facts.unknown_statuses)
        if unknown:
            count = _counted(sum(unknown.values()), "trading status", "trading statuses")
            yield Alarm(
                "unknown_statuses",
                f"{count} of the last 5 minutes had unknown codes ({_named(unknown)}, as "
                "tape:code) and halted no symbol; clients see Alpaca's text as a notice; add them "
                "to the table of statuses",
            )


def _increases(
    known: "dict[str, _Recent]", now: float, counts: Mapping[str, int]
) -> dict[str, int]:
    """Return the increases of counters by their names, those that have increased."""
    return {
        name: increase
        for name, count in counts.items()
        if (increase := known.setdefault(name, _Recent()).increase(now, count))
    }


class _Recent:
    """The increase of a counter in the last five minutes."""

    def __init__(self, count: int = 0) -> None:
        self._count = count
        self._growths: deque[tuple[float, int]] = deque()
        """The times of its increases, at most one a second, and its values before them."""

    def increase(self, now: float, count: int) -> int:
        # Another leadership counts from zero.
        if count < self._count:
            self._count = 0
            self._growths.clear()
        growths = self._growths
        # At most one entry a second: a burst of losses must not fill the memory.
        if count > self._count and (not growths or now - growths[-1][0] >= 1):
            growths.append((now, self._count))
        self._count = count
        while growths and now - growths[0][0] > COUNTED_SECONDS:
            growths.popleft()
        return count - growths[0][1] if growths else 0


def _of_streams(facts: Facts) -> Iterator[Alarm]:
    for stream in facts.streams:
        why = stream.reason or "no reason given"
        # Wrong keys, or a plan without this feed: no further attempt can succeed.
        if stream.state == "failed":
            yield Alarm(
                "stream_failed",
                f"the {stream.name} stream has ended permanently: {why}; "
                "correct the keys, the plan or the feed and restart the ingest",
            )
        # Without a delay: often a second program runs with the same keys, and it would not stop.
        elif stream.state == "reconnecting" and stream.slot_taken:
            yield Alarm(
                "slot_taken",
                f"another session has held Alpaca's slot for the {stream.name} stream for "
                f"{stream.seconds:.0f} s; Alpaca frees the slot of a crashed one after about "
                "90 s, otherwise stop the program that uses the same account",
            )
        elif stream.state != "live" and stream.seconds >= DISCONNECTED_SECONDS:
            yield Alarm(
                "stream_away",
                f"the {stream.name} stream has been disconnected for {stream.seconds:.0f} s: "
                f"{why}; the ingest keeps trying, check the network and Alpaca's status page",
            )
    # A slow process and a wrong clock look alike from here, so the text names both.
    if facts.lag_alarm and facts.lag_ms is not None:
        yield Alarm(
            "lagging",
            f"trades arrive {facts.lag_ms / 1000:.1f} s after they happened; "
            "give the ingest more CPU or watch fewer symbols, and check this machine's clock",
        )
    # The session, the age of prices and the order of late prints depend on this clock.
    if facts.is_clock_behind and facts.lag_ms is not None:
        yield Alarm(
            "clock_behind",
            f"trades arrive {_sooner(facts.lag_ms)} by this machine's clock, so the clock is "
            "behind: synchronise it (NTP)",
        )


def _sooner(lag_ms: float) -> str:
    if lag_ms < 0:
        return f"{-lag_ms / 1000:.1f} s before they happened"
    return f"only {lag_ms / 1000:.1f} s after they happened, on a delayed feed,"


def _of_redis(facts: Facts, lost: int) -> Iterator[Alarm]:
    # Redis may be back already, but clients have gaps in their tapes, news or orders.
    if lost:
        yield Alarm(
            "events_lost",
            f"{_counted(lost, 'event')} did not reach Redis in the last 5 minutes and were "
            "announced as gaps; check that Redis is reachable and has memory",
        )
    # This report is published even if Redis has no memory to store it.
    if facts.redis_rejects is not None:
        yield Alarm("redis_rejects", facts.redis_rejects)
    # A rejected batch waits too, for a known cause.
    elif facts.redis_waiting_seconds >= REDIS_WAIT_SECONDS:
        yield Alarm(
            "redis_slow",
            f"publications wait {facts.redis_waiting_seconds:.1f} s for Redis, and newer ones "
            f"have replaced {facts.redis_conflated} so far; "
            "check its load, its memory and the network to it",
        )
    # With an evicted lease two ingests would lead and contend for Alpaca's slot. None: many hosted
    # servers do not report their policy.
    if facts.eviction_policy not in (None, "noeviction"):
        yield Alarm(
            "eviction_policy",
            f"Redis evicts keys (maxmemory-policy {facts.eviction_policy}) and may evict the "
            "lease; set it to noeviction",
        )


def _of_rest(facts: Facts) -> Iterator[Alarm]:
    # Prices of the stream continue; only symbols that need REST show nothing, or old values.
    if facts.rest_failing_seconds >= REST_FAILURE_SECONDS:
        yield Alarm(
            "rest_failing",
            f"Alpaca's REST has failed for {facts.rest_failing_seconds:.0f} s "
            f"({facts.rest_error or 'no reason given'}): new and polled symbols have no prices; "
            "check the keys, ALPACA_DATA_URL, the plan's rate limit and Alpaca's status page",
        )
    # A mute stream is detected only in known sessions: see ``stream_silence``.
    if facts.hours_unknown_seconds >= REST_FAILURE_SECONDS:
        yield Alarm(
            "hours_unknown",
            f"Alpaca's clock and calendar have been unavailable for "
            f"{facts.hours_unknown_seconds:.0f} s, so a silent stream looks like a closed "
            "market; check ALPACA_TRADING_URL and the keys",
        )


def _of_symbols(facts: Facts) -> Iterator[Alarm]:
    if facts.over_limit:
        limit = "the plan's" if facts.limit is None else f"the {facts.limit}"
        yield Alarm(
            "over_limit",
            f"{_counted(facts.over_limit, 'symbol')} beyond {limit} live symbols can only be "
            "looked up every few seconds; watch fewer, or choose a plan with more and set "
            "ALPACA_SYMBOL_LIMIT",
        )
    if facts.left_out:
        yield Alarm(
            "left_out",
            f"{facts.left_out} watched symbols have no prices, since one ingest serves no more; "
            "watch fewer",
        )
    if facts.rejected:
        yield Alarm(
            "rejected_symbols",
            f"Alpaca does not know {_named(facts.rejected)}; "
            "correct the client or the watchlist that requests them",
        )
    # Their prices are some seconds old, and no connection shows a fault.
    if facts.refused:
        yield Alarm(
            "refused_symbols",
            f"Alpaca's stream does not take {_named(facts.refused)}: looked up every few seconds, "
            "and tried again; check the spelling, and whether ALPACA_FEED has them",
        )
    if facts.withheld:
        yield Alarm(
            "withheld_symbols",
            f"Alpaca's stream withholds trades of {_named(facts.withheld)} that REST has: looked "
            "up every few seconds, and subscribed again; if it lasts, restart the ingest and "
            "report it to Alpaca",
        )


def _of_recording(facts: Facts) -> Iterator[Alarm]:
    # Prices continue; only the capture lacks the rest of the day.
    if facts.recording is not None:
        file, reason, lost = facts.recording
        yield Alarm(
            "recording_stopped",
            f"the recording to {file} has stopped ({reason}), and {_counted(lost, 'record')} since "
            "are not in it; make room, and restart the ingest with another file",
        )


def _named(names: Collection[str]) -> str:
    some = sorted(names)[:NAMED_AT_MOST]
    more = len(names) - len(some)
    return ", ".join(some) + (f" and {more} more" if more else "")


def _counted(count: int, noun: str, nouns: str | None = None) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {nouns or noun + 's'}"
