"""``sseclient-py`` on urllib3: it reads one response, all else is its user's.

usage: python -m tests.foreign.python.sseclient_stream URL
"""

import sys
import time
from contextlib import suppress

import urllib3
from sseclient import SSEClient
from urllib3.exceptions import HTTPError

from tests.foreign.python.printed import say


def follow(url: str) -> None:
    """Print the stream's events, through every loss, until it is refused."""
    cursor, retry_seconds = "", 1.0
    pool = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=5, read=30))
    while True:
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": cursor} if cursor else {})}
        with suppress(HTTPError):
            response = pool.request("GET", url, headers=headers, preload_content=False)
            if response.status != 200:
                sys.exit(response.data.decode())
            for event in SSEClient(response).events():
                cursor = event.id or cursor
                if event.retry is not None:
                    retry_seconds = int(event.retry) / 1000
                say(event.event, event.id or "", event.data)
        time.sleep(retry_seconds)


if __name__ == "__main__":
    follow(sys.argv[1])
