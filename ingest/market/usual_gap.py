"""The usual length of a pause, as an observer at a random moment finds it."""

GAP_WINDOW_SECONDS = 60.0
"""Gaps from before this time count for little."""


class UsualGap:
    """A mean of gaps in which each weighs as much as it lasts.

    If a thousand trades come in a second and then none for half a minute, the plain mean is 30 ms;
    this one is nearly half a minute. For a random stream it is twice the plain mean.
    """

    __slots__ = ("count", "learnt", "seconds")

    def __init__(self) -> None:
        self.seconds = 0.0
        self.learnt = 0.0
        """The sum of all gaps, in seconds."""
        self.count = 0

    def learn(self, gap: float) -> None:
        """Add a gap, in seconds."""
        self.count += 1
        if gap > 0:
            self.seconds += (
                (gap - self.seconds) * gap / (gap + min(self.learnt, GAP_WINDOW_SECONDS))
            )
            self.learnt += gap
