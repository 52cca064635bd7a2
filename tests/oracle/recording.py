"""Recorded stock messages as the oracle and the product get them: complete, with times in ns."""

import gzip
import json
from collections import Counter
from pathlib import Path

from simulator.protocol import rfc3339
from tests.oracle.rules import day_at
from tests.oracle.truth import Message

_LISTED = {"AAPL": "C", "SPY": "B"}
"""The tape of a recording that names none; all other symbols of such recordings are NYSE's (A)."""


def recorded(path: Path) -> list[Message]:
    """Return the trades and quotes of stocks in a recording, in its order.

    A recording may lack ids and tapes, which Alpaca's messages have: each venue numbers its prints
    from 1 on each day, and the listing exchange decides the tape.
    """
    messages = []
    numbers: Counter[tuple[str, str, str]] = Counter()
    with gzip.open(path, "rt") as lines:
        for line in lines:
            message = json.loads(line)
            if message["T"] not in ("t", "q") or "/" in message["S"]:
                continue
            at = rfc3339.parse(message["t"])
            tape = message.get("z") or _LISTED.get(message["S"], "A")
            message |= {"t": at, "z": tape, "c": message.get("c", [])}
            if message["T"] == "t":
                venue = (message["S"], message["x"], day_at(at))
                numbers[venue] += 1
                message.setdefault("i", numbers[venue])
            messages.append(message)
    return messages
