"""The errors of the bus: redis-py's and the socket's errors become these in one place.

::

    BusError
    ├── BusUnreachableError       no connection, or no answer in time
    │   └── BusWrongServerError   a server answered that is not, or not yet, the master
    ├── BusRejectedError          Redis answered, and the answer was an error
    ├── BusBusyError              no connection of this process became free in time
    ├── PricesAwaitedError        Redis has lost its data, and gateways return theirs
    └── BusUnusableError          a server of a wrong kind, such as a cluster

Code outside the packages ``shared.bus``, ``ingest.bus`` and ``gateway.bus`` catches only these.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    RedisError,
    ResponseError,
)

REDIS_ERRORS = (RedisError, OSError)
"""The errors that a call to Redis raises if it fails; ``TimeoutError`` is an ``OSError``."""

# redis-py derives the last three from its ConnectionError, although Redis has answered.
_ANSWERED = (ResponseError, AuthenticationError, AuthorizationError, BusyLoadingError)

# READONLY and UNBLOCKED: a master that became a replica; MASTERDOWN: a replica that has lost its
# master; LOADING: a server that reads its data; MOVED and CLUSTERDOWN: a node of a cluster.
_WRONG_SERVER = frozenset(
    {"READONLY", "UNBLOCKED", "MASTERDOWN", "LOADING", "MOVED", "CLUSTERDOWN"}
)

# A right that a script lacks has no code. Valkey and Redis 7.2 say the former, 7.0 the latter.
_NOPERM_IN_SCRIPT = ("ACL failure in script: ", "The user executing the script can't ")

CLUSTER = (
    "Redis is in cluster mode, which Tapecast does not support: use one Redis (7 or newer) or "
    "Valkey (8 or newer) that is not a cluster, with Sentinel if it must survive a failure"
)


class BusError(Exception):
    """Redis did not do what a call asked for; the message is Redis' or the socket's own."""


class BusUnreachableError(BusError):
    """Redis is unreachable: the connection failed or timed out, or leads to the wrong server."""


class BusWrongServerError(BusUnreachableError):
    """The server at the other end of a connection is not, or not yet, the master.

    After a failover the address may lead to another server, but open connections stay where they
    are. Sending the command again on the same connection would fail, too.
    """


class PricesAwaitedError(BusError):
    """Redis has lost its data, and prices that clients show may yet come back."""


class BusRejectedError(BusError):
    """Redis rejected a command, for example because it is out of memory.

    ``code`` is the first word of Redis' answer, as in ``OOM``, ``NOPERM`` or ``WRONGTYPE``, and
    ``ERR`` if the answer has no other code. A right that a script lacks has the code ``NOPERM``,
    too. The text is the answer, without a mere ``ERR``.
    """

    def __init__(self, text: str, code: str = "ERR") -> None:
        super().__init__(text)
        self.code = code


class BusBusyError(BusError):
    """All connections of this process to Redis were in use for too long."""


class BusUnusableError(BusError):
    """Redis can never serve with the present ``REDIS_URL``; the message states the remedy."""


class PoolExhaustedError(RedisError):
    """All connections of a pool were in use for too long."""


class UnusableServerError(RedisError):
    """A server that cannot serve, however long one waits; the message states the remedy."""


@contextmanager
def bus_errors() -> Iterator[None]:
    """Translate the errors of the Redis calls inside the ``with`` block.

    Costs about a microsecond: use it once per command, script or batch, not once per event.

    Raises:
        BusUnreachableError: Redis does not answer, or a server does that is not the master.
        BusRejectedError: Redis answers with an error.
        BusBusyError: no connection was free in time.
        BusUnusableError: a server of a kind that cannot be used.
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
    if isinstance(error, PoolExhaustedError):
        return BusBusyError(text)
    if isinstance(error, UnusableServerError):
        return BusUnusableError(text)
    if not isinstance(error, _ANSWERED):
        return BusUnreachableError(text)
    code = _code(error)
    if code == "CROSSSLOT":
        return BusUnusableError(CLUSTER)
    if code in _WRONG_SERVER:
        return BusWrongServerError(_with_code(code, text))
    return BusRejectedError(_with_code(code, text), code)


def rejection(answer: str) -> BusRejectedError:
    """Return the error of an answer that a script of ours has caught."""
    code = _code_of(answer)
    return BusRejectedError(_with_code(code, answer.removeprefix("ERR ")), code)


def is_wrong_server(error: Exception) -> bool:
    """Return whether an error is the answer of a server that is not, or not yet, the master."""
    # The text of an error that is no answer may begin with any word.
    return isinstance(error, _ANSWERED) and _code(error) in _WRONG_SERVER


def _code(error: Exception) -> str:
    """Return the code of Redis' answer."""
    # A pipeline puts the command before the answer, and the answer into a tuple.
    answer = str(error).rpartition(" caused error: ")[2].lstrip("('\"")
    # redis-py removes the codes that it knows from the text, and stores them here.
    known: str | None = getattr(error, "status_code", None)
    if known not in (None, "ERR"):
        return known
    return _code_of(answer if known is None else f"ERR {answer}")


def _code_of(answer: str) -> str:
    if answer.removeprefix("ERR ").startswith(_NOPERM_IN_SCRIPT):
        return "NOPERM"
    first = answer.partition(" ")[0]
    return first if first.isupper() else "ERR"


def _with_code(code: str, text: str) -> str:
    """Return Redis' answer as Redis has sent it, apart from a mere ``ERR``."""
    return text if code == "ERR" or code in text else f"{code} {text}"
