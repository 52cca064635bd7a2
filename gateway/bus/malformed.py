"""Messages in Redis that another program or another version has written."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import structlog

from gateway.wire.principal import MARKET, scope_of
from shared.topics import kind_of

log = structlog.get_logger()


@contextmanager
def skipping_malformed(channel: bytes) -> Iterator[None]:
    """Log a message that cannot be decoded, and continue: one message must not end the reader.

    ``channel`` is where it came from.
    """
    try:
        yield
    except (ValueError, LookupError, TypeError, msgspec.DecodeError) as error:
        note_malformed(channel, error)


def note_malformed(channel: bytes, error: Exception) -> None:
    """Log that a message, or a key that should have it, cannot be read."""
    topic = channel.decode(errors="replace")
    if scope_of(topic) == MARKET:
        log.warning("message_malformed", channel=topic, error=str(error))
    else:
        # The error quotes the message, and the topic may name a held symbol. The log has more
        # readers than the account.
        log.warning("message_malformed", channel=kind_of(topic))
