"""The news stream: which symbols' articles are asked for, and what an article becomes.

Source: https://docs.alpaca.markets/docs/streaming-real-time-news
"""

import asyncio
import html
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

import msgspec
import structlog

from ingest.alpaca import codes
from ingest.alpaca import messages as wire
from ingest.bus.announcer import Announcer
from ingest.demand.subscription import SYMBOLS_PER_REQUEST, Change
from ingest.demand.wanted import Demand
from ingest.upstream.feed_error import HARMLESS, FeedError
from shared import rfc3339
from shared.news import News
from shared.topics import EVERYTHING, NEWS, topic

log = structlog.get_logger()

DEMAND_SECONDS = 1.0
REMEMBERED = 1_000

_MARKUP = re.compile(r"<[^<>]*>")


class NewsSide:
    """The news connection's ``Side``. It is opened once somebody watches news."""

    name = "news"

    def __init__(
        self, demand: Demand, announcer: Announcer, clock: Callable[[], float] = time.time
    ) -> None:
        self.articles = 0
        self.malformed = 0
        self.stuck = False
        self._demand = demand
        self._announcer = announcer
        self._clock = clock
        self._acknowledged: set[str] = set()
        self._refused: set[str] = set()
        self._in_flight: Change | None = None
        self._seen: OrderedDict[tuple[int, str], None] = OrderedDict()
        self._lost_at: float | None = None

    def decode(self, frame: bytes | str) -> Sequence[wire.Message]:
        """Return the messages of a frame.

        Raises:
            BadFrameError: it is no msgpack array.
        """
        return wire.decode(frame)

    async def needed(self) -> None:
        """Return once somebody watches news."""
        while not self._demand.news_symbols():
            await self._demand.wait_for_change(DEMAND_SECONDS)

    def connected(self) -> None:
        """Say what may be missing: Alpaca repeats nothing."""
        if self._lost_at is not None:
            topics = [topic(NEWS, key) for key in sorted(self._demand.news_symbols())]
            since, until = rfc3339.from_unix(self._lost_at), rfc3339.from_unix(self._clock())
            self._announcer.gap(topics, since, until, "upstream_lost")
        self._lost_at = None

    def lost(self) -> None:
        """Forget the subscription."""
        if self._lost_at is None:
            self._lost_at = self._clock()
        self._acknowledged = set()
        self._in_flight = None
        self.stuck = False

    def next_change(self) -> Change | None:
        """Return the next difference between what is watched and what is subscribed."""
        if self._in_flight is not None:
            return None
        watched = self._demand.news_symbols()
        wanted = ({EVERYTHING} if EVERYTHING in watched else watched) - self._refused
        if new := sorted(wanted - self._acknowledged):
            self._in_flight = Change("subscribe", NEWS, tuple(new[:SYMBOLS_PER_REQUEST]))
        elif gone := sorted(self._acknowledged - wanted):
            self._in_flight = Change("unsubscribe", NEWS, tuple(gone[:SYMBOLS_PER_REQUEST]))
        return self._in_flight

    async def demand_changed(self) -> None:
        """Return when other news is watched, or after a second."""
        await self._demand.wait_for_change(DEMAND_SECONDS)

    async def watch(self) -> None:
        """Do nothing: hours without news are no fault, and pings find a dead peer."""
        await asyncio.Event().wait()

    def apply(self, messages: Sequence[wire.Message], received_us: int) -> bool:  # noqa: ARG002
        """Take a frame; return whether it answers a change.

        Raises:
            FeedError: Alpaca ends the connection.
        """
        answered = False
        for message in messages:
            if isinstance(message, wire.News):
                self._take(message)
            elif isinstance(message, wire.Subscribed):
                self.stuck = set(message.news or ()) == self._acknowledged
                self._acknowledged = set(message.news or ())
                self._in_flight = None
                answered = True
            elif isinstance(message, wire.Error):
                answered = self._take_error(message) or answered
            elif isinstance(message, wire.Malformed):
                self.malformed += 1
                if message.kind == "error":
                    raise FeedError(f"an error of another form: {message.problem}")
        return answered

    def _take(self, news: wire.News) -> None:
        try:
            article = article_of(news)
        except ValueError as error:
            self.malformed += 1
            log.debug("malformed article", id=news.id, error=str(error))
            return
        version = (news.id, article.updated_at)
        if version in self._seen:
            return
        self._seen[version] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        self.articles += 1
        watched = self._demand.news_symbols()
        self._announcer.news(article, [k for k in (EVERYTHING, *article.symbols) if k in watched])

    def _take_error(self, error: wire.Error) -> bool:
        if error.code == HARMLESS:
            return False
        refused = self._in_flight
        if refused is None or error.code not in (codes.INVALID_SYNTAX, codes.SYMBOL_LIMIT):
            raise FeedError(error.msg, error.code)
        log.warning("news refused by Alpaca", symbols=refused.symbols, error=error.msg)
        self._refused.update(refused.symbols)
        self._in_flight = None
        return True


def article_of(news: wire.News) -> News:
    """Return the event for an article; markup is taken out, entities are resolved.

    Raises:
        ValueError: a time is none.
    """
    return News(
        id=str(news.id),
        headline=_text(news.headline),
        summary=_text(news.summary),
        author=_text(news.author),
        source=news.source,
        url=news.url if news.url and urlsplit(news.url).scheme in ("http", "https") else None,
        symbols=list(dict.fromkeys(news.symbols)),
        created_at=_time(news.created_at),
        updated_at=_time(news.updated_at),
    )


def _text(markup: str) -> str:
    return html.unescape(_MARKUP.sub("", markup)).strip()


def _time(time_: msgspec.msgpack.Ext | str) -> str:
    if isinstance(time_, str):
        return rfc3339.from_nanoseconds(rfc3339.to_nanoseconds(time_))
    return rfc3339.from_nanoseconds(wire.nanoseconds(time_))
