"""Wrong tokens and tickets: counted, reported at intervals, and slowed down by address."""

import asyncio
import math
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
from starlette.requests import Request

from gateway.http.api_error import ApiError
from gateway.http.client_address import counted_as

log = structlog.get_logger()

ALLOWED = 20
"""How many wrong tokens and tickets an address may send at once. Then it is slowed down."""

PER_MINUTE = 20
"""How many more of them it may send in a minute."""

ADDRESSES = 10_000
"""How many addresses are remembered: those that failed last, about 3 MB."""

LOG_SECONDS = 60.0

SUSPECTS_AT_ONCE = 4
"""How many tickets of slowed-down addresses are looked up in Redis at the same time."""


@dataclass(slots=True)
class _Failures:
    """How many failures of an address are not yet forgiven, as of a time in seconds."""

    count: float
    at: float


class FailedAttempts:
    """The wrong tokens and tickets of each address; IPv6 addresses count by their /64.

    A right token or ticket is always accepted, also from an address that sends wrong ones: many
    users may share it. So this protects no weak token; it limits what wrong ones cost.

    ``clock`` gives seconds.
    """

    def __init__(self, clock: Callable[[], float], log_seconds: float = LOG_SECONDS) -> None:
        self.total = 0
        self._clock = clock
        self._log_seconds = log_seconds
        self._failures: OrderedDict[str, _Failures] = OrderedDict()
        self._unreported: Counter[str] = Counter()
        self._overlooked = 0
        self._failed = asyncio.Event()
        self._suspects = asyncio.Semaphore(SUSPECTS_AT_ONCE)

    def on_failure(self, request: Request) -> ApiError | None:
        """Count a wrong token or ticket; return the rejection if its address sends too many."""
        address, now = counted_as(request), self._clock()
        self._note(address)
        failures = self._failures.pop(address, None) or _Failures(0, now)
        failures.count = _unforgiven(failures, now) + 1
        failures.at = now
        self._failures[address] = failures
        if len(self._failures) > ADDRESSES:
            self._failures.popitem(last=False)
        if failures.count <= ALLOWED:
            return None
        # Not more: an address that stops is forgiven within a minute.
        failures.count = min(failures.count, ALLOWED + PER_MINUTE)
        return _too_many(math.ceil((failures.count - ALLOWED) * 60 / PER_MINUTE))

    def is_suspect(self, request: Request) -> bool:
        """Return whether a request's address has sent too many wrong tokens or tickets."""
        failures = self._failures.get(counted_as(request))
        return failures is not None and _unforgiven(failures, self._clock()) > ALLOWED

    @asynccontextmanager
    async def turn(self, request: Request) -> AsyncIterator[None]:
        """Wait for a turn to ask Redis about a ticket: a few suspects at a time, others at once."""
        if not self.is_suspect(request):
            yield
            return
        async with self._suspects:
            yield

    async def run(self) -> None:
        """Log failures until cancelled: the first at once, then a line at intervals."""
        while True:
            await self._failed.wait()
            self._report()
            await asyncio.sleep(self._log_seconds)

    def _note(self, address: str) -> None:
        self.total += 1
        if address in self._unreported or len(self._unreported) < ADDRESSES:
            self._unreported[address] += 1
        else:
            self._overlooked += 1
        self._failed.set()

    def _report(self) -> None:
        [(address, most)] = self._unreported.most_common(1)
        log.warning(
            "credentials_rejected",
            message="wrong tokens or tickets; the address that sent most of them is named",
            count=self._unreported.total() + self._overlooked,
            addresses=len(self._unreported),
            address=address,
            most=most,
        )
        self._unreported.clear()
        self._overlooked = 0
        self._failed.clear()


def _unforgiven(failures: _Failures, now: float) -> float:
    # The clock may be set back.
    return max(0.0, failures.count - max(0.0, now - failures.at) * PER_MINUTE / 60)


def _too_many(seconds: int) -> ApiError:
    return ApiError(
        429,
        code="too_many_failures",
        message="this address has sent too many wrong tokens or tickets",
        hint="a right token is accepted at any time; otherwise try again after Retry-After seconds",
        # Another try costs another connection.
        headers={"Retry-After": str(seconds), "Connection": "close"},
    )
