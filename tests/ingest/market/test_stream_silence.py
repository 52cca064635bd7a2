"""Mute streams are found, quiet ones are left alone."""

import random
from collections.abc import Callable, Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.market.stream_silence import PATIENCE_SECONDS, Silence, StreamSilence
from shared.ingest_status import Session
from tests.examples import examples

FINE, SUSPECT, MUTE = Silence.FINE, Silence.SUSPECT, Silence.MUTE
TICK = 0.25
"""How often the ingest judges."""

Answer = Callable[[float], bool | None]


class Stream:
    """A stream in time, judged four times a second; REST answers after ``delay`` seconds."""

    def __init__(self, answer: Answer = lambda _: False, delay: float = 0.2) -> None:
        self.silence = StreamSilence()
        self.now = 1000.0
        self.session: Session = "regular"
        self.subscribed = 5
        self.verdicts: list[Silence] = []
        self.asked: list[float] = []
        self._answer, self._delay = answer, delay
        self._answer_at: float | None = None
        self._judged_at = self.now
        self.silence.begin(self.now)
        self.judge()

    def judge(self) -> Silence:
        self._judged_at = self.now
        if self._answer_at is not None and self.now >= self._answer_at:
            self.silence.on_probe(self.now, newer=self._answer(self.now))
            self._answer_at = None
        verdict = self.silence.judge(self.now, self.session, self.subscribed)
        if verdict is SUSPECT and self._answer_at is None:
            self.asked.append(self.now)
            self._answer_at = self.now + self._delay
        self.verdicts.append(verdict)
        return verdict

    def play(self, gaps: Iterable[float]) -> None:
        """Bring a frame after each gap, judging meanwhile."""
        for gap in gaps:
            until = self.now + gap
            while self.now + TICK < until:
                self.now += TICK
                self.judge()
            self.now = until
            self.silence.on_data(self.now, 1)
            if self.now - self._judged_at >= TICK:
                self.judge()

    def stay_silent(self, seconds: float) -> float | None:
        """Bring nothing; return after how many seconds the stream was found mute, if it was."""
        began = self.now
        while self.now < began + seconds:
            self.now += TICK
            if self.judge() is MUTE:
                return self.now - began
        return None


def test_a_silence_is_suspicious_before_it_is_mute() -> None:
    stream = Stream(lambda _: True)
    stream.play([0.05] * 240)

    assert stream.stay_silent(60) == pytest.approx(1.25)
    assert stream.verdicts[-2:] == [SUSPECT, MUTE]


def test_the_pace_of_a_lost_connection_is_expected_of_the_next_one() -> None:
    stream = Stream(lambda _: True)
    stream.play([0.05] * 240)
    stream.silence.begin(stream.now)
    stream.judge()
    stream.silence.on_subscribed(stream.now)

    assert stream.stay_silent(60) == pytest.approx(1.25)


def test_the_pace_of_a_lost_connection_is_no_proof_if_rest_fails_too() -> None:
    stream = Stream(lambda _: None)
    stream.play([0.05] * 240)
    stream.silence.begin(stream.now)
    stream.silence.on_subscribed(stream.now)

    assert stream.stay_silent(600) is None


def test_the_pace_of_more_symbols_is_not_expected_of_fewer() -> None:
    stream = Stream(lambda _: True)
    stream.play([0.05] * 240)
    stream.judge()
    stream.silence.begin(stream.now)
    stream.subscribed = 1
    stream.judge()
    stream.silence.on_subscribed(stream.now)

    assert stream.stay_silent(60) == pytest.approx(3.25)


@pytest.mark.parametrize("is_paused", [False, True])
def test_one_interruption_makes_the_next_silence_no_more_usual(is_paused: bool) -> None:
    stream = Stream()
    stream.play([0.05] * 100)
    if is_paused:  # the process itself: it does not judge meanwhile
        stream.now += 4.0
        assert stream.judge() is FINE, "the data waits to be read"
        stream.silence.on_data(stream.now, 1)
    else:
        stream.play([4.0])
    stream.play([0.05] * 100)
    asked = len(stream.asked)
    stream.stay_silent(4)

    assert len(stream.asked) == asked + 1


def test_after_a_second_the_pace_of_a_dense_stream_is_known() -> None:
    stream = Stream(lambda _: True)
    stream.play([0.025] * 50)

    assert stream.silence.is_odd(stream.now + 1)
    assert stream.stay_silent(60) == pytest.approx(1.25, abs=TICK)


def test_mute_lasts_until_data_or_a_new_connection() -> None:
    stream = Stream(lambda _: True)
    stream.play([0.1] * 120)
    stream.stay_silent(60)

    assert stream.judge() is MUTE
    stream.silence.on_data(stream.now, 1)
    assert stream.judge() is FINE

    stream.stay_silent(60)
    assert stream.judge() is MUTE
    stream.silence.begin(stream.now)
    assert stream.judge() is FINE


def test_a_stream_that_never_brought_anything_is_asked_for_after_three_seconds() -> None:
    quiet, mute = Stream(), Stream(lambda _: True)

    assert quiet.stay_silent(300) is None
    assert quiet.asked[0] - 1000 == 3
    assert mute.stay_silent(300) == pytest.approx(3.25)


def test_without_rest_a_stream_of_unknown_rate_is_never_given_up() -> None:
    assert Stream(lambda _: None).stay_silent(600) is None


def test_a_question_that_is_never_answered_counts_as_failed() -> None:
    stream = Stream(delay=1e9)
    stream.play([0.1] * 120)

    assert stream.stay_silent(60) == pytest.approx(10)
    assert len(stream.asked) == 1


def test_an_answer_that_data_has_overtaken_means_nothing() -> None:
    stream = Stream(lambda _: True, delay=1)
    stream.play([0.1] * 120)
    stream.stay_silent(5)
    stream.silence.on_data(stream.now, 1)
    stream.stay_silent(1)

    assert stream.judge() is FINE


def test_a_question_that_data_has_overtaken_counts_against_the_budget() -> None:
    stream = Stream(delay=3)
    stream.play([*[0.1] * 600, 6.0, *[0.1] * 10, 9.0])

    first, second = stream.asked
    assert second - first >= PATIENCE_SECONDS


def test_the_first_wait_begins_with_the_first_acknowledgement() -> None:
    stream = Stream(lambda _: True)
    stream.stay_silent(2)
    stream.silence.on_subscribed(stream.now)
    assert stream.stay_silent(2) is None
    assert stream.stay_silent(2) is not None


@pytest.mark.parametrize("frames", [0, 120])
def test_demand_that_changes_all_the_time_hides_no_mute_stream(frames: int) -> None:
    stream = Stream(lambda _: True)
    stream.play([0.1] * frames)
    found = []
    for step in range(5):
        stream.subscribed = 5 - step % 2
        stream.silence.on_subscribed(stream.now)
        found.append(stream.stay_silent(4))

    assert any(found)


def test_what_was_usual_is_forgotten_when_symbols_leave() -> None:
    stream = Stream(lambda _: None)
    stream.play([0.1] * 120)
    stream.subscribed = 1

    assert stream.stay_silent(600) is None


def test_frames_without_data_end_no_silence() -> None:
    stream = Stream(lambda _: True)
    stream.play([0.1] * 120)
    stream.stay_silent(4)
    stream.silence.on_data(stream.now, 0)

    assert stream.stay_silent(2) is not None


def test_at_the_close_what_was_usual_is_forgotten() -> None:
    stream = Stream(lambda _: None)
    stream.play([0.05] * 1000)
    stream.session = "post"

    assert stream.stay_silent(600) is None


def test_bursts_do_not_make_the_pauses_between_them_impossible() -> None:
    stream = Stream(lambda _: None)
    stream.play(([0.001] * 300 + [20.0]) * 20)

    assert MUTE not in stream.verdicts


def test_one_silence_is_asked_about_more_and_more_rarely() -> None:
    stream = Stream(delay=0)
    stream.play([0.1] * 120)
    stream.stay_silent(400)

    pauses = [round(b - a) for a, b in pairwise(stream.asked)]
    assert pauses[:6] == [5, 10, 20, 40, 60, 60]


@given(st.data())
def test_while_nothing_can_come_everything_is_fine(data: st.DataObject) -> None:
    stream = Stream(lambda _: True)
    for _ in range(data.draw(st.integers(1, 10))):
        stream.session = data.draw(st.sampled_from(["closed", "unknown", "regular", "overnight"]))
        stream.subscribed = data.draw(st.integers(0, 2))
        seen = len(stream.verdicts)
        stream.play(data.draw(st.lists(st.sampled_from([0.1, 1.0, 20.0]), max_size=20)))
        stream.stay_silent(data.draw(st.sampled_from([0.0, 20.0])))
        if stream.session in ("closed", "unknown") or not stream.subscribed:
            assert set(stream.verdicts[seen:]) <= {FINE}


@given(
    seed=st.integers(0, 2**32),
    mean=st.floats(0.02, 0.25),
    lull=st.floats(0, 9),
    answer=st.sampled_from([True, None]),
    delay=st.floats(0, 3),
)
@examples(times=0.5)
def test_a_liquid_stream_that_falls_mute_is_found_within_15_seconds(
    seed: int, mean: float, lull: float, answer: bool | None, delay: float
) -> None:
    chance = random.Random(seed)  # noqa: S311 - a market, no secret
    is_mute = False
    stream = Stream(lambda _: answer if is_mute else False, delay)
    for pause in (0.0, lull if answer else 0.0):  # without REST, a lull makes silence likelier
        stream.play([pause, *(chance.expovariate(1 / mean) for _ in range(int(60 / mean)))])
    is_mute = True

    found = stream.stay_silent(60)

    assert found is not None
    assert found <= 15


@given(
    gaps=st.lists(st.floats(0.001, 400) | st.floats(0.001, 0.5), min_size=1, max_size=60),
    times=st.integers(1, 4),
    delay=st.floats(0, 3),
)
def test_a_stream_of_any_rate_is_kept_while_rest_knows_no_more_and_rest_is_spared(
    gaps: list[float], times: int, delay: float
) -> None:
    stream = Stream(delay=delay)
    stream.play(gaps * times)

    assert MUTE not in stream.verdicts
    pauses = [b - a for a, b in pairwise(stream.asked)]
    assert all(pause >= PATIENCE_SECONDS for pause in pauses)


@given(seed=st.integers(0, 2**32), mean=st.floats(0.01, 20))
def test_a_steady_stream_outlives_a_rest_that_always_fails(seed: int, mean: float) -> None:
    chance = random.Random(seed)  # noqa: S311 - a market, no secret
    stream = Stream(lambda _: None)
    stream.play(chance.expovariate(1 / mean) for _ in range(300))

    assert MUTE not in stream.verdicts


def test_a_silence_that_is_long_for_the_stream_is_odd() -> None:
    stream = Stream()
    stream.play([0.1] * 120)

    assert not stream.silence.is_odd(stream.now + 1.1)
    assert stream.silence.is_odd(stream.now + 1.3)


@pytest.mark.parametrize("known", [1.5, 4.0, 60.0])
def test_each_of_several_interruptions_is_odd(known: float) -> None:
    stream = Stream()
    stream.play([0.05] * round(known / 0.05))
    for _ in range(5):
        assert stream.silence.is_odd(stream.now + 1.5)
        stream.play([1.5, *[0.05] * 40])


@pytest.mark.parametrize(("gap", "session"), [(0.1, "closed"), (5.0, "regular")])
def test_a_silence_is_not_odd_where_it_is_usual(gap: float, session: Session) -> None:
    stream = Stream()
    stream.session = session
    stream.play([gap] * 120)
    stream.judge()

    assert not stream.silence.is_odd(stream.now + 50)
