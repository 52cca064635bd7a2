"""The claim to be *the* ingest: it expires, is renewed, and its number exposes an older claim."""

import asyncio
import time
from collections.abc import Callable
from importlib.resources import files

import structlog
from redis.asyncio import Redis

from ingest.reach import Reach
from shared.bus import keys
from shared.bus.errors import BusError, BusRejectedError, bus_errors
from shared.bus.keys import Keyspace
from shared.bus.owner import Owner
from shared.bus.redis_source import COMMAND_TIMEOUT_SECONDS
from shared.bus.rejections import explained

log = structlog.get_logger()

LEASE_RENEW_SECONDS = 0.5

RENEW_RETRY_SECONDS = 0.1
"""The pause after a renewal that Redis did not answer: it may be back at any moment. Shorter than
the publisher's, so that a Redis that comes back empty gets the new number before the next batch."""

ALONE_SECONDS = 30.0
"""How long after the end of its lease an ingest that cannot reach Redis keeps leading, if it knows
no standby: another ingest may come, reach Redis, and need Alpaca's only slot."""

BESIDE_STANDBY_SECONDS = 1.5
"""The same if a standby has been seen: it may hold the lease by then. A shorter pause of Redis does
not cost the connection to Alpaca."""

STALE_CLAIM_MILLISECONDS = 1_000
"""A standby's claim that has waited longer in a stalled Redis gives no lease. The standby does not
wait for its answer any more, and the leader has to be able to renew first."""

STANDBY_MILLISECONDS = 3_000

UNRENEWED_MILLISECONDS = 1_000
"""A leader that has missed two renewals, and has no connection to Redis, has died."""

WITNESS_SECONDS = 1.0
"""How long a standby must have followed with no interruption to say so: after a failover it may be
back sooner than the leader."""

_OWNED = b"owned by "
_LED = b"led"

_RELEASE = """
local holder = string.match(redis.call('GET', KEYS[1]) or '', '^%S+ %d+')
if holder == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""


class LeaseLostError(Exception):
    """This process no longer leads; it must not publish its values."""


class HandOverError(LeaseLostError):
    """This process leaves the lease to a standby that can do what it cannot."""


class AnotherOwnerError(Exception):
    """Redis has the data of another account than this ingest's; the text names the remedy."""


def _explained(owner: Owner, mine: Owner | None) -> str:
    return (
        "this Redis has the data of another Alpaca account: its ingest has "
        f"{owner.described}{'' if mine is None else f', this one {mine.described}'}; "
        "set REDIS_NAMESPACE for this deployment or choose another database in REDIS_URL, or, if "
        "this account replaces the other, stop all processes and empty the database"
    )


def _warn_of_endless(key: str) -> None:
    log.warning(
        "lease_endless",
        message=f"{key} had no expiry, or a long one: another program wrote it; it ends in 2.5 s, "
        "and then an ingest can lead. Give each program its own Redis or REDIS_NAMESPACE",
    )


class Lease:
    """The claim of one process. ``epoch`` is its fencing number, 0 until it first holds the lease.

    ``owner`` gives the account of this ingest, None if it has none to distinguish. ``reach`` says
    whether it reaches Alpaca.

    ``republish_due`` is set whenever the values stored in Redis may be older than the published
    ones: at a new epoch, and when Redis is reachable again. The code that republishes clears it.

    An event may be published only after ``valid`` has returned: while Redis is unreachable for
    longer than the lease lasts, another process may lead.
    """

    def __init__(
        self,
        client: Redis,
        keyspace: Keyspace,
        ingest_id: str,
        owner: Callable[[], Owner | None] = lambda: None,
        reach: Callable[[], Reach] = lambda: Reach.UNKNOWN,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.epoch = 0
        self.republish_due = asyncio.Event()
        self.is_leader_unreachable = False
        """Whether another ingest leads that does not reach Alpaca."""
        self.rejection: str | None = None
        """Redis' answer, with the remedy, while it rejects the renewal."""
        self._keyspace = keyspace
        self._ingest_id = ingest_id
        self._owner = owner
        self._reach = reach
        self._claim = client.register_script(
            files("ingest.bus").joinpath("claim.lua").read_text(encoding="utf-8")
        )
        self._release = client.register_script(_RELEASE)
        self._monotonic = monotonic
        self._valid_until = 0.0
        self._reachable = True
        self._has_followed = False
        # The other ingest beside this leader: its reach, or "none".
        self._standby = "none"
        self._follows_since: float | None = None
        """Since when Redis has answered each claim of this standby."""
        # Redis' time in ms at the last refusal, and the monotonic time of that claim.
        self._refused: tuple[int, float] | None = None
        self._renewed = asyncio.Event()

    async def claim(self) -> bool:
        """Take or renew the lease; return whether this process holds it.

        The answer is False if another process holds the lease, or has held it since this one did.
        It is False, too, if Redis was emptied while this process stood by: the leader may want it
        back.

        Raises:
            BusError: Redis is unreachable or rejects the script.
            AnotherOwnerError: Redis has the data of another account.
        """
        asked_at = self._monotonic()
        # None if the claim fails.
        follows_since, self._follows_since = self._follows_since, None
        with bus_errors():
            answer = await self._ask(asked_at, follows_since)
        if answer.startswith(_OWNED):
            self._valid_until = 0.0
            raise AnotherOwnerError(_explained(Owner.parse(answer[len(_OWNED) :]), self._owner()))
        first, second, *rest = answer.split()
        if first == _LED:
            self._has_followed = True
            self._follows_since = asked_at if follows_since is None else follows_since
            self._valid_until = 0.0
            self._refused = int(second), asked_at
            self.is_leader_unreachable = b"unreachable" in rest
            if b"endless" in rest:
                _warn_of_endless(self._keyspace.lease)
            return False
        # Redis counts the lease's time from some moment after the question. To count from the
        # question is therefore safe: we stop before Redis gives the lease to another process.
        self._valid_until = asked_at + keys.LEASE_MILLISECONDS / 1000
        epoch, self._standby = int(first), second.decode()
        if epoch != self.epoch:
            log.info("lease_taken", epoch=epoch)
        # A Redis with a disk comes back with the lease and the counter but without its newest
        # values, so the same epoch is no proof that they are still stored.
        if epoch != self.epoch or not self._reachable:
            self.epoch, self._reachable = epoch, True
            self.republish_due.set()
        self._renewed.set()
        return True

    async def _ask(self, asked_at: float, follows_since: float | None) -> bytes:
        names = self._keyspace
        is_witness = follows_since is not None and asked_at - follows_since >= WITNESS_SECONDS
        answer: bytes = await self._claim(
            keys=[names.lease, names.epoch, names.owner, names.standby],
            args=[
                self._ingest_id,
                keys.LEASE_MILLISECONDS,
                self.epoch,
                int(self._has_followed),
                str(self._owner() or ""),
                str(self._reach()),
                self._not_after(asked_at),
                STANDBY_MILLISECONDS,
                UNRENEWED_MILLISECONDS if is_witness else "",
                names.interest_channel,
            ],
        )
        return answer

    def _not_after(self, now: float) -> int | str:
        """Return until when (Redis' time in ms) a claim made now may give a new lease."""
        # A leader's own renewal always counts. A standby that knows no time yet has just started.
        if self.epoch or self._refused is None:
            return ""
        millis, at = self._refused
        return millis + round((now - at) * 1000) + STALE_CLAIM_MILLISECONDS

    async def renew(self) -> None:
        """Renew until cancelled; short losses of Redis do not end it.

        Raises:
            LeaseLostError: another process leads or has led, or Redis was unreachable for too long.
            HandOverError: a standby reaches Alpaca, and this process does not.
            AnotherOwnerError: Redis has the data of another account: it was emptied, or replaced.
        """
        while True:
            was_reachable = self._reachable
            try:
                async with asyncio.timeout(self._claim_seconds()):
                    if not await self.claim():
                        raise LeaseLostError("another ingest leads")
                self.rejection = None
                if not was_reachable:
                    log.info("redis_connected")
                is_unreachable = self._reach() is Reach.UNREACHABLE
                if is_unreachable and self._standby == Reach.REACHES:
                    raise HandOverError("a standby reaches Alpaca, and this ingest does not")
                # A standby may reach Alpaca at any moment.
                await asyncio.sleep(RENEW_RETRY_SECONDS if is_unreachable else LEASE_RENEW_SECONDS)
            except (BusError, TimeoutError) as error:
                rejected = isinstance(error, BusRejectedError)
                self.rejection = explained(error) if isinstance(error, BusRejectedError) else None
                # Logged once per loss, not five times a second while it lasts. A Redis that is out
                # of memory answers but does not renew.
                if was_reachable:
                    event = "lease_renewal_rejected" if rejected else "redis_unreachable"
                    log.warning(event, error=str(error) or "no answer")
                self._reachable = False
                # A Redis that rejects the renewal rejects a standby's claim, too.
                limit = ALONE_SECONDS if rejected else self._limit()
                if self._monotonic() - self._valid_until > limit:
                    raise LeaseLostError("redis was unreachable for too long") from error
                await asyncio.sleep(RENEW_RETRY_SECONDS)

    def _limit(self) -> float:
        """Return how long after the end of the lease this process leads if Redis is unreachable."""
        return ALONE_SECONDS if self._standby == "none" else BESIDE_STANDBY_SECONDS

    def _claim_seconds(self) -> float:
        """Return the limit of a renewal: none lasts beyond the time at which to stop leading."""
        left = self._valid_until + self._limit() - self._monotonic()
        return min(max(left, RENEW_RETRY_SECONDS), COMMAND_TIMEOUT_SECONDS)

    @property
    def valid_seconds(self) -> float:
        """For how long the lease is certainly held, from now on; 0 if it is not."""
        return max(self._valid_until - self._monotonic(), 0.0)

    async def valid(self) -> int:
        """Wait until the lease is certainly held, and return its epoch."""
        while not self.valid_seconds:
            self._renewed.clear()
            await self._renewed.wait()
        return self.epoch

    async def release(self) -> None:
        """Give up the lease, if it is held, so that a standby need not wait for its expiry.

        Raises:
            BusError: Redis is unreachable; the lease expires by itself.
        """
        self._valid_until = 0.0
        # A renewal that was cancelled on its way may still reach Redis after this, on another
        # connection. It then takes the free lease again, which a standby can claim 2.5 s later.
        with bus_errors():
            mine = f"{self._ingest_id} {self.epoch}"
            await self._release(keys=[self._keyspace.lease], args=[mine])
