"""The owner of a deployment's data in Redis: one Alpaca account, as its ingest knows it."""

import hashlib
from dataclasses import dataclass, replace
from typing import Self

UNKNOWN = "-"
_DIGEST_LENGTH = 12


@dataclass(frozen=True, slots=True)
class Owner:
    """An account: digests of its key and of its id, the host that has it, and the feed.

    A new key of the same account has another digest. ``account`` is ``-`` until Alpaca has
    answered with the account's id.
    """

    key: str
    account: str
    host: str
    feed: str

    @classmethod
    def of_key(cls, key: str, *, host: str, feed: str) -> Self:
        """Return the owner that uses a key at a host of the trading API."""
        return cls(_digest(key), UNKNOWN, host, feed)

    @classmethod
    def parse(cls, text: bytes) -> Self:
        """Read what ``str`` returns.

        Raises:
            ValueError: the text has another form.
        """
        try:
            return cls(*text.decode(errors="replace").split(" "))
        except TypeError:
            raise ValueError(f"{text[:80]!r} does not name an owner") from None

    @property
    def described(self) -> str:
        """The account in the words of a message; a key's digest shows whether keys are equal."""
        return f"a key with the SHA-256 {self.key}… at {self.host}"

    def with_account(self, account_id: str) -> Self:
        """Return the owner with the account's id known."""
        return replace(self, account=_digest(account_id))

    def __str__(self) -> str:
        return f"{self.key} {self.account} {self.host} {self.feed}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_LENGTH]
