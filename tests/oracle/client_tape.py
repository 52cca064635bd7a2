"""The prints that stand at a client, by the tape's events and docs/reference.md alone."""

from collections import defaultdict
from collections.abc import Sequence

from simulator.protocol import rfc3339
from tests.oracle.truth import Event, Standing


class ClientTape:
    """Applies ``trade``, ``correction`` and ``cancel`` events as the reference describes them."""

    def __init__(self) -> None:
        self._prints: dict[str, dict[tuple[str, str, str], Event]] = defaultdict(dict)

    def apply(self, events: Sequence[tuple[str, Event]]) -> None:
        """Apply the events of a frame, each with its name."""
        for name, event in events:
            prints = self._prints[event["symbol"]]
            if name == "trade":
                prints[event["exchange"], event["id"], event["timestamp"]] = event
            elif name in ("cancel", "correction"):
                # If the time is null, the print has not come; the event follows it again.
                at = event["original_timestamp"]
                was = prints.pop((event["exchange"], event["original_id"], at), None)
                if was is not None and name == "correction":
                    prints[event["exchange"], event["id"], at] = {**event, "timestamp": at}

    def standing(self, symbol: str) -> list[Standing]:
        """Return a symbol's prints that no cancel has withdrawn, each with its present values."""
        return sorted(
            Standing(
                rfc3339.parse(each["timestamp"]),
                int(each["id"]),
                each["exchange"],
                each["price"],
                each["size"],
                tuple(each["conditions"]),
            )
            for each in self._prints[symbol].values()
        )
