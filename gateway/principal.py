"""Who asks, and what they may watch."""

from collections.abc import Sequence

import msgspec

from shared.topics import EVERYTHING, PRICE, STATUS, key_of, kind_of, topic


class Principal(msgspec.Struct, frozen=True):
    """Who asks. ``name`` is short, stable and no secret; ``topics`` is None for all."""

    name: str = msgspec.field(name="principal")
    topics: frozenset[str] | None = None

    def divide(self, topics: Sequence[str]) -> tuple[Sequence[str], list[str]]:
        """Return which of some topics are allowed, and which are not."""
        if self.topics is None:
            return topics, []
        denied = [each for each in topics if not self.may_watch(each)]
        return [each for each in topics if self.may_watch(each)], denied

    def may_watch(self, wanted: str) -> bool:
        """Tell whether a topic is allowed, by itself or by one that brings it along."""
        return self.topics is None or not self.topics.isdisjoint(_allowed_by(wanted))


def _allowed_by(wanted: str) -> set[str]:
    """Return the topics of which each allows this one: prices come with each symbol's status."""
    kind = kind_of(wanted)
    allowing = {wanted, topic(kind, EVERYTHING)}
    if kind == STATUS:
        allowing.add(topic(PRICE, key_of(wanted)))
    return allowing
