"""A bound on the rows, such as bars, of all answers that are under way."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gateway.http.api_error import ApiError

MAX_ROWS_HELD = 500_000
"""The most rows of all answers that are under way."""


class Hold:
    """The rows that an answer may have; ``kept`` are those that it has."""

    def __init__(self, release: Callable[[int], None]) -> None:
        self.kept = 0
        self._release = release

    def keep(self, count: int) -> Callable[[], None]:
        """Count these until the function that is returned is called: the client has read them."""
        self.kept = count
        return lambda: self._release(count)


class HeldRows:
    """Counts the rows of answers until their clients have read them."""

    def __init__(self) -> None:
        self._count = 0

    @contextmanager
    def at_most(self, count: int) -> Iterator[Hold]:
        """Count the rows of an answer, as many as it may have, while they are read.

        At the end, also by an error or a cancellation, those that are not kept count no longer.

        Raises:
            ApiError: 429, there would be too many.
        """
        if self._count + count > MAX_ROWS_HELD:
            raise ApiError(
                429,
                code="busy",
                message=f"the answers under way have {self._count} rows, and this one would have "
                f"up to {count} more; the maximum is {MAX_ROWS_HELD}",
                hint="try again after Retry-After seconds, or request less",
                headers={"Retry-After": "2"},
            )
        self._count += count
        hold = Hold(self._release)
        try:
            yield hold
        finally:
            self._release(count - hold.kept)

    def _release(self, count: int) -> None:
        self._count -= count
