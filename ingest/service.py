"""The ingest as a service: wait for the lease, lead, and stand by again when it is lost."""

import asyncio
import os
import secrets
import socket
from contextlib import suppress

import structlog

from ingest.bus.lease import AnotherOwnerError, HandOverError, Lease, LeaseLostError
from ingest.bus.redis_clients import IngestRedisClients, ingest_redis_clients
from ingest.capture.recorder import Recorder
from ingest.composition import compose
from ingest.reach import UpstreamReach
from ingest.settings import AlpacaAccess, IngestSettings
from ingest.upstream.alpaca_probe import AlpacaProbe
from ingest.upstream.alpaca_rest import AlpacaRest
from ingest.upstream.alpaca_stream import AlpacaStream
from ingest.upstream.blocking_calls import RestError
from shared.bus.errors import BusBusyError, BusRejectedError, BusUnreachableError
from shared.bus.redis_source import RedisSource, eviction_policy
from shared.bus.rejections import explained
from shared.cancellation import cancel
from shared.first_error import first_error
from shared.waiting import wait_at_most

log = structlog.get_logger()

IDENTIFY_RETRY_SECONDS = 30.0

IDENTIFY_SECONDS = 15.0
"""How long an ingest with a new key waits for Alpaca to say whose key it is."""

CLAIM_SECONDS = 0.1
"""How often a standby claims the lease: after a clean hand-over it must be live within a second."""


HAND_OVER_SECONDS = 1.0
"""How long a former leader leaves a lease that it has handed over to others."""


class IngestService:
    """One ingest process: stands by until it holds the lease, then leads.

    Raises from ``run``: ``UpstreamError`` if Alpaca rejects the ingest permanently,
    ``AnotherOwnerError`` if Redis has the data of another account, ``BusUnusableError`` if Redis is
    a cluster or has no such database. ``recorder`` gets everything that Alpaca sends.
    """

    def __init__(
        self,
        settings: IngestSettings,
        access: AlpacaAccess,
        source: RedisSource,
        recorder: Recorder | None = None,
    ) -> None:
        self._settings = settings
        self._access = access
        self._source = source
        self._recorder = recorder
        self._owner = access.owner
        self._identified = asyncio.Event()
        self._reach = UpstreamReach()
        self._probe = AlpacaProbe(
            lambda: AlpacaStream(access.stock_endpoint, access.key, access.secret), self._reach
        )
        self._ingest_id = f"{socket.gethostname()[:20]}-{os.getpid()}-{secrets.token_hex(3)}"

    async def run(self, stop: asyncio.Event) -> None:
        """Stand by or lead until ``stop`` is set."""
        # One client of REST for all leaderships of this process: its budget of requests must not
        # start again with a new leadership, because Alpaca's does not.
        rest = AlpacaRest(
            self._access.key,
            self._access.secret,
            data_url=self._access.data_url,
            trading_url=self._access.trading_url,
            feed=self._access.feed,
            on_exchange=None if self._recorder is None else self._recorder.exchange,
        )
        identifying = asyncio.create_task(self._identify(rest))
        probing = asyncio.create_task(self._probe.run())
        try:
            async with ingest_redis_clients(self._source) as redis, asyncio.TaskGroup() as tasks:
                watching = tasks.create_task(redis.watch.run())
                while not stop.is_set():
                    # A lost lease cannot be claimed again under its number, so each attempt to lead
                    # has a new one.
                    lease = Lease(
                        redis.commands,
                        redis.keyspace,
                        self._ingest_id,
                        lambda: self._owner,
                        lambda: self._reach.state,
                    )
                    self._reach.begin()
                    if await self._stand_by(lease, stop):
                        await self._lead(rest, redis, lease, stop)
                await cancel(watching)
        except BaseExceptionGroup as group:
            # Callers expect the one error that ends the program, and not a group.
            raise first_error(group) from None
        finally:
            await cancel(identifying, probing)
            rest.close()

    async def _identify(self, rest: AlpacaRest) -> None:
        """Learn the account's id: a new key of the same account has another digest."""
        while True:
            with suppress(RestError):
                account = await rest.account()
                # One without an id stays what its key says.
                if account_id := account.get("id"):
                    self._owner = self._owner.with_account(str(account_id))
                self._identified.set()
                return
            await asyncio.sleep(IDENTIFY_RETRY_SECONDS)

    async def _stand_by(self, lease: Lease, stop: asyncio.Event) -> bool:
        """Claim the lease until it is held; return False if ``stop`` is set first."""
        logged: str | None = None
        loop = asyncio.get_running_loop()
        identified_by = loop.time() + IDENTIFY_SECONDS
        while not stop.is_set():
            try:
                if await lease.claim():
                    return True
                reason = "another ingest leads"
                if lease.is_leader_unreachable:
                    self._probe.request()
            except AnotherOwnerError:
                # The key may be a new one of the same account, which only Alpaca can tell.
                if self._identified.is_set() or loop.time() > identified_by:
                    raise
                reason = "Redis has the data of an account with another key"
            except BusRejectedError as error:
                reason = f"Redis at {self._source.address} rejects the claim: {explained(error)}"
            except (BusUnreachableError, BusBusyError) as error:
                reason = f"Redis at {self._source.address} is unreachable: {error}"
            # Ten claims a second: logged only when the reason changes.
            if reason != logged:
                log.warning("standing_by", reason=reason)
                logged = reason
            await wait_at_most(stop, CLAIM_SECONDS)
        return False

    async def _lead(
        self, rest: AlpacaRest, redis: IngestRedisClients, lease: Lease, stop: asyncio.Event
    ) -> None:
        policy = await eviction_policy(redis.commands)
        if policy not in (None, "noeviction"):
            message = "Redis may evict the lease: set maxmemory-policy noeviction"
            log.warning("redis_evicts_keys", message=message, policy=policy)
        self._reach.begin()
        leadership = compose(
            self._settings,
            self._access,
            rest,
            redis,
            lease,
            self._reach,
            ingest_id=self._ingest_id,
            eviction_policy=policy,
            recorder=self._recorder,
        )
        try:
            await leadership.run(stop)
        except BaseExceptionGroup as group:
            # Losing the lease is part of normal operation; any other error ends the program, and
            # callers expect an UpstreamError and not a group of them.
            _, other = group.split(LeaseLostError)
            if other is not None:
                raise first_error(other) from None
            log.warning("lease_lost", reason=str(first_error(group)))
            # The standby claims ten times a second; this process must not be faster.
            if group.subgroup(HandOverError) is not None:
                await wait_at_most(stop, HAND_OVER_SECONDS)
