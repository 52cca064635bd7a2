"""Passing over what is read from Redis and is not ours, or of another version."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import structlog

from gateway.wire.principal import MARKET, scope_of
from shared.topics import kind_of

log = structlog.get_logger()


@contextmanager
def refusing(channel: bytes) -> Iterator[None]:
    """Log what cannot be read, which must not end the reader; of an account no word of it."""
    try:
        yield
    except (ValueError, msgspec.DecodeError) as error:
        topic = channel.decode()
        if scope_of(topic) == MARKET:
            log.warning("message refused", channel=topic, error=str(error))
        else:
            log.warning("message refused", channel=kind_of(topic))
