"""The order of all published events: an epoch of the ingest's lease and a count within it."""

from typing import NamedTuple, Self

MAX_DIGITS = 19
"""The digits of each number. They fit into the 64 bits of a Redis stream's ids, and into the 128
bytes of ``Last-Event-ID`` that browsers send to another origin with no preflight request."""


class EventId(NamedTuple):
    """``<epoch>-<seq>``; compares in the order of publication.

    ``epoch`` increases at every hand-over of the ingest's lease, ``seq`` starts at 1 in each epoch
    and counts over all topics.
    """

    epoch: int
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}-{self.seq}"

    @classmethod
    def parse(cls, text: str | bytes) -> Self:
        """Read ``<epoch>-<seq>``.

        Raises:
            ValueError: the text has another form.
        """
        decoded = text.decode() if isinstance(text, bytes) else text
        epoch, _, seq = decoded.partition("-")
        digits = epoch.isdecimal() and seq.isdecimal() and decoded.isascii()
        if not digits or len(epoch) > MAX_DIGITS or len(seq) > MAX_DIGITS:
            raise ValueError(
                f"{decoded[:48]!r} is not an event id: expected <epoch>-<seq>, "
                f"two numbers of at most {MAX_DIGITS} digits"
            )
        return cls(int(epoch), int(seq))


NEVER = EventId(0, 0)
"""The id of a value that has not been published yet: older than any published event."""
