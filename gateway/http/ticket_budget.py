"""The number of tickets that one token may get in a minute."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from gateway.http.api_error import ApiError


@dataclass(slots=True)
class _Budget:
    """How many tickets are left, as of a time in seconds."""

    left: float
    at: float


class TicketBudgets:
    """A budget for each principal, renewed steadily: all of it may be spent at once.

    ``per_minute`` is 0 if there is no limit. ``clock`` gives seconds.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float]) -> None:
        self._per_minute = per_minute
        self._clock = clock
        # As many as there have been tokens.
        self._budgets: dict[str, _Budget] = {}

    def spend(self, principal: str) -> None:
        """Count a ticket.

        Raises:
            ApiError: 429, the budget is spent.
        """
        if not self._per_minute:
            return
        now = self._clock()
        budget = self._budgets.setdefault(principal, _Budget(self._per_minute, now))
        # The clock may be set back.
        earned = max(0.0, now - budget.at) * self._per_minute / 60
        budget.left = min(budget.left + earned, self._per_minute)
        budget.at = now
        if budget.left < 1:
            raise self._too_many(math.ceil((1 - budget.left) * 60 / self._per_minute))
        budget.left -= 1

    def _too_many(self, seconds: int) -> ApiError:
        return ApiError(
            429,
            code="too_many_tickets",
            message=f"this token has got {self._per_minute} tickets within a minute",
            hint="try again after Retry-After seconds; MAX_TICKETS_PER_MINUTE is the limit of each "
            "token and gateway",
            headers={"Retry-After": str(seconds)},
        )
