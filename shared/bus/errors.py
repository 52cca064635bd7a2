"""The errors of the bus: redis-py's and the socket's errors become these in one place.

::

    BusError
    ├── BusUnreachableError   no connection, no answer in time, or a server that is still starting
    └── BusRejectedError      Redis answered, and the answer was an error

Code outside the packages ``shared.bus``, ``ingest.bus`` and ``gateway.bus`` catches only these.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import AuthenticationError, AuthorizationError, RedisError, ResponseError

REDIS_ERRORS = (RedisError, OSError)
"""The errors that a call to Redis raises if it fails; ``TimeoutError`` is an ``OSError``."""

# redis-py derives these two from its ConnectionError, although Redis has answered.
_REJECTED = (ResponseError, AuthenticationError, AuthorizationError)


class BusError(Exception):
    """Redis did not do what a call asked for; the message is Redis' or the socket's own."""


class BusUnreachableError(BusError):
    """Redis is unreachable: the connection failed, timed out, or Redis is loading its data."""


class BusRejectedError(BusError):
    """Redis rejected a command, for example because it is read-only or out of memory."""


@contextmanager
def bus_errors() -> Iterator[None]:
    """Translate the errors of the Redis calls inside the ``with`` block.

    Costs about a microsecond: use it once per command, script or batch, not once per event.

    Raises:
        BusUnreachableError: Redis does not answer.
        BusRejectedError: Redis answers with an error.
    """
    try:
        yield
    except REDIS_ERRORS as error:
        raise translated(error) from error


def translated(error: RedisError | OSError) -> BusError:
    """Return the bus' error for one of redis-py's or of the socket.

    Its text is never empty, unlike that of a ``TimeoutError``, because it ends up in logs.
    """
    text = str(error) or type(error).__name__
    return BusRejectedError(text) if isinstance(error, _REJECTED) else BusUnreachableError(text)
