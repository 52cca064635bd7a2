"""Alarms: there while there is a reason, in words that name it and the remedy."""

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.market.alarms import (
    COUNTED_SECONDS,
    Alarms,
    Facts,
    MalformedFacts,
    RecordingFacts,
    StreamFacts,
)
from shared.alarm import AlarmCode

FINE = Facts(streams=[StreamFacts("stocks", "live")], lag_ms=20.0, eviction_policy="noeviction")

FINE_DATA = MalformedFacts(0)

CASES: list[tuple[str, dict[str, Any], list[str]]] = [
    (
        "stream_failed",
        {"streams": [StreamFacts("news", "failed", "insufficient subscription")]},
        ["news", "insufficient subscription", "the plan"],
    ),
    (
        "stream_away",
        {"streams": [StreamFacts("stocks", "reconnecting", "HTTP 503", seconds=45.0)]},
        ["stocks", "45 s", "HTTP 503"],
    ),
    (
        "slot_taken",
        {"streams": [StreamFacts("stocks", "reconnecting", "connection limit", True, 12.0)]},
        ["another session", "12 s", "90 s"],
    ),
    ("lagging", {"lag_alarm": True, "lag_ms": 7300.0}, ["7.3 s", "CPU"]),
    ("clock_behind", {"is_clock_behind": True, "lag_ms": -89999.3}, ["90.0 s", "clock", "NTP"]),
    ("over_limit", {"over_limit": 12, "limit": 30}, ["12", "30", "ALPACA_SYMBOL_LIMIT"]),
    ("left_out", {"left_out": 12}, ["12 watched symbols"]),
    ("rejected_symbols", {"rejected": {"NOSUCH", "ALSO"}}, ["ALSO, NOSUCH"]),
    ("refused_symbols", {"refused": {"XYZ"}}, ["does not take XYZ", "ALPACA_FEED"]),
    ("withheld_symbols", {"withheld": {"TFPM"}}, ["withholds trades of TFPM", "restart"]),
    (
        "redis_rejects",
        {"redis_rejects": "Redis rejects the publications: OOM", "redis_waiting_seconds": 9.0},
        ["Redis rejects the publications: OOM"],
    ),
    ("redis_slow", {"redis_waiting_seconds": 2.5, "redis_conflated": 7}, ["2.5 s", "7"]),
    ("events_lost", {"events_lost": 5}, ["5 events", "gaps"]),
    (
        "events_rejected",
        {"events_rejected": 3, "first_rejection": "account: NOPERM no channel"},
        ["3 events", "account: NOPERM", "gaps", "rights"],
    ),
    (
        "history_aside",
        {"histories_aside": 1, "first_rejection": "trade:BAC: ERR equal or smaller"},
        ["1 stored history", "trade:BAC", ":aside"],
    ),
    ("unknown_conditions", {"unknown_conditions": {"C:?": 3, "A:!": 1}}, ["4 prints", "A:!, C:?"]),
    (
        "unknown_statuses",
        {"unknown_statuses": {"C:S": 2, "A:Z": 1}},
        ["3 trading statuses", "A:Z, C:S", "halted no symbol"],
    ),
    (
        "malformed",
        {"malformed": {"stocks": MalformedFacts(238, "t: p is absent"), "news": FINE_DATA}},
        ["238 items of the stocks stream", "t: p is absent", "report"],
    ),
    ("quarantined", {"quarantined": 1}, ["1 print far"]),
    ("bars_differ", {"bars_compared": 40, "bars_differ": 11}, ["11 of 40 bars"]),
    ("rest_failing", {"rest_failing_seconds": 31.0, "rest_error": "HTTP 500"}, ["31 s", "500"]),
    ("hours_unknown", {"hours_unknown_seconds": 40.0}, ["calendar", "40 s", "ALPACA_TRADING_URL"]),
    (
        "recording_stopped",
        {"recording": RecordingFacts("day.jsonl", "No space left on device", 3)},
        ["day.jsonl", "No space left on device", "3 records", "make room"],
    ),
    ("eviction_policy", {"eviction_policy": "allkeys-lru"}, ["allkeys-lru", "noeviction"]),
]


COUNTED = (
    "events_lost",
    "events_rejected",
    "history_aside",
    "unknown_conditions",
    "unknown_statuses",
    "quarantined",
    "malformed",
    "bars_differ",
)


def codes(alarms: Alarms, now: float, facts: Facts) -> list[str]:
    return [alarm.code for alarm in alarms.look(now, facts)]


def test_every_code_has_its_case() -> None:
    of_gateways = {"foreign_data"}  # the ingest cannot know what reaches a gateway

    assert {code for code, _, _ in CASES} == {*get_args(AlarmCode)} - of_gateways


def test_on_a_delayed_feed_the_alarm_of_the_clock_says_how_early_trades_come() -> None:
    facts = FINE._replace(is_clock_behind=True, lag_ms=3e5)
    [alarm] = Alarms().look(0, facts)

    assert "only 300.0 s after they happened, on a delayed feed" in alarm.text


def test_an_ingest_that_is_well_raises_none() -> None:
    assert Alarms().look(0, FINE) == []
    assert Alarms().look(0, Facts()) == []


@pytest.mark.parametrize(("code", "change", "words"), CASES)
def test_an_alarm_names_what_is_and_what_to_do(
    code: str, change: dict[str, Any], words: list[str]
) -> None:
    (alarm,) = Alarms().look(0, FINE._replace(**change))

    assert alarm.code == code
    assert [word for word in words if word not in alarm.text] == []


@pytest.mark.parametrize(("code", "change", "_"), CASES)
def test_an_alarm_ends_with_its_reason_or_five_minutes_after_what_happened_once(
    code: str, change: dict[str, Any], _: list[str]
) -> None:
    alarms = Alarms()
    wrong = FINE._replace(**change)
    assert codes(alarms, 0, wrong) == [code]

    if code in COUNTED:
        assert codes(alarms, COUNTED_SECONDS, wrong) == [code]
        assert codes(alarms, COUNTED_SECONDS + 1, wrong) == []
    else:
        assert codes(alarms, 10_000, wrong) == [code]
        assert codes(alarms, 10_001, FINE) == []


@pytest.mark.parametrize(
    "stream",
    [
        StreamFacts("stocks", "connecting", seconds=5.0),
        StreamFacts("stocks", "reconnecting", "no close frame", seconds=5.0),
        StreamFacts("stocks", "live", seconds=5.0),
    ],
)
def test_a_connection_that_has_just_gone_is_no_alarm(stream: StreamFacts) -> None:
    assert codes(Alarms(), 0, FINE._replace(streams=[stream])) == []


def test_each_stream_has_its_own_alarm() -> None:
    streams = [
        StreamFacts("stocks", "reconnecting", "taken", True, 5.0),
        StreamFacts("news", "failed", "insufficient subscription"),
    ]

    assert codes(Alarms(), 0, FINE._replace(streams=streams)) == ["slot_taken", "stream_failed"]


def test_only_the_recent_ones_of_many_are_counted() -> None:
    alarms = Alarms()
    for minute in range(20):
        (alarm,) = alarms.look(60.0 * minute, FINE._replace(quarantined=10 * (minute + 1)))

    assert alarm.text.startswith("60 prints")  # at 0, 1, … 5 minutes before


def test_a_counter_that_starts_again_counts_from_zero() -> None:
    alarms = Alarms()
    alarms.look(0, FINE._replace(quarantined=100))
    (alarm,) = alarms.look(1, FINE._replace(quarantined=2))

    assert alarm.text.startswith("2 prints")


def test_what_was_malformed_under_an_earlier_leadership_raises_no_alarm() -> None:
    alarms = Alarms({"rest": 50})
    old, new = MalformedFacts(50, "orders: old"), MalformedFacts(52, "orders: new")

    assert alarms.look(0, FINE._replace(malformed={"rest": old})) == []
    (alarm,) = alarms.look(1, FINE._replace(malformed={"rest": new}))
    assert alarm.text.startswith("2 items of")


def test_many_names_are_cut_short() -> None:
    (alarm,) = Alarms().look(0, FINE._replace(rejected=[f"X{n}" for n in range(5000)]))

    assert "X0, X1" in alarm.text
    assert "and 4990 more" in alarm.text


@given(st.lists(st.tuples(st.floats(1, 400), st.integers(0, 3)), min_size=1, max_size=60))
def test_what_is_counted_is_what_the_last_five_minutes_have_brought(
    course: list[tuple[float, int]],
) -> None:
    alarms, now, count = Alarms(), 0.0, 0
    grown: list[tuple[float, int]] = []
    for pause, more in course:
        now, count = now + pause, count + more
        grown.append((now, more))
        recent = sum(each for at, each in grown if now - at <= COUNTED_SECONDS)

        texts = [alarm.text for alarm in alarms.look(now, FINE._replace(events_lost=count))]
        assert [int(text.split()[0]) for text in texts] == ([recent] if recent else [])
