"""Is a stream mute? Silence is judged by what is usual for it, and by REST's word.

A socket may be open and answer pings while no data comes any more. A quiet market looks the same,
so REST is asked before a connection is given up, unless REST fails too and such a silence cannot
be chance.
"""

from enum import Enum, auto

from ingest.market.usual_gap import UsualGap
from shared.ingest_status import Session

SUSPECT_SECONDS = 5.0
SUSPECT_GAPS = 5
"""A silence as long as both is worth a question."""

FIRST_DATA_SECONDS = 10.0
"""The same where nothing is known of what is usual."""

ODD_SECONDS = 1.0
ODD_GAPS = 20
"""After a silence as long as both something may be missing, although the stream goes on."""

IMPOSSIBLE_SECONDS = 10.0
IMPOSSIBLE_GAPS = 20
"""A silence as long as both is no chance: of random gaps, one in e^40."""

ENOUGH_GAPS, ENOUGH_SECONDS = 20, 10.0
"""From so many gaps and so much time on something is known of what is usual."""

PROBE_SECONDS = 4.0
"""A question that has no answer by then counts as failed."""

PATIENCE_SECONDS, MOST_PATIENCE_SECONDS = 10.0, 60.0
"""The pause after a question, doubled with each one in the same silence: REST has a budget."""

_SHUT: frozenset[Session] = frozenset({"closed", "unknown"})


class Silence(Enum):
    """What to do about a stream."""

    FINE = auto()
    SUSPECT = auto()
    """Ask REST whether there are trades that the stream did not bring."""
    MUTE = auto()
    """Reconnect."""


class StreamSilence:
    """Judges one stream's silence; ``now`` is monotonic seconds everywhere."""

    def __init__(self) -> None:
        self._session: Session = "unknown"
        self._subscribed = 0
        self._usual = UsualGap()
        self._is_waiting = False
        self._silent_since = 0.0
        self._asked_at: float | None = None
        self._answered_at = -MOST_PATIENCE_SECONDS
        self._patience = PATIENCE_SECONDS
        self._has_failed = False
        self._is_mute = False

    def begin(self, now: float) -> None:
        """Start over with a new connection: nothing is subscribed, nothing known of its rate."""
        self._usual = UsualGap()
        self._is_waiting = False
        self._end_silence(now)

    def on_data(self, now: float, messages: int) -> None:
        """Take the number of data messages in a frame, which may be none."""
        if messages:
            self._usual.learn(now - self._silent_since if self._usual.count else 0.0)
            self._end_silence(now)

    def is_odd(self, now: float) -> bool:
        """Say whether the silence is one after which something may be missing; ask before data."""
        silence = now - self._silent_since
        return (
            silence >= ODD_SECONDS
            and self._session not in _SHUT
            and self._knows_what_is_usual()
            and silence >= ODD_GAPS * self._usual.seconds
        )

    def on_subscribed(self, now: float) -> None:
        """Take that something new was acknowledged: the wait for the first data starts now.

        It starts once: demand that changes all the time would hide a mute stream.
        """
        if not self._is_waiting and not self._usual.count:
            self._is_waiting = True
            self._end_silence(now)

    def judge(self, now: float, session: Session, subscribed: int) -> Silence:
        """Say what to do in a session with so many symbols acknowledged; ask twice a second."""
        if session != self._session or not self._subscribed:
            self.begin(now)
        elif subscribed < self._subscribed:
            self._usual = UsualGap()  # the symbols that are left may be the quiet ones
        self._session, self._subscribed = session, subscribed
        if session in _SHUT or not subscribed:
            return Silence.FINE
        silence = now - self._silent_since
        if self._is_mute or (self._is_impossible(silence) and self._has_no_word(now)):
            return Silence.MUTE
        if self._asked_at is None and self._is_suspicious(now):
            if self._answered_at > self._silent_since:
                self._patience = min(2 * self._patience, MOST_PATIENCE_SECONDS)
            self._asked_at = now
        return Silence.FINE if self._asked_at is None else Silence.SUSPECT

    def on_probe(self, now: float, *, newer: bool | None) -> None:
        """Take REST's answer to a suspicion; one that data has overtaken means nothing.

        ``newer`` is true if REST knows a trade from after its symbol's acknowledgement that the
        stream has had the time to bring and did not, and None if REST failed.
        """
        if self._asked_at is None:
            return
        self._asked_at, self._answered_at = None, now
        self._has_failed = newer is None
        self._is_mute = newer is True

    def _is_suspicious(self, now: float) -> bool:
        enough = FIRST_DATA_SECONDS
        if self._knows_what_is_usual():
            enough = max(SUSPECT_SECONDS, SUSPECT_GAPS * self._usual.seconds)
        return (
            now - max(self._silent_since, self._answered_at) >= enough
            and now - self._answered_at >= self._patience
        )

    def _knows_what_is_usual(self) -> bool:
        return self._usual.count >= ENOUGH_GAPS and self._usual.learnt >= ENOUGH_SECONDS

    def _is_impossible(self, silence: float) -> bool:
        return self._knows_what_is_usual() and silence >= max(
            IMPOSSIBLE_SECONDS, IMPOSSIBLE_GAPS * self._usual.seconds
        )

    def _has_no_word(self, now: float) -> bool:
        return self._has_failed or (
            self._asked_at is not None and now - self._asked_at >= PROBE_SECONDS
        )

    def _end_silence(self, now: float) -> None:
        self._silent_since = now
        if self._asked_at is not None:
            self._answered_at = self._asked_at
            self._asked_at = None
        self._patience = PATIENCE_SECONDS
        self._has_failed = self._is_mute = False
