"""What waits to be published, bounded: where Redis is slow or away, little is given up.

Of merge topics newer values replace older ones; of ordered topics the oldest events are lost, and a
``gap`` in their place says so.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Iterable

import msgspec

from shared import gap
from shared.bus import keys
from shared.gap import GAP, Gap
from shared.topics import kind_of

BOUND = 20_000


class Publication(msgspec.Struct, frozen=True, gc=False):
    """An event without its id yet. ``body`` is a JSON object on one line.

    ``traded``: it happened just now, so the TTL key is due. ``event``: its name, where that is not
    the kind of the topic. ``row``: whose value it is, where the topic is of many and each is stored
    under one of its own.
    """

    topic: str
    body: bytes
    traded: bool = False
    event: str | None = None
    row: str | None = None


class Outbox:
    """A queue of publications, in order while there is room.

    With ``bound`` waiting it is crowded until it has been emptied: then it keeps the newest value
    of each merge topic, and of the ordered ones ``bound`` events and at least one for each topic,
    but no more of a topic than its history holds. Every offer takes the same short time.

    ``conflated`` counts the values that newer ones have replaced, ``lost`` the ordered events for
    which there was no room.
    """

    def __init__(self, bound: int = BOUND) -> None:
        self.waiting = asyncio.Event()
        self.conflated = 0
        self.lost = 0
        self._bound = bound
        self._queue: deque[Publication] = deque()
        self._crowd: OrderedDict[str, Publication | _Ordered] = OrderedDict()
        self._ordered = 0
        self._merged = 0

    def __len__(self) -> int:
        return len(self._queue) + self._merged + self._ordered

    def offer(self, publication: Publication) -> None:
        """Queue a publication."""
        if not self._crowd and len(self._queue) < self._bound:
            self._queue.append(publication)
        else:
            while self._queue:
                self._press(self._queue.popleft())
            self._press(publication)
        self.waiting.set()

    def take(self, limit: int) -> list[Publication]:
        """Remove and return the oldest publications; a ``gap`` may make them one more."""
        taken = [self._queue.popleft() for _ in range(min(limit, len(self._queue)))]
        while self._crowd and len(taken) < limit:
            topic, pressed = self._crowd.popitem(last=False)
            if isinstance(pressed, Publication):
                self._merged -= 1
                taken.append(pressed)
                continue
            before = len(pressed.events)
            taken += pressed.take(limit - len(taken))
            self._ordered -= before - len(pressed.events)
            if pressed.events:
                self._crowd[topic] = pressed
        if not self._queue and not self._crowd:
            self.waiting.clear()
        return taken

    def without_ordered(self, batch: Iterable[Publication]) -> list[Publication]:
        """Return a batch with a ``gap`` for each ordered topic in place of its events."""
        left: list[Publication] = []
        losses: dict[str, _Ordered] = {}
        for publication in batch:
            if _history_length(publication) is None:
                left.append(publication)
            else:
                losses.setdefault(publication.topic, _Ordered()).lose(publication)
                self.lost += 1
        return [*(loss.announcement() for loss in losses.values()), *left]

    def _press(self, publication: Publication) -> None:
        """Take a publication in while it is crowded."""
        limit = _history_length(publication)
        if limit is None:
            key = " ".join(filter(None, (publication.topic, publication.event, publication.row)))
            if key in self._crowd:
                self.conflated += 1
            else:
                self._merged += 1
            self._crowd[key] = publication
            return
        pressed = self._crowd.setdefault(publication.topic, _Ordered())
        assert isinstance(pressed, _Ordered)  # noqa: S101 - an ordered topic is never merged
        pressed.events.append(publication)
        self._ordered += 1
        count = len(pressed.events)
        if count > limit or (self._ordered > self._bound and count > 1):
            pressed.lose(pressed.events.popleft())
            self._ordered -= 1
            self.lost += 1


class _Ordered:
    """The events that wait on one ordered topic, and the first and last of those lost before."""

    __slots__ = ("_first_lost", "_last_lost", "events")

    def __init__(self) -> None:
        self.events: deque[Publication] = deque()
        self._first_lost: Publication | None = None
        self._last_lost: Publication | None = None

    def lose(self, publication: Publication) -> None:
        self._first_lost = self._first_lost or publication
        self._last_lost = publication

    def take(self, limit: int) -> list[Publication]:
        """Remove and return the oldest events, after the announcement of what was lost.

        The announcement never leaves alone: what is lost while it waits is part of it.
        """
        announced = [] if self._first_lost is None else [self.announcement()]
        return announced + [self.events.popleft() for _ in range(min(limit, len(self.events)))]

    def announcement(self) -> Publication:
        first, last = self._first_lost, self._last_lost
        assert first is not None  # noqa: S101 - asked for only after a loss
        assert last is not None  # noqa: S101
        self._first_lost = self._last_lost = None
        lost = Gap(
            topics=[first.topic],
            from_=_times_of(first)[0],
            to=_times_of(last)[1],
            reason="redis_unavailable",
        )
        return Publication(first.topic, gap.encode(lost), event=GAP)


class _Times(msgspec.Struct, rename={"from_": "from"}):
    """What the ordered events call their time: a lost ``gap`` stands for what it announced."""

    timestamp: str | None = None
    updated_at: str | None = None
    from_: str | None = None
    to: str | None = None


_decode_times = msgspec.json.Decoder(_Times).decode


def _times_of(publication: Publication) -> tuple[str, str]:
    times = _decode_times(publication.body)
    moment = times.timestamp or times.updated_at or ""
    return times.from_ or moment, times.to or moment


def _history_length(publication: Publication) -> int | None:
    return keys.HISTORY_LENGTHS.get(kind_of(publication.topic))
