"""A connection of a delayed feed that has brought nothing yet: is it mute?"""

from typing import Any

import pytest

from ingest.market.lag import Lag
from ingest.market.stream_silence import StreamSilence
from ingest.upstream import mute_stream
from ingest.upstream.mute_stream import MuteStream
from ingest.upstream.stream_times import StreamTimes
from ingest.upstream.suspected_losses import CLOCKS_SECONDS
from ingest.upstream.upstream_error import UpstreamError

DELAY = 900.0
SUBSCRIBED_AT = 1_796_000_000.0
CALL = "SPY261218C00500000"


class Rest:
    """Stands for the snapshots: ``newest`` is the time of REST's newest trade, unix s."""

    def __init__(self, newest: float) -> None:
        self.newest = newest

    async def probe(self, symbols: Any) -> dict[str, int]:
        return dict.fromkeys(symbols, int(self.newest * 1e9))


def judge_of(newest_at_rest: float) -> MuteStream:
    """Return the judge of a connection that has been silent for ten seconds."""
    silence, times = StreamSilence(), StreamTimes(SUBSCRIBED_AT)
    silence.begin(0.0)
    for quarter in range(40):
        silence.judge(quarter / 4, "regular", 1)
    times.on_acknowledged({CALL}, SUBSCRIBED_AT)
    rest: Any = Rest(newest_at_rest)
    return MuteStream(
        silence,
        Lag(DELAY * 1000),
        rest,
        times,
        lambda: "regular",
        lambda: {CALL},
        lambda _: -1,
        lambda: -1,
        monotonic=lambda: 10.0,
        clock=lambda: SUBSCRIBED_AT + 10,
    )


async def answers(_: float) -> bool:
    return True


@pytest.fixture(autouse=True)
def _no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mute_stream, "ON_ITS_WAY_SECONDS", 0.0)


async def test_a_delayed_trade_that_was_due_after_the_subscription_shows_that_it_is() -> None:
    # Late by its nature means roughly: up to a tenth less.
    due = SUBSCRIBED_AT - 0.9 * DELAY + CLOCKS_SECONDS + 1

    with pytest.raises(UpstreamError, match="mute"):
        await judge_of(due).check(answers)


async def test_one_that_was_due_before_the_subscription_shows_nothing() -> None:
    await judge_of(SUBSCRIBED_AT - DELAY - 1).check(answers)
