"""Watched tapes with no slot in the stream: since when REST has to bring their prints."""

from ingest.demand.polled_tapes import LATE_SECONDS, SLOT_SECONDS, PolledTapes


def test_prints_are_missing_since_shortly_before_the_slot_was_seen_to_be_lost() -> None:
    tapes = PolledTapes()
    tapes.follow(["A"], 100.0)
    tapes.follow(["A", "B"], 103.0)

    assert tapes.missing_since == {"A": 100.0 - SLOT_SECONDS, "B": 103.0 - SLOT_SECONDS}


def test_rest_is_asked_again_about_the_time_shortly_before_its_answer() -> None:
    tapes = PolledTapes()
    tapes.follow(["A"], 100.0)
    tapes.on_fetched(["A", "B"], 102.0)
    assert tapes.missing_since == {"A": 100.0 - SLOT_SECONDS}, "no later than what it knew then"
    tapes.on_fetched(["A"], 200.0)

    assert tapes.missing_since == {"A": 200.0 - LATE_SECONDS}


def test_the_prints_until_the_stream_brings_it_again_are_missing_once() -> None:
    tapes = PolledTapes()
    tapes.follow(["A", "B"], 100.0)
    tapes.on_fetched(["A"], 200.0)
    tapes.follow(["B"], 201.0)

    assert tapes.take_ended() == {"A": 200.0 - LATE_SECONDS}
    assert tapes.take_ended() == {}
    assert tapes.missing_since.keys() == {"B"}
