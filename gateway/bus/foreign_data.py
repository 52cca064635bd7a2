"""Messages on this deployment's channels whose ids its lease has not given."""

import time
from collections.abc import Callable

import structlog

from gateway.wire.principal import MARKET, scope_of
from shared.alarm import Alarm
from shared.event_id import EventId
from shared.topics import kind_of

log = structlog.get_logger()

ALARM_SECONDS = 300.0
"""How long the alarm stands after the last such message."""

_REMEDY = (
    "give each deployment on this Redis its own REDIS_NAMESPACE or database, and upgrade those up "
    "to version 0.1.0"
)


class ForeignData:
    """Counts the rejected messages, logs the first of a series, and is an alarm for a while.

    ``monotonic`` gives seconds.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.rejected = 0
        self._monotonic = monotonic
        self._last_at: float | None = None
        self._last_epoch = 0

    def reject(self, topic: bytes, event_id: EventId) -> None:
        """Note a message of another deployment, or with a forged id."""
        is_new = not self._is_recent or event_id.epoch != self._last_epoch
        self.rejected += 1
        self._last_at = self._monotonic()
        self._last_epoch = event_id.epoch
        # Another deployment publishes thousands a second.
        if is_new:
            name = topic.decode(errors="replace")
            # The topic may name a held symbol, and the log has more readers than the account.
            shown = name if scope_of(name) == MARKET else kind_of(name)
            log.error(
                "foreign_data_rejected",
                message=f"Redis has a message that no ingest of this deployment sent: {_REMEDY}",
                topic=shown,
                event_id=str(event_id),
            )

    @property
    def alarms(self) -> list[Alarm]:
        """The alarm while such messages arrive, and for five minutes after the last."""
        if not self._is_recent:
            return []
        text = (
            f"{self.rejected} messages from Redis were rejected: their ids, such as those of epoch "
            f"{self._last_epoch}, are not from this deployment's lease; {_REMEDY}"
        )
        return [Alarm("foreign_data", text)]

    @property
    def _is_recent(self) -> bool:
        last_at = self._last_at
        return last_at is not None and self._monotonic() - last_at < ALARM_SECONDS
