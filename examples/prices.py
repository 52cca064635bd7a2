"""Prices and trades in Python: ``python examples/prices.py SPY IBM``.

Prices are conflated: only the newest matters, and a new stream starts with it. Trades are not:
after a lost connection the gateway sends those after ``Last-Event-ID``, from a history of the
newest thousand for each symbol, or a ``gap`` event if that history does not reach back far enough.
"""

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
from httpx_sse import ServerSentEvent, connect_sse

URL = os.environ.get("TAPECAST_URL", "http://127.0.0.1:8001")
TOKEN = os.environ.get("API_TOKEN")
SILENCE_SECONDS = 25.0
"""A gateway sends a heartbeat every 9 seconds, so a longer silence is a lost connection."""


def events(topics: Sequence[str]) -> Iterator[ServerSentEvent]:
    """Yield the events of a stream, across lost connections and restarts of gateways.

    Raises:
        httpx.HTTPStatusError: the gateway rejects the request.
    """
    headers = {"Authorization": f"Bearer {TOKEN}"} if TOKEN else {}
    retry_seconds = 1.0
    timeout = httpx.Timeout(5, read=SILENCE_SECONDS)
    with httpx.Client(base_url=URL, timeout=timeout) as client:
        while True:
            try:
                stream = connect_sse(
                    client,
                    "GET",
                    "/api/stream",
                    params={"topics": ",".join(topics)},
                    headers=headers,
                )
                with stream as source:
                    if source.response.is_error:
                        source.response.read()  # the reason, for the caller
                    source.response.raise_for_status()
                    for event in source.iter_sse():
                        if event.id:
                            headers["Last-Event-ID"] = event.id
                        if event.retry is not None:
                            retry_seconds = event.retry / 1000
                        yield event
            except httpx.TransportError as error:
                print(f"connecting again: {error!r}", file=sys.stderr)
            time.sleep(retry_seconds)


def line(kind: str, data: dict[str, Any]) -> str | None:
    """Return the text for an event, or None for one that this program does not show."""
    match kind:
        case "price" if data["price"] is not None:
            return f"{data['symbol']:6} {data['price']:10} at {data['timestamp']}"
        case "price":
            return f"{data['symbol']:6} no price: {data['reason']}"
        case "trade":
            return f"{data['symbol']:6} {data['size']:8} traded at {data['price']}"
        case "gap":
            return f"lost: {data['topics']}, {data['reason']}"
        case "feed" if not data["alpaca_connected"]:
            return f"Alpaca is disconnected: {data['reason']}"
        case _:
            return None


def main(symbols: Sequence[str]) -> None:
    """Print a line for each event."""
    for event in events([f"{kind}:{symbol}" for symbol in symbols for kind in ("price", "trade")]):
        if text := line(event.event, json.loads(event.data or "{}")):
            print(text, flush=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1:] or ["SPY", "IBM"])
    except httpx.HTTPStatusError as error:
        sys.exit(error.response.text)
