"""What every driver of a client prints: one JSON object a line for each event."""

import json
import time


def say(kind: str, event_id: str, data: str) -> None:
    """Print an event as the client saw it; ``at`` is the client's clock, ms."""
    line = {"kind": kind, "id": event_id, "data": json.loads(data), "at": time.monotonic() * 1000}
    print(json.dumps(line), flush=True)  # noqa: T201 - the test reads it
