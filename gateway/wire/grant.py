"""One entry of ``API_TOKEN``: a token and its scopes."""

from collections.abc import Iterable
from typing import NamedTuple

from pydantic import SecretStr

from gateway.wire.principal import SCOPES

_SHOWN = 12
"""The longest wrong scope that an error repeats: a longer word may be a secret."""


class Grant(NamedTuple):
    """A token; ``scopes`` is None if it has all of them."""

    token: SecretStr
    scopes: frozenset[str] | None


def grants_of(entries: Iterable[str]) -> tuple[Grant, ...]:
    """Read entries: a token, and after spaces its scopes, as ``s3cret market positions``.

    Raises:
        ValueError: there is no such scope, a scope without a token, or a token twice; no message
            holds a token.
    """
    grants: dict[str, Grant] = {}
    for number, entry in enumerate(entries, 1):
        token, *scopes = entry.split()
        if token in SCOPES:
            raise ValueError(
                f"entry {number} begins with the scope {token}: write the token before its scopes, "
                "separated by spaces, and entries separated by commas"
            )
        if token in grants:
            raise ValueError(
                f"entry {number} has the token of an earlier entry: write it once, with all of its "
                "scopes"
            )
        for scope in scopes:
            if scope not in SCOPES:
                raise ValueError(
                    f"entry {number}: {_named(scope)} is not a scope: a token may be followed by "
                    f"{' '.join(SCOPES)}; several tokens are separated by commas"
                )
        grants[token] = Grant(SecretStr(token), frozenset(scopes) or None)
    return tuple(grants.values())


def _named(word: str) -> str:
    return repr(word) if word.isalpha() and len(word) <= _SHOWN else "a word that is not shown here"
