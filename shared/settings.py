"""The settings that every process reads, and how they are read and checked."""

from typing import Any, Literal, Self

from pydantic import ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.pasted_values import bare


class SettingsError(Exception):
    """Settings that prevent the process from starting; the message lists all problems."""


class CommonSettings(BaseSettings):
    """The environment, then ``.env`` in the working directory; an empty variable is unset."""

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "json", "console"] = "auto"

    @field_validator("*", mode="before")
    @classmethod
    def _pasted(cls, given: Any) -> Any:
        # A file of variables that was written on Windows leaves "\r" behind each value.
        return bare(given) if isinstance(given, str) else given

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


_SECRET = ("REDIS_URL", "API_TOKEN", "_KEY")


def _problems(error: ValidationError) -> list[str]:
    lines = []
    for problem in error.errors():
        name = "_".join(str(part) for part in problem["loc"][:1]).upper()
        text = problem["msg"].removeprefix("Value error, ")
        given = problem.get("input")
        # REDIS_URL can contain a password, API_TOKEN and keys are secrets: their values belong in
        # no log.
        is_shown = isinstance(given, str) and repr(given) not in text and not name.endswith(_SECRET)
        line = f"{name}: {text} (got {given!r})" if is_shown else f"{name}: {text}"
        lines += line.splitlines() if name else text.splitlines()
    return lines
