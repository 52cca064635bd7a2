"""Property tests play steps that hypothesis has drawn: each a method of a world, with arguments."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar


class Settling(Protocol):
    """The world at rest, after all stalled clients have read."""

    def settle(self) -> None:
        """Let time pass until nothing is under way."""


World = TypeVar("World", bound=Settling)


def played(make: Callable[[], World], steps: Iterable[tuple[object, ...]]) -> World:
    """Make a world in a separate loop, play the steps, and return it at rest."""

    async def play() -> World:
        world = make()
        for name, *arguments in steps:
            act: Callable[..., None] = getattr(world, str(name))
            act(*arguments)
        world.settle()
        return world

    return asyncio.run(play())
