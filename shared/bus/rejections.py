"""The work that Redis rejects at present: logged once in Redis' words, and again when it is over.

A rejection is an answer. The connection is well, so none of the code that watches connections
notices it: the work that was rejected has to report it.
"""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import MappingProxyType

import structlog

from shared.bus.errors import BusError, BusRejectedError, BusUnreachableError

log = structlog.get_logger()

FORGET_SECONDS = 30.0
"""A rejection that is not repeated for this long proves nothing any more."""

_IN_SCRIPT = re.compile(r",? script: (?:[0-9a-f]+, )?on @\w+:\d+\.?$")

_REMEDIES = MappingProxyType(
    {
        "OOM": "raise Redis' maxmemory, or find the keys that fill it",
        "NOPERM": "the Redis user lacks a right: deploy/redis-users.acl has those that it needs "
        "(since Redis 7 a new user may use no channel)",
        "NOAUTH": "REDIS_URL needs the user and the password",
        "WRONGPASS": "correct the user or the password in REDIS_URL",
        "WRONGTYPE": "another program uses one of Tapecast's keys: delete the key, and give each "
        "program its own Redis or REDIS_NAMESPACE",
        "MISCONF": "Redis cannot write its snapshot: make room on its disk, or turn its snapshots "
        "off",
        "NOREPLICAS": "Redis has fewer replicas than its min-replicas-to-write",
        "BUSY": "a script of another program occupies Redis: SCRIPT KILL ends it",
    }
)
"""By the code of Redis' answer. Other answers stand for themselves."""


def explained(error: BusError) -> str:
    """Return the text of an error, with the remedy if it is an answer that has one."""
    # The place in a script differs between works that have the same cause.
    words = _IN_SCRIPT.sub("", str(error))
    remedy = _REMEDIES.get(error.code) if isinstance(error, BusRejectedError) else None
    return words if remedy is None else f"{words.rstrip('.')}; {remedy}"


class Rejections:
    """The kinds of work that Redis rejects; ``on_change`` is called when they change.

    Work that is repeated until it succeeds ends its own rejection. That of other work is forgotten
    after a while.
    """

    def __init__(
        self,
        on_change: Callable[[], None] = lambda: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on_change = on_change
        self._monotonic = monotonic
        self._present: dict[str, _Rejection] = {}

    @property
    def reason(self) -> str | None:
        """A sentence with each rejected work, Redis' answers and the remedies; None if none is."""
        limit = self._monotonic() - FORGET_SECONDS
        works: dict[str, list[str]] = {}
        for work, rejection in self._present.items():
            if rejection.last_at < limit:
                continue
            works.setdefault(rejection.words, []).append(work)
        # Most often one answer, such as OOM, concerns several kinds of work.
        sentences = [f"Redis rejects {_listed(some)}: {words}" for words, some in works.items()]
        return "; ".join(sentences) or None

    def of(self, work: str) -> str | None:
        """Return the answer by which Redis rejects a kind of work, with the remedy; else None."""
        rejection = self._present.get(work)
        return None if rejection is None else rejection.words

    @contextmanager
    def watch(self, work: str) -> Iterator[None]:
        """Follow an attempt, whose errors are raised as usual.

        ``work`` completes "Redis rejects …": ``the publications``.
        """
        try:
            yield
        except BusRejectedError as error:
            self.on_rejected(work, error)
            raise
        except BusUnreachableError:
            # The watchers of the connection report the loss. When it is back it may lead to another
            # server, or to one that was repaired.
            if self._present.pop(work, None) is not None:
                self._on_change()
            raise
        self.on_accepted(work)

    def on_rejected(self, work: str, error: BusRejectedError) -> None:
        """Note a rejection; repetitions are not logged."""
        now, before = self._monotonic(), self._present.get(work)
        if before is not None and before.last_at < now - FORGET_SECONDS:
            before = None
        # Repeated several times a second for as long as it lasts. Another code is another cause.
        if before is not None and before.code == error.code:
            before.last_at = now
            return
        words = explained(error)
        log.warning("redis_rejects", message=f"Redis rejects {work}: {words}", work=work)
        self._present[work] = _Rejection(error.code, words, now)
        self._on_change()

    def on_connection_lost(self) -> None:
        """Forget all rejections silently: the loss concerns all work alike."""
        if self._present:
            self._present.clear()
            self._on_change()

    def on_accepted(self, work: str) -> None:
        """Note that Redis has done the work; logged if it rejected it before."""
        # Once for each attempt of each work, so the usual case is a test of an empty dictionary.
        if self._present and (over := self._present.pop(work, None)) is not None:
            seconds = round(self._monotonic() - over.since, 1)
            message = f"Redis no longer rejects {work}"
            log.info("redis_accepts", message=message, work=work, seconds=seconds)
            self._on_change()


class _Rejection:
    """The code and the words of an answer, and when Redis gave it first and last."""

    __slots__ = ("code", "last_at", "since", "words")

    def __init__(self, code: str, words: str, since: float) -> None:
        self.code = code
        self.words = words
        self.since = self.last_at = since


def _listed(works: list[str]) -> str:
    *most, last = works
    return f"{', '.join(most)} and {last}" if most else last
