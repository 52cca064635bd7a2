"""Contents of Redis that this gateway cannot read: another program or version has written them."""

from collections.abc import Iterator
from contextlib import contextmanager

from gateway.wire.principal import MARKET, scope_of
from shared.bus.errors import BusRejectedError
from shared.bus.malformed_stored import PROBLEMS, WRONG_TYPE, MalformedStored
from shared.topics import kind_of


class MalformedData:
    """Counts them. The log names no held symbol, and quotes no account data."""

    def __init__(self) -> None:
        self._stored = MalformedStored()

    @property
    def count(self) -> int:
        """The number of messages, values, entries and keys that could not be read."""
        return self._stored.count

    # Not that of ``MalformedStored``, which wants the name for the log of every message.
    @contextmanager
    def skipping(self, topic: bytes) -> Iterator[None]:
        """Count contents that cannot be decoded, or a key of another type, and continue after them.

        ``topic`` is what they belong to: one message must not end the reader of a topic.
        """
        try:
            yield
        except PROBLEMS as error:
            self.note(topic, error)
        except BusRejectedError as error:
            if error.code != WRONG_TYPE:
                raise
            self.note(topic, error)

    def note(self, topic: bytes, problem: Exception) -> None:
        """Count contents, or a key, that cannot be read."""
        name = topic.decode(errors="replace")
        # The topic may name a held symbol, and the log has more readers than the account.
        if scope_of(name) == MARKET:
            self._stored.note(name, problem)
        else:
            self._stored.note(kind_of(name), problem, is_private=True)
