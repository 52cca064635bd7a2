"""The settings that say where Redis is, and which keys and channels in it are ours."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from shared import topics
from shared.bus.redis_url import parse
from shared.settings import CommonSettings

MEMORY_URL = "memory://"


def _redis_url(url: str) -> str:
    if url.startswith(MEMORY_URL):
        return url
    try:
        parse(url)
    except ValueError as error:
        # Not even the host is shown: in a wrong URL it may be a part of the password.
        scheme = re.match(r"[a-z+]+://", url)
        shown = f"'{scheme.group()}…'" if scheme else "it"
        raise ValueError(f"{shown} is not a Redis URL: {error}") from None
    return url


RedisUrl = Annotated[str, AfterValidator(_redis_url)]
"""A URL that ``shared.bus.redis_url`` can parse, or ``memory://``."""


_NAMESPACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")

# The first words of the names that a deployment with no namespace uses. Its gateways look for
# ``gateway:*``, and its channels in database 1 start with ``db1:``.
_FIRST_WORDS = {*topics.KINDS, "gateway", "ingest", "interest", "ticket"}
_DATABASE_WORD = re.compile(r"db\d+", re.IGNORECASE)


def _namespace(name: str) -> str:
    if not _NAMESPACE.fullmatch(name):
        raise ValueError(
            "expected up to 64 letters, digits, '.', '_' or '-', such as 'staging': "
            "it is put before every key and channel, with a colon behind it"
        )
    if name in _FIRST_WORDS or _DATABASE_WORD.fullmatch(name):
        raise ValueError(
            f"{name!r} is a name that Tapecast uses itself: choose another, such as 'staging'"
        )
    return name


Namespace = Annotated[str, AfterValidator(_namespace)]
"""A word that distinguishes the keys and channels of deployments that share one Redis."""


def database_of(url: str) -> int:
    """Return the number of the database that a URL names; 0 if it names none."""
    return 0 if url.startswith(MEMORY_URL) else int(parse(url).options["db"])


class BusSettings(CommonSettings):
    """The settings of a process that uses Redis. None: the process starts its own."""

    redis_url: RedisUrl | None = Field(default=None, repr=False)  # it may contain a password
    redis_namespace: Namespace | None = None
