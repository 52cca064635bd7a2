"""Problems with Alpaca's data: all counted, the first one of a series named."""

import structlog

from ingest.upstream.malformed_data import SERIES_SECONDS, MalformedData


def test_the_first_problem_of_a_series_is_named_and_all_are_counted() -> None:
    now = 0.0
    malformed = MalformedData("stocks", lambda: now)
    with structlog.testing.capture_logs() as lines:
        malformed.note("t", "p is absent")
        malformed.note("q", "S is absent")
        assert (malformed.count, malformed.first) == (2, "t: p is absent")
        now += SERIES_SECONDS
        malformed.note("q", "S is absent")

    assert (malformed.count, malformed.first) == (3, "q: S is absent")
    levels = [line["log_level"] for line in lines]
    assert levels == ["warning", "debug", "warning"]


def test_the_text_of_a_problem_is_bounded() -> None:
    malformed = MalformedData("news")
    with structlog.testing.capture_logs() as lines:
        malformed.note("n", "x" * 1_000_000, "y" * 1_000_000)

    assert malformed.first is not None
    assert len(malformed.first) == 200
    assert len(str(lines)) < 1_000


def test_an_error_that_escaped_is_logged_with_its_traceback_once_whatever_came_before() -> None:
    malformed = MalformedData("account")
    with structlog.testing.capture_logs() as lines:
        malformed.note("TradeUpdate", "qty is absent")
        lines.clear()
        for _ in range(2):
            malformed.note_escaped("TradeUpdate", ZeroDivisionError("x"))

    assert [line["log_level"] for line in lines] == ["error", "debug"]
    assert isinstance(lines[0]["exc_info"], ZeroDivisionError)
    assert (malformed.first, malformed.count) == ("TradeUpdate: qty is absent", 3)
