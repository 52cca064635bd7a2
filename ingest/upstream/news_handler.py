"""The news stream: the subscribed symbols, and the articles to publish.

Source: https://docs.alpaca.markets/docs/streaming-real-time-news
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog

from ingest.alpaca import codes
from ingest.alpaca.messages import Error, Message, News, Subscribed, decode
from ingest.alpaca.unreadable import LostFields, Malformed
from ingest.demand.subscription import SYMBOLS_PER_REQUEST, SubscriptionChange
from ingest.demand.unheard import Unheard
from ingest.demand.wanted import DEMAND_CHANGE_SECONDS, Demand
from ingest.sentiment.headline_scorer import HeadlineScorer
from ingest.upstream import news_translation
from ingest.upstream.announcements import Announcements
from ingest.upstream.malformed_data import MalformedData
from ingest.upstream.stream_holder import IsAnswering
from ingest.upstream.upstream_error import UpstreamError
from shared import rfc3339
from shared.symbols import bare
from shared.topics import EVERYTHING, NEWS, topic

log = structlog.get_logger()

PROOF_SECONDS = 2.0
"""How often the connection is asked whether it is alive. A gap begins at the last answer."""

RECALL_SECONDS = 1.0
RECALL_POLL_SECONDS = 0.02


class NewsHandler:
    """The handler of the news stream, which is opened once a client watches news."""

    name = "news"

    def __init__(
        self,
        demand: Demand,
        announcer: Announcements,
        scorer: HeadlineScorer,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.articles = 0
        self.malformed = MalformedData(self.name)
        self.stuck = False
        self._demand = demand
        self._announcer = announcer
        self._scorer = scorer
        self._clock = clock
        self._acknowledged: set[str] = set()
        self._rejected: set[str] = set()
        self._in_flight: SubscriptionChange | None = None
        self._alive_at = 0.0
        """When (unix s) the connection was alive for certain."""
        self._unheard = Unheard()

    def decode(self, frame: bytes | str) -> Sequence[Message]:
        """Return the messages of a frame.

        Raises:
            BadFrameError: it is not a msgpack array.
        """
        return decode(frame)

    async def needed(self) -> None:
        """Return once a client watches news."""
        while not self._demand.news_symbols():
            await self._demand.wait_for_change(DEMAND_CHANGE_SECONDS)

    @property
    def is_idle(self) -> bool:
        """Whether it is not needed at present: once it was needed, it stays open."""
        return False

    def connected(self) -> None:
        """Start with no subscription; ``lost`` has forgotten the one before."""
        self._alive_at = self._clock()

    def lost(self) -> None:
        """Forget the subscription: Alpaca repeats no article."""
        # A connection that is cut off, or this process while it was stopped, has received nothing
        # since an earlier moment than this one.
        since, watched = min(self._clock(), self._alive_at), self._demand.news_symbols()
        self._unheard.add(filter(self._hears, watched), since)
        self._acknowledged = set()
        self._in_flight = None
        self.stuck = False

    def continue_gap(self, key: str, since: float) -> None:
        """Announce a ``gap`` from a time (unix s) on until articles about a symbol are received.

        The histories' own ends there: it covers the time before this leader looked at them.
        """
        if not self._hears(key):
            self._unheard.add([key], since)

    def on_bad_frame(self) -> None:
        """Do nothing: the count of malformed data reports it."""

    async def prepare(self) -> None:
        """Wait, for a second at most, until the announced articles of earlier leaders are known.

        Alpaca may repeat one of them as soon as this leader has subscribed.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(RECALL_SECONDS):
                while not self._recalls_all():  # noqa: ASYNC110 - the memory is pure
                    await asyncio.sleep(RECALL_POLL_SECONDS)

    def next_change(self) -> SubscriptionChange | None:
        """Return the next difference between the watched and the subscribed symbols."""
        if self._in_flight is not None:
            return None
        # Alpaca's news write a pair as BTCUSD.
        watched = {bare(key) for key in self._demand.news_symbols()}
        # ``*`` includes every symbol: others beside it would only bring articles twice.
        wanted = ({EVERYTHING} if EVERYTHING in watched else watched) - self._rejected
        if new := sorted(wanted - self._acknowledged):
            self._in_flight = SubscriptionChange(
                "subscribe", NEWS, tuple(new[:SYMBOLS_PER_REQUEST])
            )
        elif gone := sorted(self._acknowledged - wanted):
            self._in_flight = SubscriptionChange(
                "unsubscribe", NEWS, tuple(gone[:SYMBOLS_PER_REQUEST])
            )
        return self._in_flight

    @property
    def is_urgent(self) -> bool:
        """Whether a client watches news."""
        return bool(self._demand.news_symbols())

    async def demand_changed(self) -> None:
        """Return when clients watch other news, or after a second."""
        await self._demand.wait_for_change(DEMAND_CHANGE_SECONDS)

    async def watch(self, is_answering: IsAnswering) -> None:
        """Note when the connection is alive, until cancelled.

        Hours without news are normal, so only the answer to a ping proves it. It comes after every
        article that was sent before. WebSocket's own pings detect a dead peer.
        """
        while True:
            asked_at = self._clock()
            if await is_answering(PROOF_SECONDS):
                self._alive_at = asked_at
            await asyncio.sleep(PROOF_SECONDS)

    def apply(self, messages: Sequence[Message], received_us: int) -> bool:  # noqa: ARG002
        """Apply a frame; return whether it answers a change.

        Raises:
            UpstreamError: Alpaca ends the connection.
        """
        answered = False
        for message in messages:
            try:
                answered = self._on_message(message) or answered
            except UpstreamError:
                raise
            except ValueError as error:  # a time that RFC 3339 cannot express
                self.malformed.note(type(message).__name__, error, message)
            except Exception as error:
                # The boundary for the errors that no rule expects: prices depend on this process.
                self.malformed.note_escaped(type(message).__name__, error)
        return answered

    def _on_message(self, message: Message) -> bool:
        """Apply a message; return whether it answers a change."""
        match message:
            case News():
                self._on_article(message)
            case Subscribed():
                self.stuck = set(message.news or ()) == self._acknowledged
                self._acknowledged = set(message.news or ())
                self._in_flight = None
                self._announce_gaps()
                return True
            case Error():
                return self._on_error(message)
            case Malformed("error", problem):
                raise UpstreamError(f"an error of another form: {problem}")
            case Malformed(kind, problem) | LostFields(kind, problem):
                self.malformed.note(kind, problem)
            case _:
                pass
        return False

    def _recalls_all(self) -> bool:
        return all(map(self._announcer.articles.recalls, self._demand.news_symbols()))

    def _hears(self, key: str) -> bool:
        return bare(key) in self._acknowledged or EVERYTHING in self._acknowledged

    def _announce_gaps(self) -> None:
        """Announce what was missed about the symbols that are subscribed to now."""
        until = rfc3339.from_unix(self._clock())
        for key, since in self._unheard.take_heard(self._demand.news_symbols(), self._hears):
            start = rfc3339.from_unix(since)
            self._announcer.gap([topic(NEWS, key)], start, until, "upstream_lost")

    def _on_article(self, news: News) -> None:
        article = news_translation.article(news)
        article.sentiment = self._scorer.score(article.headline)
        # Alpaca may send a version again, or an older one after a newer one. A later version of an
        # article is an event too.
        if not self._announcer.articles.add(article):
            return
        self.articles += 1
        watched = self._demand.news_symbols()
        self._announcer.news(article, [k for k in (EVERYTHING, *article.symbols) if k in watched])

    def _on_error(self, error: Error) -> bool:
        if error.code == codes.ALREADY_AUTHENTICATED:
            return False
        rejected = self._in_flight
        if rejected is None or error.code not in (codes.INVALID_SYNTAX, codes.SYMBOL_LIMIT):
            raise UpstreamError(error.msg, error.code)
        log.warning(
            "news_rejected",
            message="Alpaca rejects news of these symbols",
            symbols=rejected.symbols,
            error=error.msg,
        )
        self._rejected.update(rejected.symbols)
        self._in_flight = None
        return True
