"""``API_TOKEN_FILE``: tokens that can be replaced while a gateway runs."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple, Self

import structlog

from gateway.wire.grant import Grant, grants_of

log = structlog.get_logger()

LOOK_SECONDS = 1.0
"""How often the file is looked at. A change counts once two looks have shown the same, so that a
file that is still being written does not end streams."""

Grants = tuple[Grant, ...]


class TokenFile(NamedTuple):
    """A file of tokens: one entry in a line, or several separated by commas.

    A line that starts with ``#`` is a comment.
    """

    path: Path
    grants: Grants

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read and check a file.

        Raises:
            ValueError: it cannot be read, has no token, or an entry is malformed; the message holds
                no token.
        """
        try:
            text = path.read_text()
        except OSError as error:
            raise ValueError(f"{path} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise ValueError(f"{path} is not text") from None
        lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
        entries = [entry.strip() for line in lines for entry in line.split(",") if entry.strip()]
        # An empty file must not open the gateway to everybody.
        if not entries:
            raise ValueError(f"{path} has no token: write one entry in a line")
        try:
            return cls(path, grants_of(entries))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None


class TokenFileWatch:
    """Looks at a file regularly, and passes its tokens on when they change.

    ``combine`` adds the tokens of ``API_TOKEN`` and checks them all; ``on_change`` gets the result.
    """

    def __init__(
        self,
        file: TokenFile,
        combine: Callable[[TokenFile], Grants],
        on_change: Callable[[Grants], Awaitable[None]],
    ) -> None:
        self._path = file.path
        self._grants: Grants | str = combine(file)
        self._combine = combine
        self._on_change = on_change

    async def run(self) -> None:
        """Look until cancelled. While the file is malformed, the former tokens stay valid."""
        previous = self._grants
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            # The file may be on a network.
            found = await asyncio.to_thread(self._look)
            if found == previous and found != self._grants:
                self._grants = found
                await self._apply(found)
            previous = found

    def _look(self) -> Grants | str:
        """Return the tokens in the file, or the reason why it cannot be used."""
        try:
            return self._combine(TokenFile.read(self._path))
        except ValueError as error:
            return str(error)

    async def _apply(self, found: Grants | str) -> None:
        if isinstance(found, str):
            log.warning(
                "token_file_rejected",
                message="the tokens that were read before stay valid",
                reason=found,
            )
        else:
            log.info("token_file_read", message="other tokens are valid now", tokens=len(found))
            await self._on_change(found)
