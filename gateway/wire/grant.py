"""One entry of ``API_TOKEN``: the hash of a token, and the token's scopes."""

import hashlib
import re
from collections.abc import Iterable
from typing import NamedTuple

from gateway.wire.principal import SCOPES

HASHED = "sha256:"
"""Begins an entry that is the SHA-256 of a token, in hex, instead of the token."""

MIN_LENGTH = 16
"""The shortest token of a gateway that others can reach: 16 random characters have 80 bits or more,
so it cannot be guessed, nor found from its hash."""

MAX_LENGTH = 1024
"""The longest token: a head has room for 64 KiB, and hashing that much would cost 0.2 ms."""

_DIGEST = re.compile("[0-9a-f]{64}")
_SHOWN = 12
"""The longest wrong scope that an error repeats: a longer word may be a secret."""


class Grant(NamedTuple):
    """A token by its SHA-256; ``scopes`` is None if none were given.

    ``length`` is that of the token, None if only its hash is known. The token itself is not kept.
    """

    digest: bytes
    scopes: frozenset[str] | None
    length: int | None

    @property
    def is_short(self) -> bool:
        """Whether the token is known to be shorter than is safe."""
        return self.length is not None and self.length < MIN_LENGTH


def grants_of(entries: Iterable[str]) -> tuple[Grant, ...]:
    """Read entries: a token or its hash, and after spaces its scopes: ``s3cret market positions``.

    Raises:
        ValueError: there is no such scope, a scope without a token, a malformed hash, or a token
            twice; no message holds a token.
    """
    grants: dict[bytes, Grant] = {}
    for number, entry in enumerate(entries, 1):
        token, *scopes = entry.split()
        if token in SCOPES:
            raise ValueError(
                f"entry {number} begins with the scope {token}: write the token before its scopes, "
                "separated by spaces, and entries separated by commas"
            )
        for scope in scopes:
            if scope not in SCOPES:
                raise ValueError(
                    f"entry {number}: {_named(scope)} is not a scope: a token may be followed by "
                    f"{' '.join(SCOPES)}; several tokens are separated by commas"
                )
        grant = _grant(number, token, frozenset(scopes) or None)
        if grant.digest in grants:
            raise ValueError(
                f"entry {number} has the token of an earlier entry: write it once, with all of its "
                "scopes"
            )
        grants[grant.digest] = grant
    return tuple(grants.values())


def digest_of(token: bytes) -> bytes:
    """Return the hash by which a token is stored and compared."""
    return hashlib.sha256(token).digest()


def _grant(number: int, token: str, scopes: frozenset[str] | None) -> Grant:
    if len(token) > MAX_LENGTH:
        raise ValueError(f"entry {number} is longer than {MAX_LENGTH} characters")
    if not token.startswith(HASHED):
        return Grant(digest_of(token.encode()), scopes, len(token))
    digest = token.removeprefix(HASHED).lower()
    if not _DIGEST.fullmatch(digest):
        raise ValueError(
            f"entry {number} begins with {HASHED} but is not the SHA-256 of a token: expected 64 "
            'hexadecimal digits, as of: printf %s "$TOKEN" | sha256sum'
        )
    return Grant(bytes.fromhex(digest), scopes, None)


def _named(word: str) -> str:
    return repr(word) if word.isalpha() and len(word) <= _SHOWN else "a word that is not shown here"
