"""The events that wait to be published, bounded: if Redis is slow or unreachable, little is lost.

In merge topics newer values replace older ones. In ordered topics the oldest events are lost, and a
``gap`` takes their place. A running bar is a value on an ordered topic.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from shared import event_times, gap
from shared.bar import RUNNING
from shared.bus import keys
from shared.gap import GAP, Gap, GapReason
from shared.topics import kind_of

BOUND = 20_000


class Publication(msgspec.Struct, frozen=True, gc=False):
    """An event that has no id yet. ``body`` is a JSON object on one line.

    ``traded``: a value of a merge topic that happened just now, so the TTL key is due. ``event``:
    its name, if that is not the kind of the topic. ``row``: the symbol whose value it is, if the
    topic contains the values of many symbols and each is also stored under the topic of its symbol.
    ``start``: that of a bar, unix s; ``event`` is then ``running`` if it has not ended.
    """

    topic: str
    body: bytes
    traded: bool = False
    event: str | None = None
    row: str | None = None
    start: int | None = None


class Outbox:
    """A queue of publications, in order while there is room.

    Once ``bound`` publications wait, the outbox is crowded until it has been emptied. A crowded
    outbox keeps the newest value of each merge topic. It keeps ``bound`` ordered events, but at
    least one of each topic, and no more events of a topic than its history holds. The time of an
    offer does not depend on the number of waiting publications, except for the one that makes it
    crowded.

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
            # It stays crowded until it is empty, not just until it is below the bound. Otherwise
            # new events would leave through the queue before the older ones in the crowd.
            while self._queue:
                self._add_crowded(self._queue.popleft())
            self._add_crowded(publication)
        self.waiting.set()

    def take(self, limit: int) -> list[Publication]:
        """Remove and return the oldest publications; a ``gap`` may make them one more."""
        taken = [self._queue.popleft() for _ in range(min(limit, len(self._queue)))]
        while self._crowd and len(taken) < limit:
            topic, waiting = self._crowd.popitem(last=False)
            if isinstance(waiting, Publication):
                self._merged -= 1
                taken.append(waiting)
                continue
            before = len(waiting.events)
            taken += waiting.take(limit - len(taken))
            self._ordered -= before - len(waiting.events)
            # The rest goes behind the other topics, so that a busy tape delays no price.
            if waiting.events:
                self._crowd[topic] = waiting
        if not self._queue and not self._crowd:
            self.waiting.clear()
        return taken

    def without_ordered(self, batch: Iterable[Publication]) -> list[Publication]:
        """Return a batch with a ``gap`` for each ordered topic in place of its events.

        For a batch that clients may have received already, in part or as a whole.
        """
        left: list[Publication] = []
        losses: dict[str, Loss] = {}
        for publication in batch:
            if is_ordered(publication):
                losses[publication.topic] = loss_with(losses.get(publication.topic), publication)
                self.lost += 1
            else:
                left.append(publication)
        gaps = (loss.announcement("redis_unavailable") for loss in losses.values())
        return [*gaps, *left]

    def _add_crowded(self, publication: Publication) -> None:
        """Add a publication while the outbox is crowded."""
        limit = _history_length(publication)
        if limit is None:
            # A named event does not replace a value, nor one symbol's row another's: replacing a
            # price by a gap, or BAC's position by IBM's, would lose it.
            key = " ".join(filter(None, (publication.topic, publication.event, publication.row)))
            if key in self._crowd:
                self.conflated += 1
            else:
                self._merged += 1
            self._crowd[key] = publication
            return
        waiting = self._ordered_of(publication.topic)
        replaced = waiting.add(publication)
        self.conflated += replaced
        self._ordered += 1 - replaced
        count = len(waiting.events)
        # Beyond the history's length no client could resume from them. Beyond the bound the newest
        # event of each topic still stays, so that one busy tape does not silence the news.
        if count > limit or (self._ordered > self._bound and count > 1):
            self.lost += waiting.lose_oldest()
            self._ordered -= 1

    def _ordered_of(self, topic: str) -> "_Ordered":
        waiting = self._crowd.get(topic)
        if not isinstance(waiting, _Ordered):  # the first event of the topic since it was taken
            waiting = self._crowd[topic] = _Ordered()
        return waiting


class Loss(NamedTuple):
    """The first and the last of the lost events of one topic."""

    first: Publication
    last: Publication

    def announcement(self, reason: GapReason) -> Publication:
        """Return the ``gap`` in place of the events; a lost ``gap`` is a part of it."""
        lost = Gap(
            topics=[self.first.topic],
            from_=event_times.decode(self.first.body).start or "",
            to=event_times.decode(self.last.body).end or "",
            reason=reason,
        )
        return Publication(self.first.topic, gap.encode(lost), event=GAP)


def loss_with(before: Loss | None, publication: Publication) -> Loss:
    """Return a loss extended by a later event of its topic; ``before`` None: it is the first."""
    return Loss(publication if before is None else before.first, publication)


def is_ordered(publication: Publication) -> bool:
    """Return whether every event of the publication's topic matters, and it is one of these."""
    return _history_length(publication) is not None and publication.event != RUNNING


class _Ordered:
    """The events that wait on one ordered topic, and the loss of those before them."""

    __slots__ = ("_loss", "events")

    def __init__(self) -> None:
        self.events: deque[Publication] = deque()
        self._loss: Loss | None = None

    def add(self, publication: Publication) -> bool:
        """Add the newest event; return whether it replaces a running bar, which is a value."""
        # In its place among the topic's events: a running bar must not overtake the bar before it,
        # which a chart could then no longer append.
        last = self.events[-1] if self.events else None
        replaces = (
            last is not None
            and last.event == RUNNING
            and last.start is not None
            and publication.start is not None
            and last.start <= publication.start
            and (publication.event != RUNNING or last.start == publication.start)
        )
        if replaces:
            self.events.pop()
        self.events.append(publication)
        return replaces

    def lose_oldest(self) -> bool:
        """Remove the oldest event; return whether that is a loss."""
        oldest = self.events.popleft()
        if not is_ordered(oldest):
            return False
        self._loss = loss_with(self._loss, oldest)
        return True

    def take(self, limit: int) -> list[Publication]:
        """Remove and return the oldest events, after the announcement of the loss before them.

        The announcement leaves together with an event, so a loss while it waits can still extend
        it.
        """
        loss, self._loss = self._loss, None
        announced = [] if loss is None else [loss.announcement("redis_unavailable")]
        return announced + [self.events.popleft() for _ in range(min(limit, len(self.events)))]


def _history_length(publication: Publication) -> int | None:
    """Return how many events the topic's history holds; None if it is a merge topic."""
    return keys.HISTORY_LENGTHS.get(kind_of(publication.topic))
