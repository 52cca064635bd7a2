"""``httpx-sse``, which leaves coming back to its user: as its documentation does it.

usage: python -m tests.foreign.python.httpx_sse_stream URL
"""

import sys
import time
from contextlib import suppress

import httpx
from httpx_sse import connect_sse

from tests.foreign.python.printed import say


def follow(url: str) -> None:
    """Print the stream's events, through every loss, until it is refused."""
    cursor, retry_seconds = "", 1.0
    with httpx.Client(timeout=httpx.Timeout(5, read=30)) as client:
        while True:
            headers = {"Last-Event-ID": cursor} if cursor else {}
            with (
                suppress(httpx.TransportError),
                connect_sse(client, "GET", url, headers=headers) as source,
            ):
                source.response.raise_for_status()
                for event in source.iter_sse():
                    cursor = event.id
                    if event.retry is not None:
                        retry_seconds = event.retry / 1000
                    say(event.event, event.id, event.data)
            time.sleep(retry_seconds)


if __name__ == "__main__":
    follow(sys.argv[1])
