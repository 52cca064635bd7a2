"""alpaca-py's own `NewsDataStream`, unmodified, against the simulator."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime

from alpaca.data.live import NewsDataStream
from alpaca.data.models.news import News

from simulator import DEFAULT_KEY, DEFAULT_SECRET
from simulator.service import Simulator, SimulatorSettings
from tests.limits import LIMIT_SECONDS
from tests.simulator.client import endpoint_state, until

ARTICLE = {
    "T": "n",
    "id": 1,
    "headline": "A made-up headline",
    "summary": "",
    "author": "Nobody",
    "content": "<p>Nothing happened.</p>",
    "url": "https://example.com/1",
    "source": "made up",
    "symbols": ["AAPL", "IBM"],
    "created_at": "2026-11-22T15:28:52Z",
    "updated_at": "2026-11-22T15:28:53Z",
}


def client_of(simulator: Simulator) -> NewsDataStream:
    url = f"{simulator.stream_url}/v1beta1/news"
    return NewsDataStream(DEFAULT_KEY, DEFAULT_SECRET, url_override=url)


async def test_alpaca_py_receives_an_article() -> None:
    received: asyncio.Queue[object] = asyncio.Queue()
    async with Simulator(SimulatorSettings(tape=None, positions=())) as simulator:
        stream = client_of(simulator)
        stream.subscribe_news(received.put, "IBM")
        task = asyncio.create_task(stream._run_forever())
        await until(lambda: endpoint_state(simulator, "news")["news"] == ["IBM"])
        await simulator.publish(ARTICLE)
        article = await asyncio.wait_for(received.get(), LIMIT_SECONDS)
        await stream.stop_ws()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await stream.close()

    assert isinstance(article, News)
    assert (article.headline, article.symbols) == ("A made-up headline", ["AAPL", "IBM"])
    assert article.updated_at == datetime(2026, 11, 22, 15, 28, 53, tzinfo=UTC)


async def test_alpaca_py_gives_up_on_news_outside_of_the_plan() -> None:
    async def ignore(_article: object) -> None:
        """Take an article."""

    async with Simulator(SimulatorSettings(tape=None, positions=(), news=False)) as simulator:
        stream = client_of(simulator)
        stream.subscribe_news(ignore, "*")
        await asyncio.wait_for(stream._run_forever(), LIMIT_SECONDS)  # 409 makes it return
        assert endpoint_state(simulator, "news")["refused"] == {"409": 1}
