"""Detect a mute stream: by the pauses that are usual for it, and by REST's answer.

A socket may be open and answer pings while no data comes any more
(https://github.com/alpacahq/alpaca-py/issues/740). A quiet market looks the same, so the ingest
asks REST before it gives a connection up, unless REST fails too and the silence is too long for
chance.
"""

from enum import Enum, auto

from ingest.market.usual_gap import UsualGap
from shared.ingest_status import Session

SUSPECT_SECONDS, SUSPECT_GAPS = 1.0, 10
"""A silence as long as both is worth a question to REST."""

SPARSE_SECONDS, SPARSE_GAPS = 5.0, 5
"""So is one as long as both of these, on a stream that has long gaps."""

FIRST_DATA_SECONDS = 3.0
"""The same while the usual pauses are unknown."""

ODD_SECONDS = 1.0
ODD_GAPS = 12
"""After a silence as long as both, data may be missing although the stream continues. In a random
stream one in e^24 gaps is as long."""

LEARNT_GAPS = 4
"""An odd silence counts as no more than this number of usual pauses: it may be an interruption, and
must not make the next one look usual."""

ENOUGH_GAPS, ENOUGH_SECONDS = 20, 1.0
"""After this number of gaps and this time, the usual pauses are known: REST may be asked for a
trade, or for all data that a silence may have hidden."""

IMPOSSIBLE_SECONDS = 10.0
IMPOSSIBLE_GAPS = 20
"""A silence as long as both is not chance: one in e^40 random gaps is as long."""

CERTAIN_SECONDS = 10.0
"""After this time the usual pauses are known well enough for a judgement without REST."""

PAUSED_SECONDS = 1.0
"""The stream is judged four times a second: after a longer time this process was paused."""

PROBE_SECONDS = 4.0
"""A question without an answer by then counts as failed."""

PATIENCE_SECONDS, MOST_PATIENCE_SECONDS = 5.0, 60.0
"""The pause after a question, doubled with each one in the same silence: REST has a budget."""

_SHUT: frozenset[Session] = frozenset({"closed", "unknown"})


class Silence(Enum):
    """The action that a stream needs."""

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
        # The number of symbols that brought these gaps: fewer of them may be the quiet ones.
        self._usual_of = 0
        # Whether this connection has brought data. The gaps may be those of the one before.
        self._has_data = False
        self._is_waiting = False
        self._silent_since = 0.0
        self._judged_at = 0.0
        self._asked_at: float | None = None
        self._answered_at = -MOST_PATIENCE_SECONDS
        self._patience = PATIENCE_SECONDS
        self._has_failed = False
        self._is_mute = False

    def begin(self, now: float) -> None:
        """Start with a new connection: it has no subscription yet.

        The usual pauses remain known, because the same symbols are subscribed again.
        """
        self._has_data = self._is_waiting = False
        self._subscribed = 0
        self._end_silence(now)

    def on_data(self, now: float, messages: int) -> None:
        """Apply the number of data messages in a frame, which may be zero."""
        if messages:
            self._usual.learn(self._gap_to_learn(now))
            self._has_data = True
            self._end_silence(now)

    def _gap_to_learn(self, now: float) -> float:
        """Return the silence that ends now, as far as it tells the pace of the stream."""
        # Before its first data a connection has no gap, and this process may have been paused.
        if not self._has_data or now - self._judged_at > PAUSED_SECONDS:
            return 0.0
        silence = now - self._silent_since
        return min(silence, LEARNT_GAPS * self._usual.seconds) if self.is_odd(now) else silence

    def is_odd(self, now: float) -> bool:
        """Return whether data may be missing after the present silence.

        To be asked before ``on_data`` ends the silence.
        """
        silence = now - self._silent_since
        return (
            silence >= ODD_SECONDS
            and self._session not in _SHUT
            and self._knows_usual_gap()
            and silence >= ODD_GAPS * self._usual.seconds
        )

    def on_subscribed(self, now: float) -> None:
        """Start the wait for the first data: Alpaca has acknowledged new symbols."""
        # Only once: if each change of the demand restarted it, it would hide a mute stream.
        if not self._is_waiting and not self._has_data:
            self._is_waiting = True
            self._end_silence(now)

    def judge(self, now: float, session: Session, subscribed: int) -> Silence:
        """Return the action for this session and number of acknowledged symbols.

        To be called twice a second.
        """
        # The silence before an opening was no silence of the stream, and another session has
        # another pace.
        if session != self._session:
            self._usual = UsualGap()
            self._has_data = self._is_waiting = False
            self._end_silence(now)
        elif not self._subscribed:
            self._end_silence(now)
        elif subscribed < self._subscribed:
            self._usual = UsualGap()  # the symbols that remain may be the quiet ones
        was_paused = now - self._judged_at > PAUSED_SECONDS
        self._session, self._subscribed, self._judged_at = session, subscribed, now
        if self._has_data:
            self._usual_of = subscribed
        if session in _SHUT or not subscribed:
            return Silence.FINE
        silence = now - self._silent_since
        # REST has a trade that the stream lacks. Or REST is down too, as in a network failure,
        # and such a silence is not chance.
        if self._is_mute or (self._is_impossible(silence) and self._lacks_answer(now)):
            return Silence.MUTE
        # After a pause of this process the data waits to be read.
        if self._asked_at is None and not was_paused and self._is_suspicious(now):
            # An answer in this very silence was "nothing new": the next question can wait longer.
            if self._answered_at > self._silent_since:
                self._patience = min(2 * self._patience, MOST_PATIENCE_SECONDS)
            self._asked_at = now
        return Silence.FINE if self._asked_at is None else Silence.SUSPECT

    def on_probe(self, now: float, *, newer: bool | None) -> None:
        """Apply REST's answer to a suspicion; it is void if data came meanwhile.

        ``newer``: REST has a trade from after its symbol's acknowledgement that the stream has had
        the time to bring and did not. None if REST failed.
        """
        if self._asked_at is None:  # data came while REST was asked
            return
        self._asked_at, self._answered_at = None, now
        self._has_failed = newer is None
        self._is_mute = newer is True

    def _is_suspicious(self, now: float) -> bool:
        enough = FIRST_DATA_SECONDS
        if self._knows_usual_gap():
            usual = self._usual.seconds
            enough = min(
                max(SUSPECT_SECONDS, SUSPECT_GAPS * usual),
                max(SPARSE_SECONDS, SPARSE_GAPS * usual),
            )
        return (
            now - max(self._silent_since, self._answered_at) >= enough
            and now - self._answered_at >= self._patience
        )

    def _knows_usual_gap(self) -> bool:
        return (
            self._usual.count >= ENOUGH_GAPS
            and self._usual.learnt >= ENOUGH_SECONDS
            and self._subscribed >= self._usual_of
        )

    def _is_impossible(self, silence: float) -> bool:
        # With no answer from REST, only the pace of this very connection counts.
        is_certain = self._has_data and self._usual.learnt >= CERTAIN_SECONDS
        return (
            is_certain
            and self._knows_usual_gap()
            and silence >= max(IMPOSSIBLE_SECONDS, IMPOSSIBLE_GAPS * self._usual.seconds)
        )

    def _lacks_answer(self, now: float) -> bool:
        return self._has_failed or (
            self._asked_at is not None and now - self._asked_at >= PROBE_SECONDS
        )

    def _end_silence(self, now: float) -> None:
        self._silent_since = now
        if self._asked_at is not None:  # data is the answer
            self._answered_at = self._asked_at
            self._asked_at = None
        self._patience = PATIENCE_SECONDS
        self._has_failed = self._is_mute = False
