"""A browser's own EventSource, which gives up for good on any answer but 200, at a full gateway."""

import pytest

from gateway import composition
from shared.bus.redis_source import RedisSource
from tests.browser import open_browser
from tests.event_stream import open_stream
from tests.services import running_gateway

EVENT_SOURCE = """{
  document.body.textContent = "";
  const source = new EventSource("/api/stream/prices?symbols=SPY");
  const show = (event) => { document.body.textContent += ` ${event.type}`; };
  for (const kind of ["bye", "hello", "ready"]) source.addEventListener(kind, show);
}"""


async def test_it_comes_back_by_itself_until_there_is_room(
    node: str, chromium: str, source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(composition, "BUSY_RETRY_MS", (100, 300))
    async with (
        open_browser(node, chromium) as browser,
        running_gateway(source, max_clients=1) as url,
    ):
        await browser.do("open", url=f"{url}/healthz")
        async with open_stream(url, symbols="SPY") as inside:
            await inside.until_kind("ready")
            await browser.do("evaluate", script=EVENT_SOURCE)
            await browser.until("body", "^( bye){3,}$")
        await browser.until("body", "^( bye)+ hello ready$")
