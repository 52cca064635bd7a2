"""The setting that says where Redis is."""

from typing import Annotated

from pydantic import AfterValidator, Field
from redis.asyncio.connection import parse_url

from shared.settings import CommonSettings

MEMORY_URL = "memory://"


def without_password(url: str) -> str:
    """Return a URL with its password removed."""
    scheme, mark, rest = url.rpartition("://")
    return f"{scheme}{mark}{rest.partition('?')[0].rpartition('@')[2]}"


def _redis_url(url: str) -> str:
    if url.startswith(MEMORY_URL):
        return url
    try:
        parse_url(url)
    except ValueError:  # its text may contain a part of the password
        raise ValueError(
            f"{without_password(url)!r} is not a Redis URL: expected "
            "redis://HOST:PORT/0, rediss://…, unix://PATH or memory://"
        ) from None
    return url


RedisUrl = Annotated[str, AfterValidator(_redis_url)]
"""A URL that redis-py accepts, or ``memory://``."""


class BusSettings(CommonSettings):
    """The settings of a process that uses Redis. None: the process starts its own."""

    redis_url: RedisUrl | None = Field(default=None, repr=False)  # it may contain a password
