"""How long a pause is usual, seen by somebody who looks at any moment."""

WINDOW_SECONDS = 60.0
"""What was longer ago than this counts for little."""


class UsualGap:
    """A mean of gaps in which each weighs as much as it lasts.

    The plain mean of a burst of a thousand in a second and half a minute of nothing would be
    30 ms; this is nearly half a minute. Of a random stream it is twice the plain mean.
    """

    __slots__ = ("count", "learnt", "seconds")

    def __init__(self) -> None:
        self.seconds = 0.0
        self.learnt = 0.0
        """The seconds that all gaps have lasted together."""
        self.count = 0

    def learn(self, gap: float) -> None:
        """Take a gap's seconds."""
        self.count += 1
        if gap > 0:
            self.seconds += (gap - self.seconds) * gap / (gap + min(self.learnt, WINDOW_SECONDS))
            self.learnt += gap
