"""Who asks, and what they may watch."""

from collections.abc import Iterable, Sequence
from types import MappingProxyType

import msgspec

from shared.topics import (
    ACCOUNT,
    EVERYTHING,
    ORDERS,
    POSITION,
    PRICE,
    STATUS,
    key_of,
    kind_of,
    topic,
)

MARKET = "market"
POSITIONS = "positions"

_OWN = MappingProxyType({POSITION: POSITIONS, ACCOUNT: ACCOUNT, ORDERS: ORDERS})

SCOPES = (MARKET, *_OWN.values())
"""What a token may be good for: the market's data, and each thing about the account by itself."""


def scope_of(topic: str) -> str:
    """Return the scope that a topic needs: ``price:SPY`` → ``market``."""
    return _OWN.get(kind_of(topic), MARKET)


class Principal(msgspec.Struct, frozen=True):
    """Who asks. ``name`` is short, stable and no secret.

    ``topics`` are those of a ticket, ``scopes`` those of its token; None is all.
    """

    name: str = msgspec.field(name="principal")
    topics: frozenset[str] | None = None
    scopes: frozenset[str] | None = None

    def divide(self, topics: Sequence[str]) -> tuple[Sequence[str], list[str]]:
        """Return which of some topics are allowed, and which are not."""
        if self.topics is None and self.scopes is None:
            return topics, []
        denied = [each for each in topics if not self.may_watch(each)]
        return [each for each in topics if self.may_watch(each)], denied

    def may_watch(self, wanted: str) -> bool:
        """Tell whether a topic is allowed, by itself or by one that brings it along."""
        allowed = self.topics is None or not self.topics.isdisjoint(_allowed_by(wanted))
        return allowed and self.has(scope_of(wanted))

    def has(self, scope: str) -> bool:
        """Tell whether the token has a scope."""
        return self.scopes is None or scope in self.scopes

    def missing(self, topics: Iterable[str]) -> list[str]:
        """Return the scopes that some topics need and the token has not."""
        needed = dict.fromkeys(scope_of(each) for each in topics)
        return [scope for scope in needed if not self.has(scope)]


def _allowed_by(wanted: str) -> set[str]:
    """Return the topics of which each allows this one: prices come with each symbol's status."""
    kind = kind_of(wanted)
    allowing = {wanted, topic(kind, EVERYTHING)}
    if kind == STATUS:
        allowing.add(topic(PRICE, key_of(wanted)))
    return allowing
