"""Since when events that nobody repeats are missed."""

from ingest.demand.unheard import Unheard


def test_a_key_is_missed_from_its_first_loss_until_it_is_heard_again() -> None:
    unheard = Unheard()
    unheard.add(["SPY", "IBM"], 5.0)
    unheard.add(["SPY"], 7.0)

    assert unheard.take_heard({"SPY", "IBM"}, lambda key: key == "SPY") == [("SPY", 5.0)]
    assert unheard.take_heard({"SPY", "IBM"}, lambda _: True) == [("IBM", 5.0)]
    assert unheard.take_heard({"SPY", "IBM"}, lambda _: True) == []


def test_a_key_that_nobody_watches_is_forgotten() -> None:
    unheard = Unheard()
    unheard.add(["SPY", "IBM"], 5.0)

    assert unheard.take_heard({"IBM"}, lambda _: False) == []
    assert unheard.take_heard({"SPY", "IBM"}, lambda _: True) == [("IBM", 5.0)]
