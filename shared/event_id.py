"""The order of everything published: an epoch of the ingest's lease and a count within it."""

from typing import NamedTuple, Self


class EventId(NamedTuple):
    """``<epoch>-<seq>``; compares in the order of publication.

    ``epoch`` grows at every hand-over of the ingest's lease, ``seq`` starts at 1 in each epoch
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
        epoch, _, seq = (text.decode() if isinstance(text, bytes) else text).partition("-")
        if not (epoch.isdecimal() and seq.isdecimal() and epoch.isascii() and seq.isascii()):
            raise ValueError(f"{text!r} is not an event id: expected <epoch>-<seq>")
        return cls(int(epoch), int(seq))


NEVER = EventId(0, 0)
"""Older than every published event: the id of a value that nobody has published yet."""
