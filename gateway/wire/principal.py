"""Principals: the owners of tokens and tickets, and the topics that each may watch."""

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
ADMIN = "admin"

_OWN = MappingProxyType({POSITION: POSITIONS, ACCOUNT: ACCOUNT, ORDERS: ORDERS})

SCOPES = (MARKET, *_OWN.values(), ADMIN)
"""The scopes of a token: the market's data, each part of the account, and operating the gateways.

A token without scopes has all but the last, which ends the streams of others.
"""


def scope_of(topic: str) -> str:
    """Return the scope that a topic needs: ``price:SPY`` → ``market``."""
    return _OWN.get(kind_of(topic), MARKET)


class Principal(msgspec.Struct, frozen=True):
    """The owner of a token or a ticket. ``name`` is short, stable and no secret.

    ``topics`` are those of a ticket, ``scopes`` those of its token; None is all.
    """

    name: str = msgspec.field(name="principal")
    topics: frozenset[str] | None = None
    scopes: frozenset[str] | None = None

    def divide(self, topics: Sequence[str]) -> tuple[Sequence[str], list[str]]:
        """Return the allowed topics and the denied ones."""
        if self.topics is None and self.scopes is None:
            return topics, []
        denied = [each for each in topics if not self.may_watch(each)]
        return [each for each in topics if self.may_watch(each)], denied

    def may_watch(self, wanted: str) -> bool:
        """Return whether a topic is allowed, by itself or by a topic that includes it."""
        allowed = self.topics is None or not self.topics.isdisjoint(_allowed_by(wanted))
        return allowed and self.has(scope_of(wanted))

    def has(self, scope: str) -> bool:
        """Return whether the token has a scope."""
        if self.scopes is None:
            return scope != ADMIN
        return scope in self.scopes

    @property
    def sees_others(self) -> bool:
        """Whether the token may see what all clients watch together, and every gateway."""
        return self.scopes is None or ADMIN in self.scopes

    def missing(self, topics: Iterable[str]) -> list[str]:
        """Return the scopes that some topics need and the token lacks."""
        needed = dict.fromkeys(scope_of(each) for each in topics)
        return [scope for scope in needed if not self.has(scope)]


def _allowed_by(wanted: str) -> set[str]:
    """Return the topics each of which allows this one: a price topic includes the status."""
    kind = kind_of(wanted)
    allowing = {wanted, topic(kind, EVERYTHING)}
    if kind == STATUS:
        allowing.add(topic(PRICE, key_of(wanted)))
    return allowing
