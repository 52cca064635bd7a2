"""The name of a stream: its gateway, and a part that cannot be guessed."""

import re
from typing import NamedTuple, Self

from shared.excerpt import excerpt

SECRET_BYTES = 12
"""96 random bits: of the clients of one token, only the one that has a stream can name it."""

PATTERN = f"(.{{1,100}})-([0-9a-f]{{{2 * SECRET_BYTES}}})"
_FORM = re.compile(PATTERN)


class StreamId(NamedTuple):
    """``<gateway>-<secret>``, so that any gateway can find the one that serves the stream."""

    gateway_id: str
    secret: str

    def __str__(self) -> str:
        return f"{self.gateway_id}-{self.secret}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``<gateway>-<secret>``.

        Raises:
            ValueError: the text has another form.
        """
        found = _FORM.fullmatch(text)
        if found is None:
            raise ValueError(
                f"{excerpt(text)} is not a stream's id: expected that of a hello event"
            )
        return cls(*found.groups())
