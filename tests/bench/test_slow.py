from bench.fanout.slow import Woken

NEWEST = {"IBM": 7, "SPY": 9}


def event(seq: int, symbol: str) -> bytes:
    return b'event: price\ndata: {"event_id":"1-%d","symbol":"%b"}\n\n' % (seq, symbol.encode())


def test_what_a_newer_value_follows_is_stale() -> None:
    backlog = event(1, "SPY") + event(2, "IBM")

    woken = Woken.of(backlog + event(7, "IBM") + event(9, "SPY"), NEWEST, late_after=5)

    assert (woken.stale, woken.stale_late, woken.newest) == (2, 0, True)
    assert len(event(1, "SPY")) < woken.stale_bytes < len(backlog)


def test_stale_values_of_the_last_half_are_counted_apart() -> None:
    data = event(1, "SPY") + event(6, "SPY") + event(7, "IBM") + event(9, "SPY")

    woken = Woken.of(data, NEWEST, late_after=5)

    assert (woken.stale, woken.stale_late) == (2, 1)


def test_a_symbol_whose_newest_value_is_missing_is_told() -> None:
    assert not Woken.of(event(9, "SPY"), NEWEST, late_after=5).newest
    assert not Woken.of(event(6, "IBM") + event(9, "SPY"), NEWEST, late_after=5).newest
