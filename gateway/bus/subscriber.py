"""The gateway's subscription to Redis: one connection, opened again whenever it is lost.

Subscribe first, then read the stored value; the newer id wins. Each confirmed subscription leads
to such a read, so a value published between the two arrives at least once.

redis-py subscribes again silently when it reconnects, and the messages in between are lost. Here a
lost connection ends everything that depends on it, and the next one starts from nothing.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import structlog
from redis.asyncio.client import PubSub

from gateway.bus.history import History
from gateway.bus.lease_watch import LeaseWatch
from gateway.bus.listed_positions import ListedPositions
from gateway.bus.malformed import MalformedData
from gateway.bus.newest_bars import NewestBars
from gateway.bus.positions import Positions
from gateway.bus.redis_clients import GatewayRedisClients
from gateway.bus.unverified_messages import StartAgainError, UnverifiedMessages
from gateway.fanout.bar_channel import BarChannel
from gateway.fanout.channel import Channel
from gateway.fanout.hub import Hub
from gateway.fanout.ordered_channel import OrderedChannel
from gateway.fanout.own_ids import UnverifiedIdError
from gateway.fanout.table_channel import TableChannel
from gateway.wire.feed_view import FeedView
from shared import ingest_status, message
from shared.bus.beginning import HISTORIES_LOST
from shared.bus.errors import (
    REDIS_ERRORS,
    BusError,
    BusRejectedError,
    BusUnreachableError,
    BusWrongServerError,
    translated,
)
from shared.bus.rejections import Rejections
from shared.event_id import EventId
from shared.message import Message
from shared.waiting import wait_at_most

log = structlog.get_logger()

PING_SECONDS = 5.0
"""How often an idle connection is pinged."""

REDIS_SILENCE_SECONDS = 12.0
"""After this long without a frame, two pings unanswered, the peer is dead, hung or cut off, even if
the socket still looks open."""

RECONNECT_SECONDS = (0.1, 0.5)
"""The range of the pause before the next connection."""

SUBSCRIPTION = "this gateway's subscription"

LOSS_POLL_SECONDS = 0.25
"""How often Redis is asked whether events are lost, until the ingest has noted it there."""

LOADED_AT_ONCE = 500
"""Stored values of one read, whose answer the loop has to decode in one go."""

# redis-py raises RuntimeError if a pub/sub object is used while it reconnects. The connection is
# lost then, whichever of the three tasks notices first.
_CONNECTION_LOST = (BusError, *REDIS_ERRORS, RuntimeError)


class Subscriber:
    """Supplies the hub. Within a connection one task reads, one subscribes, one loads.

    The messages to this gateway's own inbox go to ``on_inbox``. ``changed`` is set when the hub
    adds or drops a topic. ``on_connect`` is called when a connection has read the ingest's report.
    ``rejections`` notes the answers that end a connection. ``jitter`` returns a number from 0 to 1.

    ``unverified`` holds the messages whose id the lease has not given, as it was read last.
    """

    def __init__(
        self,
        redis: GatewayRedisClients,
        hub: Hub,
        feed: FeedView,
        lease: LeaseWatch,
        *,
        gateway_id: str,
        changed: asyncio.Event,
        on_inbox: Callable[[bytes], None],
        on_connect: Callable[[], None],
        malformed: MalformedData,
        rejections: Rejections,
        jitter: Callable[[], float],
    ) -> None:
        self._redis = redis
        self._hub = hub
        self._feed = feed
        self._lease = lease
        self._keyspace = redis.keyspace
        self._inbox = redis.keyspace.inbox(gateway_id).encode()
        self._status = redis.keyspace.ingest_status_channel.encode()
        self._changed = changed
        self._on_inbox = on_inbox
        self._on_connect = on_connect
        self.malformed = malformed
        self._rejections = rejections
        self._jitter = jitter
        self._confirmed = asyncio.Event()
        self._unconfirmed: set[bytes] = set()
        self._to_load: dict[bytes, None] = {}
        """The confirmed channels whose stored values have not been read."""
        self._loss = 0
        """The number of times that the ingest has found older data in Redis."""
        self._barrier = redis.barrier
        self.unverified = UnverifiedMessages(hub, feed, lease, redis.keyspace, self._apply)
        self._last_frame_at = 0.0
        self._last_logged_error: str | None = None

    async def run(self) -> None:
        """Read until cancelled, through every loss of Redis."""
        shortest, longest = RECONNECT_SECONDS
        while True:
            try:
                await self._serve_connection(self._redis.subscriber.pubsub())
            except* _CONNECTION_LOST as lost:
                self._note_loss(_bus_error(lost.exceptions[0]))
                self._feed.on_redis(connected=False)
            except* StartAgainError:
                pass  # Redis has other data than this gateway: everything is read again
            # A random pause: all gateways lose a Redis that restarts at the same moment.
            await asyncio.sleep(shortest + (longest - shortest) * self._jitter())

    def _note_loss(self, error: BusError) -> None:
        # Redis answers, and no other connection would get another answer.
        if isinstance(error, BusRejectedError):
            self._rejections.on_rejected(SUBSCRIPTION, error)
            return
        self._rejections.on_connection_lost()
        # Every attempt against a Redis that is down fails alike, several times a second.
        reason = str(error)
        if reason != self._last_logged_error:
            log.warning("redis_unreachable", redis=self._redis.address, error=reason)
        self._last_logged_error = reason

    async def _serve_connection(self, pubsub: PubSub) -> None:
        # Messages published since the last connection are missing. Until the histories have been
        # read, ordered events must not overtake them.
        self._hub.buffer()
        self._to_load.clear()
        self.unverified.begin()
        # Before the first message: another deployment's may come first.
        await self.unverified.read_lease()
        watched = dict(self._hub.channels)
        self._unconfirmed = {self._status, self._inbox, *self._channels_of(watched)}
        self._last_frame_at = asyncio.get_running_loop().time()
        self._barrier.attach(pubsub)
        try:
            async with asyncio.TaskGroup() as tasks:
                await pubsub.subscribe(*self._unconfirmed)
                tasks.create_task(self._read(pubsub))
                tasks.create_task(self._subscribe(pubsub, watched))
                tasks.create_task(self._load())
                tasks.create_task(self._check_server())
                tasks.create_task(self.unverified.run())
                positions = self._positions(self._is_known)
                tasks.create_task(ListedPositions(self._hub, positions, self.malformed).run())
        finally:
            self._barrier.detach()
            # fakeredis would send to this subscriber for as long as the process lives.
            with suppress(*_CONNECTION_LOST):
                await pubsub.unsubscribe()
            with suppress(*_CONNECTION_LOST):
                await pubsub.aclose()  # type: ignore[no-untyped-call]

    async def _read(self, pubsub: PubSub) -> None:
        while True:
            received = await pubsub.get_message(timeout=None)
            # Every frame proves that the peer is alive, also a confirmation or a pong.
            self._last_frame_at = asyncio.get_running_loop().time()
            if received is None:
                continue
            if received["type"] == "message":
                self.unverified.apply(received["channel"], received["data"])
            elif received["type"] == "subscribe":
                self._on_confirmed(received["channel"])
            elif received["type"] == "pong":
                self._barrier.on_pong(received["data"])

    def _on_confirmed(self, channel: bytes) -> None:
        self._unconfirmed.discard(channel)
        if channel != self._inbox:  # which has no stored value
            self._to_load[channel] = None
        # On a new connection the histories of all topics are read together: ordered events of
        # different topics reach a client in the order of their ids.
        if not self._unconfirmed:
            self._confirmed.set()

    def _apply(self, channel: bytes, data: bytes) -> None:
        with self.malformed.skipping(channel):
            if channel == self._status:
                status = message.unpack(data)
                # That histories are lost may be said with the id of a leader before this gateway's
                # time, and only makes it read them again.
                is_report = status.event is None
                if is_report and not self._hub.own_ids.accepts(status.event_id):
                    raise UnverifiedIdError(status.event_id)
                self._on_status(status)
            elif channel == self._inbox:
                self._on_inbox(data)
            else:
                self._hub.publish(self._keyspace.topic_of(channel), data)

    def _on_status(self, received: Message) -> None:
        if received.event is None:
            self._feed.on_report(received.body)
        # The data that this connection has read is older than the events published before. The
        # events that follow on this connection must not overtake the gap.
        elif received.event == HISTORIES_LOST:
            self._reload()

    def _reload(self) -> None:
        """Read the histories of all topics again, before any later event is sent."""
        self._hub.buffer()
        self._loss += 1
        for topic, channel in self._hub.channels.items():
            name = self._keyspace.channel(topic.decode()).encode()
            # One whose subscription is not confirmed yet is read when it is.
            if isinstance(channel, OrderedChannel) and name not in self._unconfirmed:
                self._to_load[name] = None
        if not self._unconfirmed:
            self._confirmed.set()

    async def _subscribe(self, pubsub: PubSub, subscribed: dict[bytes, Channel]) -> None:
        """Keep the subscriptions equal to the hub's topics, and the connection under watch."""
        while True:
            self._changed.clear()
            watched = dict(self._hub.channels)
            # Compared by channel, not by name: a topic that was dropped and watched again is a
            # new channel, whose value has not been read. Redis confirms a second subscribe too.
            new = [topic for topic, channel in watched.items() if subscribed.get(topic) != channel]
            dropped = subscribed.keys() - watched.keys()
            if new:
                await pubsub.subscribe(*self._channels_of(new))
            if dropped:
                await pubsub.unsubscribe(*self._channels_of(dropped))
            # Only an idle connection needs a ping: a command gets an answer too.
            if not new and not dropped:
                self._check_silence()
                await pubsub.ping()
            subscribed = watched
            await wait_at_most(self._changed, PING_SECONDS)

    def _check_silence(self) -> None:
        # A frozen Redis, or a network that drops packets, leaves the socket open: no error ever
        # comes, and the prices would stand still while /readyz says that all is well.
        silence = asyncio.get_running_loop().time() - self._last_frame_at
        if silence > REDIS_SILENCE_SECONDS:
            raise TimeoutError(f"Redis has sent nothing for {silence:.0f} s")

    async def _check_server(self) -> None:
        """Raise if this subscription is on another server than the commands.

        A failover can move the one connection and not the other, if that was just idle: the stored
        values would then be those of the master, and the messages those of a replica, or none.
        """
        while True:
            await asyncio.sleep(PING_SECONDS)
            if self._inbox in self._unconfirmed:
                continue
            # It is not known for a user without the right, or while Redis does not answer.
            with suppress(*REDIS_ERRORS):
                [(_, subscribers)] = await self._redis.commands.pubsub_numsub(self._inbox)
                if subscribers == 0:
                    raise BusWrongServerError("the subscription is on another server")

    async def _load(self) -> None:
        """Read the stored value of every topic whose subscription was confirmed.

        After a loss it waits for all of them, since ordered events are sent in one order again.
        """
        history = History(self._redis.commands, self._keyspace, self.malformed)
        bars = NewestBars(self._redis.commands, self._hub.own_ids, self._keyspace, self.malformed)
        positions = self._positions(self._accepts)
        waiting: list[bytes] = []
        while True:
            if waiting:
                await wait_at_most(self._confirmed, LOSS_POLL_SECONDS)
            else:
                await self._confirmed.wait()
            self._confirmed.clear()
            confirmed, self._to_load = list(dict.fromkeys([*waiting, *self._to_load])), {}
            loss = self._loss
            newest = await self._load_values(confirmed)
            topics = [self._keyspace.topic_of(each) for each in confirmed if each != self._status]
            # A topic may have been dropped between its subscription and now.
            channels = [channel for t in topics if (channel := self._hub.channels.get(t))]
            for channel in channels:
                if isinstance(channel, TableChannel):
                    (await positions.read()).fill(channel)
            ordered = [channel for channel in channels if isinstance(channel, OrderedChannel)]
            fillings = await history.fillings(ordered, self._hub.cursor, self._hub.own_ids.last)
            # After the histories: a bar whose end is in these would be read as one that runs.
            newest_bars = await bars.read(
                [each for each in ordered if isinstance(each, BarChannel)]
            )
            # The histories were read on another connection. An event in them may still be on its
            # way on this one; every message after the barrier is newer than all of them.
            await self._barrier.reach()
            # The barrier has brought the word that these facts are out of date.
            if loss != self._loss:
                self._to_load |= dict.fromkeys(confirmed)
                continue
            waiting = self._names_of(channel for channel in ordered if channel not in fillings)
            self._hub.fill(fillings)
            bars.restore(newest_bars)
            self._hub.loaded(topics, newest, is_waiting=bool(waiting))
            self._rejections.on_accepted(SUBSCRIPTION)

    async def _load_values(self, confirmed: list[bytes]) -> EventId:
        """Read stored values into the hub; return the highest id that Redis had before."""
        loader = self._redis.commands
        await self.unverified.read_lease()
        newest = self._lease.newest
        for begin in range(0, len(confirmed), LOADED_AT_ONCE):
            some = confirmed[begin : begin + LOADED_AT_ONCE]
            stored: list[Any] = await loader.mget([self._stored_at(channel) for channel in some])
            for channel, value in zip(some, stored, strict=True):
                if channel == self._status:
                    self._on_connected(value)
                elif value is not None:
                    self._on_stored(self._keyspace.topic_of(channel), value)
        return newest

    def _on_stored(self, topic: bytes, value: bytes) -> None:
        with self.malformed.skipping(topic):
            try:
                self._hub.publish(topic, value, stored=True)
            except UnverifiedIdError as error:
                # Of a leader that has just begun, and then its message is on its way as well; or
                # from a time at which Redis' clock was ahead.
                self.unverified.reject(topic, error.event_id)

    def _positions(self, accepts: Callable[[bytes, EventId], bool]) -> Positions:
        return Positions(self._redis.commands, self._keyspace, self.malformed, accepts)

    def _is_known(self, _: bytes, event_id: EventId) -> bool:
        """Return whether the lease has given the id of a stored value, as it was read last."""
        return self._hub.own_ids.accepts(event_id, stored=True)

    def _accepts(self, topic: bytes, event_id: EventId) -> bool:
        """Check the id of a value that was read just after the lease; report a foreign one."""
        is_known = self._is_known(topic, event_id)
        if not is_known:
            self.unverified.reject(topic, event_id)
        return is_known

    def _stored_at(self, channel: bytes) -> str:
        """Return the key of the newest message of a channel."""
        if channel == self._status:
            return self._keyspace.ingest_status
        return self._keyspace.last(self._keyspace.topic_of(channel).decode())

    def _names_of(self, channels: Iterable[Channel]) -> list[bytes]:
        return self._channels_of(channel.topic.encode() for channel in channels)

    def _channels_of(self, topics: Iterable[bytes]) -> list[bytes]:
        return [self._keyspace.channel(topic.decode()).encode() for topic in topics]

    def _on_connected(self, report: bytes | None) -> None:
        # The ingest's report is read once per connection, so this is where one has proved to work
        # in both directions: the subscription is confirmed, and a command was answered.
        log.info("redis_connected", redis=self._redis.address)
        self._last_logged_error = None
        self._feed.on_redis(connected=True)
        self._on_connect()
        if report is not None:  # else no ingest reports; the feed stays down until one does
            with self.malformed.skipping(self._status):
                event_id = EventId.parse(ingest_status.decode(report).event_id)
                if self._hub.own_ids.accepts(event_id, stored=True):
                    self._feed.on_report(report)


def _bus_error(error: BaseException) -> BusError:
    """Return the bus' error for one of those that end a connection."""
    if isinstance(error, BusError):
        return error
    if isinstance(error, REDIS_ERRORS):
        return translated(error)
    return BusUnreachableError(str(error) or type(error).__name__)
