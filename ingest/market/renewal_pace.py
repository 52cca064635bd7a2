"""When the subscription to one book is renewed: at once, then after longer and longer pauses. Pure.

Times are monotonic seconds. A renewal is an unsubscription and another subscription, which the
vendor answers with the whole book.
"""

import math

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
"""Pauses from one renewal to the next: each is twice as long as the one before."""

STEADY_SECONDS = 60.0
"""A book that needs none for this time after the pause starts with no pause again."""

RESET_SECONDS = 10.0
"""The whole book comes with the subscription. If it does not come within this time, Alpaca may have
lost the subscription, or the message was one that could not be read."""


class RenewalPace:
    """``due_at`` is the time of the next renewal; None: none is needed."""

    __slots__ = ("_pause", "_renewed_at", "due_at")

    def __init__(self) -> None:
        self.due_at: float | None = None
        self._pause = 0.0
        self._renewed_at = -math.inf

    def request(self, now: float) -> None:
        """Note that the book is wrong: renew it once the pause is over."""
        if now - self._renewed_at >= self._pause + STEADY_SECONDS:
            self._pause = 0.0
        self.due_at = max(now, self._renewed_at + self._pause)

    def expect(self, now: float) -> None:
        """Note a subscription: renew it if the whole book does not come with it."""
        self.due_at = now + max(RESET_SECONDS, self._pause)

    def cancel(self) -> None:
        """Renew nothing: the whole book has come."""
        self.due_at = None

    def take(self, now: float) -> None:
        """Note that the renewal is under way. The next one is due if the whole book does not come.

        A renewal can be lost with its connection or be rejected.
        """
        self._renewed_at = now
        self._pause = min(max(2 * self._pause, FIRST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
        self.expect(now)
