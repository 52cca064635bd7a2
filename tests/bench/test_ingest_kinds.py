"""The comparison of all kinds of messages with a trade: every kind gives its events."""

import asyncio
from collections.abc import Sequence
from typing import Any, get_args

import pytest

from bench import ingest
from bench.kinds import command, rows
from bench.kinds.books import Books
from bench.kinds.command import FRAMES, compare
from bench.kinds.cost import Cost, Meter, metered
from bench.kinds.jumping_loop import JumpingLoop
from bench.kinds.kind import MissingEventsError, watched
from bench.kinds.kinds import TRADE_KIND, all_kinds
from bench.kinds.report import Beside, Measured, status, table
from bench.kinds.rows import endless, numbered
from bench.kinds.ticks import Ticks
from ingest.alpaca import messages
from ingest.upstream.frame import FrameReader
from ingest.upstream.news_handler import NewsHandler
from shared.markets import STOCKS
from shared.topics import QUOTE, TRADE
from shared.waiting import wait_at_most
from simulator.crypto.book_tape import GEMINI


def measured(name: str, *ratios: Sequence[float], is_judged: bool = True) -> Measured:
    """Return a kind with a list of ratios to a trade of 4 µs for each size of a frame."""
    rounds = {
        size: [Beside(Cost(4 * each, 1_000_000, 500_000), Cost(4, 1_000_000, 1)) for each in some]
        for size, some in zip(FRAMES, ratios, strict=True)
    }
    return Measured(name, is_judged, rounds)


def lines_of(kinds: Sequence[Measured]) -> list[str]:
    return [" ".join(line.split()) for line in table(kinds).splitlines()]


def test_a_kind_is_compared_with_trades_of_the_same_round_and_frame() -> None:
    kinds = [
        measured("trade", [1, 1, 1], [1, 1, 1]),
        measured("bar", [1.25, 1, 9], [1.4, 1.4, 0.5]),
    ]

    assert lines_of(kinds)[3:] == [
        "trade 4.00 4.00 1.00 4.00 4.00 1.00 0.50 yes",
        "bar 4.00 5.00 1.25 2.00 5.60 1.40 0.50 yes",
        "No kind that is judged costs more than 1.5 trades.",
    ]
    assert status(kinds) == 0


@pytest.mark.parametrize("ratios", [([1.6], [1]), ([1], [1.6])])
def test_a_kind_above_the_limit_with_any_number_of_messages_to_a_frame_fails(
    ratios: tuple[list[float], list[float]],
) -> None:
    kinds = [measured("trade", [1], [1]), measured("halt", *ratios)]

    assert status(kinds) == 1
    assert lines_of(kinds)[-2].endswith(" NO")
    assert lines_of(kinds)[-1] == "More than 1.5 trades: halt."


def test_a_kind_that_is_not_judged_is_shown_and_cannot_fail() -> None:
    kinds = [measured("trade", [1], [1]), measured("article", [9], [9], is_judged=False)]

    assert status(kinds) == 0
    assert lines_of(kinds)[-2].endswith("9.00 0.50 not judged")


def test_every_message_of_each_kind_gives_its_event(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = set[type]()
    readers: list[Any] = [FrameReader, NewsHandler]
    for reader in readers:
        monkeypatch.setattr(reader, "apply", noting(reader.apply, seen))
    kinds = all_kinds()
    found = compare(kinds, 1, 100)

    assert seen == set(get_args(messages.Data))  # no kind is left out
    assert kinds[0].name == TRADE_KIND
    assert [each.name for each in found] == [kind.name for kind in kinds]
    assert len({each.name for each in found}) == len(found)
    assert {each.name for each in found if not each.is_judged} == {"article", "article, not scored"}
    for each in found:
        for size in FRAMES:
            [(cost, trade)] = each.rounds[size]
            assert min(cost.cpu, trade.cpu, cost.items, cost.events) > 0, each.name
            assert trade.items == 100
    assert len(table(found).splitlines()) == 3 + len(kinds) + 1


def noting(apply: Any, seen: set[type]) -> Any:
    """Return a reader's ``apply`` that notes the types of its messages."""

    def noted(reader: Any, given: Sequence[object], *rest: Any) -> Any:
        seen.update(map(type, given))
        return apply(reader, given, *rest)

    return noted


def test_messages_that_give_no_event_are_an_error_that_names_the_kind() -> None:
    symbols = sorted({row["S"] for row in rows.quotes()})
    part = watched(STOCKS, symbols, TRADE)
    unwatched = Ticks("stock quote", QUOTE, part, endless(rows.quotes()))

    with pytest.raises(MissingEventsError, match="stock quote: 50 messages gave 0 events quote"):
        unwatched.measure(10, 50)


def test_malformed_messages_are_named_by_the_error() -> None:
    given = [{**row, "p": -1} for row in rows.trades()[:50]]
    part = watched(STOCKS, {row["S"] for row in given}, TRADE)

    with pytest.raises(MissingEventsError, match="50 messages are malformed, the first one: t: "):
        Ticks("stock trade", TRADE, part, numbered(given)).measure(10, 50)


def test_a_book_that_is_shown_wrong_is_an_error() -> None:
    books = Books("Gemini", GEMINI, 50)
    whole = next(row for row in books._rows if row.get("r"))
    # Its best bid is above its best ask.
    whole["b"] = [{"p": 10 * level["p"], "s": level["s"]} for level in whole["a"]]

    with pytest.raises(MissingEventsError, match=f"{whole['S']}: The best bid"):
        books.measure(1, 1)


def test_a_loop_on_a_jumping_clock_keeps_the_order_of_timers() -> None:
    async def main() -> tuple[list[int], float]:
        ended: list[int] = []

        async def sleep(hours: int) -> None:
            await asyncio.sleep(3600 * hours)
            ended.append(hours)

        async with asyncio.TaskGroup() as tasks:
            for hours in (3, 1, 2):
                tasks.create_task(sleep(hours))
        return ended, asyncio.get_running_loop().time()

    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        ended, now = runner.run(main())

    assert ended == [1, 2, 3]
    assert now == pytest.approx(3 * 3600)


def test_a_loop_on_a_jumping_clock_rejects_a_wait_without_end() -> None:
    with (
        asyncio.Runner(loop_factory=JumpingLoop) as runner,
        pytest.raises(RuntimeError, match="no timer is left"),
    ):
        runner.run(asyncio.Event().wait())


async def test_a_metered_coroutine_waits_times_out_and_is_cancelled_like_any_other() -> None:
    meter, never = Meter(), asyncio.Event()
    timed_out, due, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        await asyncio.sleep(0)
        await wait_at_most(never, 0.0)
        timed_out.set()
        await due.wait()
        done.set()
        await never.wait()

    async def run() -> None:
        await metered(work(), meter)

    task = asyncio.create_task(run())
    await timed_out.wait()
    due.set()
    await done.wait()
    before = meter.cpu
    task.cancel()
    [ended] = await asyncio.gather(task, return_exceptions=True)

    assert isinstance(ended, asyncio.CancelledError)
    assert meter.cpu > before > 0


def test_the_exit_status_is_that_of_the_verdicts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kinds = [measured("trade", [1], [1]), measured("halt", [2], [1])]
    monkeypatch.setattr(command, "all_kinds", list)
    monkeypatch.setattr(command, "compare", lambda *_: kinds)

    assert ingest.main(["--kinds"]) == 1
    assert "More than 1.5 trades: halt." in capsys.readouterr().out


def test_missing_events_end_the_bench_with_their_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> list[Measured]:
        raise MissingEventsError("stock quote: 50 messages gave 0 events quote.")

    monkeypatch.setattr(command, "all_kinds", list)
    monkeypatch.setattr(command, "compare", fail)

    assert ingest.main(["--kinds"]) == 1
    assert "stock quote: 50 messages gave 0 events" in capsys.readouterr().err
