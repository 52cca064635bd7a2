"""The way of a request, counted in files."""

from bench.path import Call, Figures, measure


def test_a_move_back_leads_to_a_file_that_was_visited_before() -> None:
    files = ["gateway/service.py", "gateway/settings.py", "gateway/service.py"]
    calls = [Call(file, "run") for file in [*files, files[-1], "shared/event_id.py", files[0]]]

    found = Figures.of(calls)

    assert (found.files, found.functions, found.calls) == (3, 3, 6)
    assert (found.moves, found.back) == (4, 2)


def test_no_calls_make_no_moves() -> None:
    assert Figures.of([]) == (0, 0, 0, 0, 0, 0)


async def test_a_request_is_followed_from_the_connection_to_ready() -> None:
    for calls in (await measure(rounds=1)).values():
        assert Call("gateway/http/limits.py", "connection_made") in calls
        assert "gateway/fanout/hub.py" in {call.file for call in calls}
        assert Call("gateway/http/sinks.py", "write") in calls
