"""Gaps in the histories: events from a time when no ingest led or no client watched the topic."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any

import msgspec
from redis.asyncio import Redis

from ingest.bus.announcer import Announcer
from ingest.bus.newest_entries import newest_entries
from ingest.demand.wanted import Demand
from shared import event_times, rfc3339, trade
from shared.bus import keys
from shared.bus.beginning import SINCE
from shared.bus.errors import BusError, bus_errors
from shared.bus.keys import Keyspace
from shared.bus.malformed_stored import MalformedStored
from shared.bus.rejections import Rejections
from shared.event_id import MAX_DIGITS, NEVER, EventId
from shared.news import News
from shared.topics import NEWS, ORDERS, TRADE, key_of, kind_of

FOLLOW_SECONDS = 1.0

RECENT_TAPE_SECONDS = 300.0
"""If the tape was last recorded within this time, its missing prints are fetched."""

NEWEST_ENTRIES = 10
"""Read where only the newest event matters: an entry of another program may be newer."""

HANDOVER_SECONDS = 45.0
"""For this time an earlier leader may have tried to repair a gap of a tape (``GAP_SECONDS`` and the
last request), while it published newer prints. REST brings such prints again."""

TAKEOVER_SECONDS = 10.0
"""A topic that is new to this leader by then may have been watched under the leader before it."""

_TAPE_EVENTS: Mapping[bytes | None, type[trade.Trade | trade.Withdrawal]] = MappingProxyType(
    {
        None: trade.Trade,
        trade.CORRECTION.encode(): trade.Correction,
        trade.CANCEL.encode(): trade.Cancel,
    }
)
"""By the name of a history's entry; a print has none."""


class HistoryGaps:
    """Announces a ``gap`` when clients start to watch a topic with a history again.

    A recent tape is completed instead: ``catch_up`` gets a symbol and a start time (unix s).
    ``continue_gap`` has a function for each kind of which REST shows nothing: it gets the symbol of
    a gap, and the time (unix s) of its end.
    ``verified`` is set once the publisher has compared Redis' data with what was published.
    ``epoch`` is the first one of this leadership. ``delay_of`` returns by how many seconds the
    prints of a symbol are late: the times of events are the exchange's.
    """

    def __init__(
        self,
        client: Redis,
        keyspace: Keyspace,
        demand: Demand,
        announcer: Announcer,
        catch_up: Callable[[str, float], None],
        continue_gap: Mapping[str, Callable[[str, float], None]],
        rejections: Rejections,
        malformed: MalformedStored,
        verified: asyncio.Event,
        epoch: int,
        delay_of: Callable[[str], float],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._keyspace = keyspace
        self._demand = demand
        self._announcer = announcer
        self._catch_up = catch_up
        self._continue_gap = continue_gap
        self._rejections = rejections
        self._malformed = malformed
        self._verified = verified
        self._epoch = epoch
        self._delay_of = delay_of
        self._clock = clock
        self._began = clock()
        self._recorded: frozenset[str] = frozenset()
        self._resumed: set[str] = set()
        """The topics that this leader has recorded at some time."""
        self._whole_since: float | None = None
        """Since when (unix s) the histories in Redis can be whole."""
        self._was_empty = False
        """Whether Redis had no data when this leader first looked."""
        self._has_looked = False
        self._has_lost = False
        """Whether Redis lost its data while an earlier leader published."""

    async def run(self) -> None:
        """Follow the watched topics until cancelled."""
        # An older copy of the data looks whole. The publisher notes since when it is.
        await self._verified.wait()
        while True:
            watched = self._demand.recorded_topics()
            # The lease reports the loss. A topic that could not be read stays out of _recorded, so
            # the next look tries it again.
            with suppress(BusError), self._rejections.watch("the reading of the histories"):
                await self._mark()
                for topic in sorted(watched - self._recorded):
                    await self._resume(topic)
                    self._recorded |= {topic}
                    self._resumed.add(topic)
                self._recorded &= watched
                self._has_looked = True
            await self._demand.wait_for_change(FOLLOW_SECONDS)

    async def _mark(self) -> None:
        """Note in Redis since when it has data, and learn what the leader before this noted.

        Redis may lose its data at any time, also between two looks of this leader.
        """
        now = int(self._clock() * 1e9)
        with bus_errors():
            since = self._keyspace.recorded_since
            noted: Any = await self._client.set(since, now, nx=True, get=True)
        is_first, before = self._whole_since is None, self._whole_since or 0.0
        whole_since = now / 1e9
        if noted is not None:
            whole_since = whole_since if is_first else before
            with self._malformed.skipping(since):
                # Another program may have written a time in the future.
                whole_since = min(_nanoseconds(noted), now) / 1e9
        if is_first:
            begin = await self._beginning()
            # Or the leader before noted an emptied Redis, and died before it published anything.
            self._was_empty = noted is None or begin.epoch >= self._epoch
            # The histories begin after an event that an earlier leader published.
            self._has_lost = begin.seq > 0
        elif whole_since > before:
            self._has_lost = True
        self._whole_since = whole_since

    async def _was_emptied(self) -> bool:
        """Return whether gateways have noted an earlier leader's number in an empty Redis.

        They do so before they claim their topics again, which may be after this leader's first
        look. On a first start there is none: a client that comes then has missed nothing.
        """
        shown: Any = None
        with self._malformed.skipping(self._keyspace.shown), bus_errors():
            shown = await self._client.get(self._keyspace.shown)
        return shown is not None and not self._is_own(shown)

    async def _beginning(self) -> EventId:
        """Return the id after which the histories have every event; this leader may have set it."""
        histories, begin = self._keyspace.histories, NEVER
        with self._malformed.skipping(histories), bus_errors():
            stored: Any = await self._client.hget(histories, SINCE)
            if stored:
                begin = EventId.parse(stored)
        return begin

    async def _resume(self, topic: str) -> None:
        kind = kind_of(topic)
        is_tape = kind == TRADE
        count = keys.HISTORY_LENGTHS[kind] if kind in (TRADE, NEWS) else NEWEST_ENTRIES
        history = self._keyspace.history(topic)
        entries: Any = []
        with self._malformed.skipping(history):
            entries = await newest_entries(self._client, self._keyspace, topic, count)
        await self._mark()  # after the reading: the history may just have been lost
        # This leader publishes as soon as a topic is claimed, so its own first events may be here
        # before this look. They follow the loss; the newest event of the leader before precedes it.
        is_new = topic not in self._resumed
        earlier = [each for each in entries if not (is_new and self._is_own(each[0]))]
        recorded = self._newest_time(history, earlier)
        delay = self._delay_of(key_of(topic)) if is_tape else 0.0
        # REST repeats prints that are already in the history; the announcer must recognise them.
        if is_tape:
            self._announcer.recall_tape(
                key_of(topic),
                self._tape_events(history, entries),
                is_whole=len(entries) < count,
                whole_since_ns=int(max((self._whole_since or 0.0) - delay, 0.0) * 1e9),
            )
        # Alpaca may send an older version of an article that the earlier leader has published.
        elif kind == NEWS:
            self._announcer.articles.recall(key_of(topic), self._articles(history, entries))
        now = self._clock()
        if recorded is None:
            # There is no event to continue from.
            if now - self._began < TAKEOVER_SECONDS and (
                not self._was_empty or not self._has_looked or await self._was_emptied()
            ):
                self._resume_unrecorded(topic, now)
            return
        text, since = recorded
        if kind == ORDERS:
            return  # REST shows the changes that no leader has announced
        if is_tape and now - delay - since < RECENT_TAPE_SECONDS:
            known_since = self._announcer.recent.known_since(key_of(topic))
            # In our time: when the stream would have brought the prints.
            self._catch_up(key_of(topic), repaired_until(since, known_since) + delay)
            if (known_since or 0) / 1e9 > since - HANDOVER_SECONDS:
                self._note_unknown_prints(topic, since)
        else:
            self._announce_gap(topic, text, now - delay)

    def _announce_gap(self, topic: str, since: str, until: float) -> None:
        self._announcer.gap([topic], since, rfc3339.from_unix(until), "not_recorded")
        if kind_of(topic) in self._continue_gap:
            self._continue_gap[kind_of(topic)](key_of(topic), until)

    def _resume_unrecorded(self, topic: str, now: float) -> None:
        """Complete a topic with no event in Redis that may have been watched before this leader.

        A quiet symbol's first print, or its first article, may have fallen between two leaders.
        Redis may also have been emptied while no ingest led, or just when this one took over.
        """
        earliest = self._began - HANDOVER_SECONDS
        if kind_of(topic) == TRADE:
            # The earlier leader had shown its prints until it noted that Redis was empty.
            whole_since = 0.0 if self._was_empty else self._whole_since or 0.0
            self._catch_up(key_of(topic), max(earliest, whole_since))
            if whole_since > earliest:
                self._note_unknown_prints(topic, now - self._delay_of(key_of(topic)))
        # REST shows the changes of orders, but not which of them the leader before this one still
        # had to announce when Redis was emptied. Articles and imbalances are not fetched at all.
        elif (
            self._was_empty
            or kind_of(topic) in self._continue_gap
            or (self._whole_since or 0.0) > earliest
        ):
            self._announce_gap(topic, rfc3339.from_unix(earliest), now)

    def _note_unknown_prints(self, topic: str, until: float) -> None:
        """Announce a ``gap`` if Redis lost the prints by which a late one could be recognised.

        A print of before the loss that comes late, after the earlier leader, looks like those that
        this leader had shown before the loss.
        """
        if self._has_lost:
            earliest = rfc3339.from_unix(until - HANDOVER_SECONDS)
            self._announcer.gap([topic], earliest, rfc3339.from_unix(until), "not_recorded")

    def _is_own(self, event_id: bytes) -> bool:
        """Return whether this leadership has given an id."""
        with suppress(ValueError):  # Redis' own ids can be longer than ours
            return EventId.parse(event_id).epoch >= self._epoch
        return False

    def _newest_time(self, history: str, entries: Sequence[Any]) -> tuple[str, float] | None:
        """Return the time of the newest entry as text and in unix seconds; None if there is none.

        An entry of another program or version is passed over.
        """
        for _, fields in entries:
            with self._malformed.skipping(history):
                text = event_times.decode(fields[b"data"]).end or ""
                return text, rfc3339.to_nanoseconds(text) / 1e9
        return None

    def _articles(self, history: str, entries: Sequence[Any]) -> list[News]:
        """Return the articles among the entries, oldest first."""
        articles = []
        for _, fields in reversed(entries):
            with self._malformed.skipping(history):
                if fields.get(b"event") is None:  # gaps have names
                    articles.append(msgspec.json.decode(fields[b"data"], type=News))
        return articles

    def _tape_events(
        self, history: str, entries: Sequence[Any]
    ) -> list[trade.Trade | trade.Withdrawal]:
        """Return the prints, corrections and cancels among the entries, oldest first."""
        events = []
        for _, fields in reversed(entries):
            with self._malformed.skipping(history):
                # Other events are gaps.
                if kind := _TAPE_EVENTS.get(fields.get(b"event")):
                    event = msgspec.json.decode(fields[b"data"], type=kind)
                    rfc3339.to_nanoseconds(event.timestamp)  # the tape relies on its form
                    events.append(event)
        return events


def repaired_until(newest: float, known_since_ns: int | None) -> float:
    """Return the time (unix s) until which a recorded tape can be trusted to lack no print.

    ``newest`` is the time of its newest event.
    """
    # Older prints than that cannot be told from those that the tape has shown.
    earliest = 0.0 if known_since_ns is None else known_since_ns / 1e9
    return min(newest, max(newest - HANDOVER_SECONDS, earliest))


def _nanoseconds(noted: bytes) -> int:
    if not noted.isdigit() or len(noted) > MAX_DIGITS:
        raise ValueError(f"{noted[:48]!r} is not a time: expected unix nanoseconds")
    return int(noted)
