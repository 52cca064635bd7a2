"""Since when the stored bars of a topic are whole, as the ingest notes it in Redis.

The field of a topic exists while the ingest keeps its bars whole. Bars that were stored for a
topic that nobody watches any more may lack the newest ones.
"""

from typing import NamedTuple, Self


class WholeBars(NamedTuple):
    """Every ended bar that starts at or after ``since`` (unix s) is stored, unless it was trimmed.

    Redis keeps the newest ``bound`` bars.
    """

    since: int
    bound: int

    @classmethod
    def parse(cls, field: bytes) -> Self:
        """Read what ``pack`` returns.

        Raises:
            ValueError: the field has another form.
        """
        since, space, bound = field.partition(b" ")
        if not space:
            raise ValueError(f"{field[:80]!r} does not say since when bars are whole: two numbers")
        return cls(int(since), int(bound))

    def pack(self) -> str:
        """Return the topic's field."""
        return f"{self.since} {self.bound}"

    def reaches(self, oldest: int | None, count: int) -> int:
        """Return since when ``count`` stored bars are whole; the first one starts at ``oldest``."""
        # A minute in which nobody traded has no bar, so the first bar may be later than ``since``.
        if oldest is None or count < self.bound:
            return self.since
        return max(self.since, oldest)
