"""The times in the data of an ordered event, whatever its kind."""

import msgspec


class EventTimes(msgspec.Struct, rename={"from_": "from"}):
    """Times in RFC 3339. News has ``updated_at``, a ``gap`` has both ends, others ``timestamp``."""

    timestamp: str | None = None
    updated_at: str | None = None
    from_: str | None = None
    to: str | None = None

    @property
    def start(self) -> str | None:
        """The time of the event; of a ``gap``, where the loss starts."""
        return self.from_ or self.timestamp or self.updated_at

    @property
    def end(self) -> str | None:
        """The time of the event; of a ``gap``, where the loss ends."""
        return self.to or self.timestamp or self.updated_at


decode = msgspec.json.Decoder(EventTimes).decode
