"""Behind nginx: the page under a path, and the EventSource of the README after a 502."""

import pytest

from shared.bus.redis_source import RedisSource
from simulator.service import Simulator
from tests.documents.snippets import snippets
from tests.page.screen import PRICE, REFUSED, Screen, cell
from tests.ports import free_port
from tests.proxies import nginx
from tests.services import running_gateway

pytestmark = pytest.mark.asyncio(loop_scope="session")

UNDER_A_PATH = "location /tapecast/ {{ proxy_pass http://127.0.0.1:{}/; }}"
BESIDE_A_PAGE = """
location = /empty {{ default_type text/html; return 200 "<title>empty</title>"; }}
location / {{ proxy_pass http://127.0.0.1:{}; }}
"""
IMPATIENT = """
const { EventSource, setTimeout } = window;
window.setTimeout = (run) => setTimeout(run, 50);
window.EventSource = class extends EventSource {
  constructor(url) {
    super(url);
    this.addEventListener("ready", () => { document.title = "ready"; });
    this.addEventListener("error", () => {
      if (this.readyState === EventSource.CLOSED) document.title = "closed";
    });
  }
};
"""
[EVENT_SOURCE] = [
    block.code
    for block in snippets("README.md")
    if block.language == "js" and "function open()" in block.code
]


async def test_the_page_and_its_stream_work_under_a_path_of_a_proxy(
    screen: Screen, source: RedisSource, market: Simulator
) -> None:
    port = free_port()
    with nginx(free_port(), UNDER_A_PATH.format(port)) as proxy:
        async with running_gateway(source, port=port), screen:
            await screen.open(f"{proxy}/tapecast/?symbols=SPY")
            await screen.live()
            await screen.until(cell("SPY", "price"), PRICE)
            [licences] = await screen.evaluate(
                "[...document.querySelectorAll('a')].map((a) => a.href)"
                ".filter((href) => href.endsWith('licenses.txt'))"
            )

    assert licences == f"{proxy}/tapecast/licenses.txt"


async def test_the_event_source_of_the_readme_opens_again_after_a_502(
    screen: Screen, source: RedisSource
) -> None:
    screen.expected = (REFUSED,)
    port = free_port()
    with nginx(free_port(), BESIDE_A_PAGE.format(port)) as proxy:
        async with screen:
            await screen.open(f"{proxy}/empty")
            await screen.evaluate(f"(() => {{ {IMPATIENT} }})()")
            await screen.evaluate(f"(() => {{ {EVENT_SOURCE} }})()")
            await screen.until("title", "closed")
            async with running_gateway(source, port=port):
                await screen.until("title", "ready")
                await screen.do("leave")
