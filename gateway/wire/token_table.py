"""The valid tokens, by their hashes, and their principals."""

import hmac
from collections.abc import Iterable

import msgspec

from gateway.wire.grant import MAX_LENGTH, Grant, digest_of
from gateway.wire.principal import Principal

NAME = "[0-9a-f]{12}"
"""The form of a principal's name: the first digits of its token's hash, in hex."""


class TokenTable:
    """Finds the principal of a token. All tokens are replaced at once."""

    def __init__(self, grants: Iterable[Grant]) -> None:
        self._principals = _principals_of(grants)

    @property
    def is_empty(self) -> bool:
        """Whether there is no token at all, so that none is needed."""
        return not self._principals

    def principal_of(self, token: bytes) -> Principal | None:
        """Return the principal of a token; None if it is wrong."""
        if len(token) > MAX_LENGTH:
            return None
        sent = digest_of(token)
        # Every comparison runs, so that the time of the answer does not reveal which token matched.
        # How many characters of a wrong one were right does not show: only hashes are compared.
        matches = [
            principal
            for digest, principal in self._principals.items()
            if hmac.compare_digest(sent, digest)
        ]
        return matches[0] if matches else None

    def present(self, principal: Principal) -> Principal | None:
        """Return an earlier principal as it is now: with no scope that its token no longer has.

        None if its token is no longer valid.
        """
        if self.is_empty:
            return principal
        for current in self._principals.values():
            if current.name == principal.name:
                return msgspec.structs.replace(
                    principal, scopes=_common(principal.scopes, current.scopes)
                )
        return None

    def replace(self, grants: Iterable[Grant]) -> frozenset[str]:
        """Replace all tokens; return the names of principals that lost theirs, or a scope of it."""
        before, self._principals = self._principals.values(), _principals_of(grants)
        return frozenset(each.name for each in before if self.present(each) != each)


def _principals_of(grants: Iterable[Grant]) -> dict[bytes, Principal]:
    return {
        grant.digest: Principal(grant.digest.hex()[:12], scopes=grant.scopes) for grant in grants
    }


def _common(some: frozenset[str] | None, others: frozenset[str] | None) -> frozenset[str] | None:
    """Return the scopes that are in both; None is all of them."""
    if some is None or others is None:
        return others if some is None else some
    return some & others
