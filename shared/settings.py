"""Settings that every process reads, and the one way to read them."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from redis.asyncio.connection import parse_url

MEMORY_URL = "memory://"


class SettingsError(Exception):
    """Settings that prevent the process from starting; the message lists all problems."""


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


class CommonSettings(BaseSettings):
    """The environment, then ``.env`` in the working directory; an empty variable is unset."""

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    redis_url: RedisUrl | None = Field(default=None, repr=False)  # it may contain a password
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "json", "console"] = "auto"

    @classmethod
    def load(cls) -> Self:
        """Read and check everything at once.

        Raises:
            SettingsError: one line for each wrong or missing variable.
        """
        try:
            return cls()
        except ValidationError as error:
            wrong = {str(each["loc"][0]) for each in error.errors() if each["loc"]}
            problems = _problems(error) + cls._hidden_problems(wrong)
        raise SettingsError("\n".join(problems))

    @classmethod
    def _hidden_problems(cls, wrong: set[str]) -> list[str]:
        """Return the conflicts between settings that are valid one by one."""
        if not wrong:
            return []
        defaults: dict[str, Any] = {name: cls.model_fields[name].get_default() for name in wrong}
        try:
            cls(**defaults)
        except ValidationError as error:
            names = tuple(name.upper() for name in wrong)
            return [line for line in _problems(error) if not line.startswith(names)]
        return []


def _problems(error: ValidationError) -> list[str]:
    lines = []
    for problem in error.errors():
        name = "_".join(str(part) for part in problem["loc"][:1]).upper()
        text = problem["msg"].removeprefix("Value error, ")
        given = problem.get("input")
        told = (
            not isinstance(given, str) or repr(given) in text or name in ("REDIS_URL", "API_TOKEN")
        )
        line = f"{name}: {text}" if told else f"{name}: {text} (got {given!r})"
        lines += line.splitlines() if name else text.splitlines()
    return lines
