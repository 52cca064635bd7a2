"""News: the subscription, and the events of an article."""

import asyncio
import json
from typing import Any

import msgpack
import pytest

from ingest.alpaca import messages as wire
from ingest.bus.announcer import Announcer
from ingest.bus.outbox import Outbox
from ingest.demand.subscription import SubscriptionChange
from ingest.demand.wanted import RECLAIM_SECONDS, Demand
from ingest.sentiment.headline_scorer import HeadlineScorer
from ingest.upstream import news_handler, news_translation
from ingest.upstream.news_handler import NewsHandler
from ingest.upstream.upstream_error import UpstreamError
from shared.bus.redis_source import RedisSource
from shared.news import News
from simulator.service import Simulator, SimulatorSettings
from tests.ingest.watching import Watcher
from tests.limits import LIMIT_SECONDS
from tests.services import running_ingest, until
from tests.simulator.client import endpoint_state

AT = msgpack.Timestamp.from_unix_nano(1_700_000_000_000_000_000)


class Stage:
    """A news handler, its demand, and the published events."""

    def __init__(self, *watched: str) -> None:
        self.now = 1_000.0
        self.demand = Demand(lambda: self.now)
        self.outbox = Outbox()
        announcer, scorer = Announcer(self.outbox), HeadlineScorer.load()
        self.handler = NewsHandler(self.demand, announcer, scorer, lambda: self.now)
        self.watch(*watched)

    def watch(self, *keys: str) -> None:
        self.demand.update({f"news:{key}": 1 for key in keys})

    def connect(self) -> None:
        """Connect, and have everything granted that is asked for."""
        self.handler.connected()
        held: set[str] = set()
        while change := self.handler.next_change():
            held = held | set(change.symbols)
            self.take({"T": "subscription", "news": sorted(held)})

    def take(self, *messages: dict[str, Any]) -> bool:
        return self.handler.apply(wire.decode(msgpack.packb(list(messages))), 0)

    def published(self) -> list[tuple[str, str | None, dict[str, Any]]]:
        return [(each.topic, each.event, json.loads(each.body)) for each in self.outbox.take(1_000)]


def article(**fields: Any) -> dict[str, Any]:
    given = {"id": 24918784, "headline": "Corn falls", "created_at": AT, "updated_at": AT}
    return {"T": "n", **given, "symbols": ["SPY", "IBM"], "content": "<p>long</p>", **fields}


def test_what_is_watched_is_asked_for_and_what_is_not_is_given_back() -> None:
    stage = Stage("SPY", "IBM")
    stage.handler.connected()

    assert stage.handler.next_change() == SubscriptionChange("subscribe", "news", ("IBM", "SPY"))
    assert stage.handler.next_change() is None
    assert stage.take({"T": "subscription", "news": ["IBM", "SPY"]})
    assert stage.handler.next_change() is None
    stage.watch("SPY")
    stage.now += RECLAIM_SECONDS
    assert stage.handler.next_change() == SubscriptionChange("unsubscribe", "news", ("IBM",))


def test_everything_takes_the_place_of_single_symbols() -> None:
    stage = Stage("SPY", "*")
    stage.handler.connected()

    assert stage.handler.next_change() == SubscriptionChange("subscribe", "news", ("*",))


@pytest.mark.parametrize(
    ("headline", "label"),
    [
        ("Nvidia shares plunge 12% after weak outlook", "negative"),
        ("Apple Beats Q3 Earnings Estimates, Raises Guidance", "positive"),
        ("Microsoft to hold annual meeting on Dec 4", "neutral"),
    ],
)
def test_an_article_has_the_sentiment_of_its_headline(headline: str, label: str) -> None:
    stage = Stage("*")
    stage.connect()
    stage.take(article(headline=f"<b>{headline}</b>"))

    [(_, _, event)] = stage.published()
    assert event["sentiment"]["label"] == label
    assert -1 <= event["sentiment"]["score"] <= 1


def test_an_article_has_no_sentiment_if_the_scorer_abstains() -> None:
    stage = Stage("*")
    stage.connect()
    stage.take(article(headline=""))

    [(_, _, event)] = stage.published()
    assert event["sentiment"] is None


def test_an_article_that_names_thousands_of_symbols_goes_to_the_first_hundred_and_to_all() -> None:
    named = [f"S{number}" for number in range(3_000)]
    stage = Stage("*", *named)
    stage.connect()
    stage.take(article(symbols=[*named, "S0"]))

    events = stage.published()
    assert [topic for topic, _, _ in events] == ["news:*", *(f"news:{s}" for s in named[:100])]
    assert {event["symbol_count"] for _, _, event in events} == {3_000}
    assert {len(event["symbols"]) for _, _, event in events} == {100}


def test_an_article_goes_once_to_each_topic_that_is_watched() -> None:
    stage = Stage("SPY", "*")
    stage.connect()
    stage.take(article(), article())

    published = stage.published()

    assert [topic for topic, _, _ in published] == ["news:*", "news:SPY"]
    assert published[0][2]["id"] == "24918784"
    assert published[0][2]["updated_at"] == "2023-11-14T22:13:20Z"
    assert "content" not in published[0][2]


def test_a_later_version_is_an_event_of_its_own() -> None:
    stage = Stage("SPY")
    stage.connect()
    stage.take(article(), article(updated_at="2023-11-15T00:00:00Z", headline="Corn rises"))

    assert [body["headline"] for _, _, body in stage.published()] == ["Corn falls", "Corn rises"]


def test_markup_and_entities_become_plain_text() -> None:
    stage = Stage("SPY")
    stage.connect()
    stage.take(
        article(headline="<b>Corn&#39;s</b> fall", summary="a < b", url="javascript:alert(1)")
    )

    ((_, _, body),) = stage.published()

    assert (body["headline"], body["summary"], body["url"]) == ("Corn's fall", "a < b", None)


@pytest.mark.parametrize("watched", ["SPY", "*"])
def test_what_was_missed_until_the_next_subscription_is_announced_as_a_gap(watched: str) -> None:
    stage = Stage(watched)
    stage.connect()
    stage.now += 1
    stage.handler.lost()
    stage.now += 1
    stage.handler.connected()
    stage.now += 1
    stage.handler.lost()  # this connection was not subscribed to anything
    stage.now += 2
    stage.handler.connected()
    assert stage.published() == []
    stage.connect()

    ((topic, event, body),) = stage.published()

    assert (topic, event) == (f"news:{watched}", "gap")
    assert body == {
        "topics": [f"news:{watched}"],
        "from": "1970-01-01T00:16:40.000Z",
        "to": "1970-01-01T00:16:45.000Z",
        "reason": "upstream_lost",
    }


async def test_a_gap_begins_when_the_connection_was_alive_for_the_last_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(news_handler, "PROOF_SECONDS", 0.0)
    stage, asked = Stage("SPY"), 0

    async def is_answering(_: float) -> bool:
        nonlocal asked
        asked += 1
        stage.now += 1
        return asked <= 2  # then this process is stopped, and the peer resets the connection

    stage.connect()
    watching = asyncio.create_task(stage.handler.watch(is_answering))
    await until(lambda: asked >= 5)
    watching.cancel()
    await asyncio.wait([watching])
    stage.handler.lost()
    stage.connect()

    ((_, event, body),) = stage.published()
    assert (event, body["from"]) == ("gap", "1970-01-01T00:16:41.000Z")


def test_a_symbol_that_nobody_had_watched_is_no_part_of_a_loss() -> None:
    stage = Stage("SPY")
    stage.connect()
    stage.handler.lost()
    stage.watch("SPY", "IBM")
    stage.connect()

    assert [topic for topic, _, _ in stage.published()] == ["news:SPY"]


def test_a_gap_between_two_leaders_is_continued_until_the_subscription() -> None:
    stage = Stage("SPY")
    stage.handler.continue_gap("SPY", stage.now)
    stage.now += 60  # Alpaca's slot was taken
    stage.connect()
    stage.handler.continue_gap("SPY", stage.now)
    stage.connect()

    ((_, _, body),) = stage.published()

    assert (body["from"], body["to"]) == ("1970-01-01T00:16:40.000Z", "1970-01-01T00:17:40.000Z")


def test_a_refused_symbol_is_not_asked_for_again() -> None:
    stage = Stage("SPY")
    stage.handler.connected()
    stage.handler.next_change()

    assert stage.take({"T": "error", "code": 400, "msg": "invalid syntax"})
    assert stage.handler.next_change() is None


def test_an_error_of_the_connection_is_no_refusal_of_the_symbols_in_flight() -> None:
    stage = Stage("SPY")
    stage.handler.connected()
    stage.handler.next_change()

    with pytest.raises(UpstreamError, match="internal error"):
        stage.take({"T": "error", "code": 500, "msg": "internal error"})
    stage.handler.lost()
    stage.handler.connected()
    assert stage.handler.next_change() == SubscriptionChange("subscribe", "news", ("SPY",))


def test_a_plan_without_news_ends_the_stream() -> None:
    stage = Stage("SPY")
    stage.handler.connected()

    with pytest.raises(UpstreamError, match="insufficient subscription"):
        stage.take({"T": "error", "code": 409, "msg": "insufficient subscription"})


def test_an_article_with_a_time_that_is_none_is_counted_and_passed_over() -> None:
    stage = Stage("SPY")
    stage.connect()
    stage.take(article(created_at="yesterday"), article())

    assert stage.handler.malformed.count == 1
    assert len(stage.published()) == 1


def test_an_error_that_no_rule_expects_costs_its_article_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def translated(message: wire.News) -> News:
        return readable(message) if message.id else fail()

    def fail() -> News:
        raise ZeroDivisionError

    readable = news_translation.article
    monkeypatch.setattr(news_translation, "article", translated)
    stage = Stage("SPY")
    stage.connect()
    stage.take(article(id=0), article())

    assert stage.handler.malformed.first == "News: ZeroDivisionError()"
    assert len(stage.published()) == 1


def test_signs_of_less_and_greater_are_no_markup() -> None:
    stage = Stage("SPY")
    stage.connect()
    headline = "XYZ Q2 EPS <$0.10 Estimate, Sales >$5M Guidance"
    stage.take(article(headline=headline, summary="<p>1 < 2</p>", author="A <a@b.c>"))

    ((_, _, body),) = stage.published()
    assert (body["headline"], body["summary"]) == (headline, "1 < 2")


def test_an_older_version_after_a_newer_one_is_not_published() -> None:
    stage = Stage("SPY")
    stage.connect()
    for time in ("2026-11-16T09:17:42Z", "2026-11-16T09:16:42Z", "2026-11-16T09:18:42Z"):
        stage.take(article(updated_at=time))

    times = [body["updated_at"] for _, _, body in stage.published()]
    assert times == ["2026-11-16T09:17:42Z", "2026-11-16T09:18:42Z"]


@pytest.mark.parametrize(
    ("fields", "lost"),
    [
        ({"summary": None}, 1),
        ({"author": None}, 1),
        ({"source": 5}, 1),
        ({"symbols": ["SPY", None]}, 1),
        ({"summary": "x" * 100_001, "author": []}, 1),
        ({"url": None}, 0),
        ({"url": "https://[broken"}, 0),
    ],
)
def test_a_field_of_another_form_costs_the_field_and_not_the_article(
    fields: dict[str, Any], lost: int
) -> None:
    stage = Stage("SPY")
    stage.connect()
    stage.take(article(**fields))

    ((topic, _, body),) = stage.published()
    assert (topic, body["headline"], body["url"]) == ("news:SPY", "Corn falls", None)
    assert stage.handler.malformed.count == lost


@pytest.mark.parametrize("time", [msgpack.Timestamp(2**62), "10000-01-01T00:00:00Z", None])
def test_an_article_with_an_impossible_time_takes_no_other_with_it(time: Any) -> None:
    stage = Stage("SPY")
    stage.connect()
    stage.take(article(updated_at=time), article(id=2))

    assert [body["id"] for _, _, body in stage.published()] == ["2"]
    assert stage.handler.malformed.count == 1


async def test_the_subscription_waits_until_the_announced_articles_are_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(news_handler, "RECALL_SECONDS", 3600.0)
    stage = Stage("SPY", "IBM")
    preparing = asyncio.create_task(stage.handler.prepare())
    stage.handler._announcer.articles.recall("SPY", [])
    await asyncio.sleep(0.05)
    assert not preparing.done()
    stage.handler._announcer.articles.recall("IBM", [])
    async with asyncio.timeout(LIMIT_SECONDS):
        await preparing


async def test_it_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(news_handler, "RECALL_SECONDS", 0.01)
    async with asyncio.timeout(LIMIT_SECONDS):
        await Stage("SPY").handler.prepare()


async def test_a_new_leader_knows_the_versions_that_the_one_before_published() -> None:
    source = RedisSource("memory://")
    topic = "news:SPY"

    async def lead(simulator: Simulator, watching: Watcher, *times: str) -> None:
        async with running_ingest(source, simulator):
            await until(lambda: endpoint_state(simulator, "news")["news"] == ["SPY"])
            for time in times:
                await simulator.publish(article(created_at=time, updated_at=time, symbols=["SPY"]))
            await until(lambda: _ends_with(watching, topic, times[-1]))

    async with (
        Simulator(SimulatorSettings(tape=None, positions=())) as simulator,
        source.client("watcher") as client,
    ):
        watching = Watcher(client)
        await watching.watch("SPY", kind="news")
        await lead(simulator, watching, "2026-11-16T09:17:42Z")
        await lead(simulator, watching, "2026-11-16T09:16:42Z", "2026-11-16T09:18:42Z")
        events = await watching.history(topic)

    times = [body["updated_at"] for event, body in events if event is None]
    assert times == ["2026-11-16T09:17:42Z", "2026-11-16T09:18:42Z"]


async def _ends_with(watching: Watcher, topic: str, time: str) -> bool:
    events = await watching.history(topic)
    return bool(events) and events[-1][1].get("updated_at") == time
