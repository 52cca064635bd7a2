"""A bound on the bars of all answers that are under way."""

from gateway.http.api_error import ApiError

MAX_BARS_HELD = 500_000
"""The most bars of all answers that are under way."""


class HeldBars:
    """Counts the bars of answers until their clients have read them."""

    def __init__(self) -> None:
        self._count = 0

    def hold(self, count: int) -> None:
        """Count the bars of an answer, as many as it may have.

        Raises:
            ApiError: 429, there would be too many.
        """
        if self._count + count > MAX_BARS_HELD:
            raise ApiError(
                429,
                code="busy",
                message=f"the answers under way have {self._count} bars, and this one would have "
                f"up to {count} more; the maximum is {MAX_BARS_HELD}",
                hint="try again after Retry-After seconds, or request fewer bars",
                headers={"Retry-After": "2"},
            )
        self._count += count

    def release(self, count: int) -> None:
        """Count bars no longer: they are sent, or there are fewer than was possible."""
        self._count -= count
