"""``GET /api/bars``: the stored bars, those of the ingest before them, and where they end."""

import asyncio
import time
from typing import Any, get_args

import httpx
import msgspec
import pytest
from redis.asyncio import Redis

from gateway.bus import bar_history
from gateway.bus.bar_history import BarHistory
from gateway.bus.malformed import MalformedData
from gateway.bus.older_bars import BarQuery, OlderBarsAnswer
from gateway.http import chart_bars, held_rows, piecewise_response
from gateway.http.piecewise_response import PiecewiseResponse
from shared import bar, message, rfc3339
from shared.bar import Bar
from shared.bus import keys
from shared.bus.redis_source import RedisSource
from shared.bus.valkey_server import ValkeyServer
from shared.event_id import NEVER, EventId
from shared.request import Adjustment
from tests.bars import FIRST, minute_bar, minute_of, running_bars, start
from tests.keyspace import KEYSPACE
from tests.services import running_gateway

TOPIC = "bar.1Min:SPY"


async def asked(url: str, status: int = 200, **query: Any) -> dict[str, Any]:
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{url}/api/bars", params={"symbols": "SPY", **query})
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


def minutes(answer: dict[str, Any], symbol: str = "SPY") -> list[tuple[int, float]]:
    """Return the minute and the close of each bar of a symbol."""
    return [(minute_of(bar["timestamp"]), bar["close"]) for bar in answer["bars"][symbol]]


async def test_the_newest_bars_come_oldest_first_as_they_were_published(
    any_source: RedisSource,
) -> None:
    async with running_bars(any_source) as bars, running_gateway(any_source) as url:
        await bars.publish(*(minute_bar(minute) for minute in range(5)))
        answer = await asked(url, symbols="spy,IBM", limit=2)
        epoch = bars.publisher.next_id().epoch

    assert list(answer) == ["timeframe", "bars", "complete_from", "last_event_id"]
    assert answer["timeframe"] == "1Min"
    assert list(answer["bars"]) == ["SPY", "IBM"]
    assert [bar["timestamp"] for bar in answer["bars"]["SPY"]] == [start(3), start(4)]
    assert answer["bars"]["SPY"][1] == {
        "event_id": f"{epoch}-5",
        "symbol": "SPY",
        "open": 1.0,
        "high": 2.5,
        "low": 0.5,
        "close": 1.0,
        "volume": 100.0,
        "trade_count": 3,
        "vwap": 1.125,
        "revision": 0,
        "final": True,
        "timestamp": start(4),
    }
    assert answer["bars"]["IBM"] == []
    assert answer["complete_from"] == {"SPY": None, "IBM": None}
    assert answer["last_event_id"] == f"{epoch}-5"


async def test_the_running_bar_is_the_last_one_and_a_revision_replaces_its_bar(
    any_source: RedisSource,
) -> None:
    async with running_bars(any_source) as bars, running_gateway(any_source) as url:
        await bars.publish(minute_bar(0, 1.0), minute_bar(1, 1.0))
        await bars.publish(minute_bar(2, 1.5), running=True)
        await bars.publish(minute_bar(0, 2.0, revision=1))
        answer = await asked(url)

    assert minutes(answer) == [(0, 2.0), (1, 1.0), (2, 1.5)]


async def test_each_timeframe_has_its_bars(any_source: RedisSource) -> None:
    async with running_bars(any_source) as bars, running_gateway(any_source) as url:
        for number, timeframe in enumerate(bar.KINDS):
            await bars.publish(minute_bar(number), timeframe=timeframe)
        found = [minutes(await asked(url, timeframe=timeframe)) for timeframe in bar.KINDS]

    assert found == [[(number, 1.0)] for number in range(5)]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"start": start(1), "end": start(3)}, [1, 2, 3]),
        ({"start": "2025-11-16T10:01:30-05:00"}, [2, 3, 4, 5]),
        ({"end": "2025-11-16T15:02:59.9Z"}, [0, 1, 2]),
        ({"end": start(3), "limit": 2}, [2, 3]),
        ({"start": start(1), "limit": 2}, [4, 5]),
        ({"start": "2025-11-16"}, [0, 1, 2, 3, 4, 5]),
        ({"start": "2025-11-17"}, []),
        ({"end": "2025-11-16"}, [0, 1, 2, 3, 4, 5]),
        ({"end": "2025-11-15"}, []),
        ({"start": start(9)}, []),
        ({"end": "2025-11-16T16:01:00 01:00"}, [0, 1]),
    ],
)
async def test_a_range_includes_both_ends_and_a_date_is_a_day_in_new_york(
    any_source: RedisSource, query: dict[str, Any], found: list[int]
) -> None:
    async with running_bars(any_source) as bars, running_gateway(any_source) as url:
        await bars.publish(*(minute_bar(minute) for minute in range(6)))
        answer = await asked(url, **query)

    assert [minute for minute, _ in minutes(answer)] == found


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"start": "yesterday"}, "start='yesterday' is neither a time nor a date"),
        ({"end": "2025-02-30"}, "end='2025-02-30' is neither a time nor a date"),
        ({"end": "2025-11-16T15:00"}, "end='2025-11-16T15:00' is neither a time nor a date"),
        ({"start": "0001-01-01"}, "start='0001-01-01' is neither a time nor a date"),
        ({"end": "9999-12-31"}, "end='9999-12-31' is neither a time nor a date"),
        ({"limit": "10001"}, "limit=10001: "),
        ({"adjustment": "dividends"}, "adjustment='dividends': "),
        (
            {"start": "2025-11-17", "end": "2025-11-16"},
            "start='2025-11-17' is after end='2025-11-16'",
        ),
        ({"limit": "many"}, "limit='many': "),
        ({"timeframe": "2Min"}, "timeframe='2Min': "),
    ],
)
async def test_a_wrong_value_is_named_with_the_remedy(query: dict[str, Any], says: str) -> None:
    async with running_gateway(RedisSource("memory://")) as url:
        answer = await asked(url, 400, **query)

    assert answer["error"]["code"] == "bad_value"
    assert says in answer["error"]["message"]


async def test_it_is_stated_from_when_on_the_bars_are_complete(any_source: RedisSource) -> None:
    async with running_bars(any_source) as bars, running_gateway(any_source) as url:
        await bars.fill(minute_bar(2), minute_bar(3), since=1)
        await bars.publish(minute_bar(4))
        answers = [
            await asked(url, **query)
            for query in ({}, {"limit": 2}, {"start": start(3)}, {"start": start(0)})
        ]

    # The minute 1 had no trade. Two bars of three are complete from the first of them.
    expected = [start(1), start(3), start(3), start(1)]
    assert [answer["complete_from"]["SPY"] for answer in answers] == expected


async def test_bars_that_redis_has_trimmed_are_not_claimed(
    any_source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "bar_bounds", lambda: dict.fromkeys(bar.KINDS.values(), 3))
    async with running_bars(any_source) as bars, running_gateway(any_source) as url:
        await bars.fill(*(minute_bar(minute) for minute in range(5)), since=0)
        answer = await asked(url)

    assert [minute for minute, _ in minutes(answer)] == [2, 3, 4]
    assert answer["complete_from"]["SPY"] == start(2)


async def test_the_answer_holds_the_events_that_came_while_it_was_read(
    any_source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bar_history, "READ_AT_ONCE", 100)
    async with running_bars(any_source) as bars, any_source.client("gateway") as client:
        await bars.publish(minute_bar(0), minute_bar(0, symbol="IBM"))
        history = BarHistory(client, KEYSPACE, MalformedData())
        read = history._stored

        async def read_and_publish(*given: Any) -> Any:
            found = await read(*given)
            await bars.publish(minute_bar(0, 7.0, revision=1), minute_bar(1, symbol="IBM"))
            return found

        monkeypatch.setattr(history, "_stored", read_and_publish)
        query = BarQuery("1Min", ("SPY", "IBM"), None, None, 100, "split")
        found = await history.read(query)
        published = await client.get(KEYSPACE.published)

    assert str(found.last_event_id).encode() == published
    closes = {
        symbol: [_decoded(each).close for each in some] for symbol, some in found.bars.items()
    }
    assert closes == {"SPY": [7.0], "IBM": [1.0, 1.0]}


def _decoded(body: bytes) -> Bar:
    return msgspec.json.decode(body, type=Bar)


@pytest.mark.parametrize("what", ["a reload", "a flush"])
async def test_bars_are_read_again_if_they_changed_altogether_meanwhile(
    any_source: RedisSource, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    async with running_bars(any_source) as bars, any_source.client("gateway") as client:
        await bars.publish(minute_bar(0, 100.0))
        history = BarHistory(client, KEYSPACE, MalformedData())
        read, reads = history._stored, 0

        async def read_and_change(*given: Any) -> Any:
            nonlocal reads
            reads += 1
            found = await read(*given)
            if reads == 1 and what == "a reload":
                await bars.fill(minute_bar(0, 10.0), since=0)
                bars.announcer.reload("1Min", "SPY", "split", start(0))
                await bars.published()
            elif reads == 1:
                await client.flushall()
            return found

        monkeypatch.setattr(history, "_stored", read_and_change)
        found = await history.read(BarQuery("1Min", ("SPY",), None, None, 100, "split"))

    assert reads == 2
    expected = [10.0] if what == "a reload" else []
    assert [_decoded(each).close for each in found.bars["SPY"]] == expected
    assert (found.last_event_id == NEVER) == (what == "a flush")


async def test_if_they_change_all_the_time_the_position_is_from_before_the_changes(
    any_source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_bars(any_source) as bars, any_source.client("gateway") as client:
        await bars.publish(minute_bar(0))
        history = BarHistory(client, KEYSPACE, MalformedData())
        read, positions = history._stored, []

        async def read_and_reload(*given: Any) -> Any:
            positions.append(EventId.parse(await client.get(KEYSPACE.published) or b""))
            found = await read(*given)
            bars.announcer.reload("1Min", "SPY", "filled", start(0))
            await bars.published()
            return found

        monkeypatch.setattr(history, "_stored", read_and_reload)
        found = await history.read(BarQuery("1Min", ("SPY",), None, None, 100, "split"))

    assert len(positions) == bar_history.ATTEMPTS
    assert found.last_event_id == positions[-1]


async def test_foreign_contents_are_left_out(source: RedisSource) -> None:
    async with running_bars(source) as bars, running_gateway(source) as url:
        await bars.publish(minute_bar(0))
        foreign = {"foreign": FIRST + 1, "1-9\nno json": FIRST + 2, '1-9\n{"a":1}': FIRST + 3}
        await bars.client.zadd(KEYSPACE.bars(TOPIC), foreign)
        await bars.client.set(KEYSPACE.bars("bar.1Min:IBM"), "foreign")
        await bars.client.hset(KEYSPACE.whole_bars, TOPIC, "foreign")
        answer = await asked(url, symbols="SPY,IBM")

    assert minutes(answer) == [(0, 1.0)]
    assert answer["bars"]["IBM"] == []
    assert answer["complete_from"] == {"SPY": None, "IBM": None}


class Older:
    """What the ingest answers; notes the queries."""

    def __init__(self, first: int, *, complete_from: int | None, close: float = 9.0) -> None:
        self.queries: list[BarQuery] = []
        self._first = first
        self._complete_from = complete_from
        self._close = close

    async def read(self, query: BarQuery) -> OlderBarsAnswer:
        self.queries.append(query)
        bars = [
            (FIRST + minute * 60, _stamped(minute_bar(minute, self._close)))
            for minute in range(self._first, 3)
        ]
        return OlderBarsAnswer(
            dict.fromkeys(query.symbols, bars), dict.fromkeys(query.symbols, self._complete_from)
        )


def _stamped(made: Bar) -> bytes:
    return message.stamp(NEVER, bar.encode(made))


async def history_with(
    client: Redis, older: Older, *symbols: str, **given: Any
) -> tuple[dict[str, list[tuple[int, float]]], dict[str, int | None]]:
    query = BarQuery("1Min", symbols or ("SPY",), None, None, 100, "split")._replace(**given)
    found = await BarHistory(client, KEYSPACE, MalformedData(), older).read(query)
    shown = {
        symbol: [(minute_of(_decoded(b).timestamp), _decoded(b).close) for b in some]
        for symbol, some in found.bars.items()
    }
    return shown, dict(found.complete_from)


async def test_the_ingest_is_asked_only_for_what_redis_does_not_have(
    any_source: RedisSource,
) -> None:
    older = Older(-2, complete_from=FIRST - 120)
    async with running_bars(any_source) as bars:
        for symbol in ("SPY", "IBM"):
            await bars.fill(*(minute_bar(n, symbol=symbol) for n in range(4)), since=0)
        await bars.fill(minute_bar(0, symbol="F"), since=0)
        shown, since = await history_with(bars.client, older, "SPY", "IBM", "F", limit=3)
        await history_with(bars.client, older, start=FIRST)

    assert [query.symbols for query in older.queries] == [("F",)]
    assert shown["SPY"] == [(1, 1.0), (2, 1.0), (3, 1.0)]
    assert shown["F"] == [(-2, 9.0), (-1, 9.0), (0, 1.0)]
    assert since == {"SPY": FIRST + 60, "IBM": FIRST + 60, "F": FIRST - 120}


async def test_of_bars_that_are_not_kept_whole_only_the_newest_count(
    any_source: RedisSource,
) -> None:
    older = Older(-1, complete_from=FIRST - 60)
    async with running_bars(any_source) as bars:
        await bars.publish(minute_bar(0, 1.0), minute_bar(3, 1.0))
        await bars.publish(minute_bar(4, 1.5), running=True)
        shown, since = await history_with(bars.client, older)

    assert shown == {"SPY": [(-1, 9.0), (0, 9.0), (1, 9.0), (2, 9.0), (3, 1.0), (4, 1.5)]}
    assert since == {"SPY": FIRST - 60}


@pytest.mark.parametrize("adjustment", get_args(Adjustment))
async def test_for_bars_of_the_future_no_ingest_is_asked(
    source: RedisSource, adjustment: str
) -> None:
    older, tomorrow = Older(-2, complete_from=FIRST - 120), int(time.time()) + 24 * 3600
    async with source.client("test") as client:
        shown, complete_from = await history_with(
            client, older, start=tomorrow, adjustment=adjustment
        )

    assert (shown, complete_from) == ({"SPY": []}, {"SPY": tomorrow})
    assert older.queries == []


@pytest.mark.parametrize("adjustment", sorted({*get_args(Adjustment)} - {"split"}))
async def test_bars_of_another_scale_are_the_ingests_and_the_stored_ones_after_them(
    any_source: RedisSource, adjustment: str
) -> None:
    older = Older(0, complete_from=FIRST, close=100.0)
    async with running_bars(any_source) as bars:
        await bars.fill(*(minute_bar(n, 10.0) for n in range(4)), since=0)
        shown, _ = await history_with(bars.client, older, adjustment=adjustment)

    assert shown == {"SPY": [(0, 100.0), (1, 100.0), (2, 100.0), (3, 10.0)]}


async def test_a_chart_of_two_hundred_symbols_is_one_request(source: RedisSource) -> None:
    symbols = [f"A{number}" for number in range(200)]
    async with running_bars(source) as bars, running_gateway(source) as url:
        day = [minute_bar(minute) for minute in range(390)]
        filled = {f"bar.1Min:{symbol}": day for symbol in symbols}
        await bars.store.fill(
            filled, bars.publisher.next_id(), whole_since=dict.fromkeys(filled, FIRST)
        )
        answer = await asked(url, symbols=",".join(symbols), limit=390)

    assert {len(bars) for bars in answer["bars"].values()} == {390}
    assert set(answer["complete_from"].values()) == {start(0)}


async def test_more_bars_than_one_answer_holds_are_rejected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(chart_bars, "MAX_BARS", 30)
    async with running_gateway(RedisSource("memory://")) as url:
        rejected = await asked(url, 400, symbols="A,B,C", limit=11)
        await asked(url, symbols="A,B,C", limit=10)
        accepted = await asked(url, 503, symbols="A,B,C", start=start(0))

    assert accepted["error"]["code"] == "no_ingest"  # that is all it lacks
    assert rejected["error"] == {
        "code": "too_many_bars",
        "message": "3 symbols with 11 bars each were requested; the maximum is 30 bars in one "
        "request",
        "hint": "request fewer symbols, or limit=10",
    }


async def test_more_bars_than_the_gateway_holds_at_a_time_are_rejected_for_now(
    any_source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_rows, "MAX_ROWS_HELD", 150)
    reading, go_on = asyncio.Event(), asyncio.Event()
    read = BarHistory.read

    async def read_slowly(history: BarHistory, query: BarQuery) -> Any:
        reading.set()
        await go_on.wait()
        return await read(history, query)

    monkeypatch.setattr(BarHistory, "read", read_slowly)
    async with running_bars(any_source), running_gateway(any_source) as url:
        first = asyncio.create_task(asked(url))
        await reading.wait()
        rejected = await asked(url, 429)
        go_on.set()
        await first
        await asked(url)

    assert rejected["error"]["code"] == "busy"


async def test_what_fails_or_is_not_read_holds_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(piecewise_response, "PIECE_SECONDS", 0.01)
    ended: list[bool] = []
    sent: list[Any] = []

    async def send(event: Any) -> None:
        sent.append(event)
        if event["type"] == "http.response.body":
            await asyncio.Event().wait()

    answer = PiecewiseResponse([b"a", b"b"], lambda: ended.append(True))
    await answer({}, _nothing, send)

    assert [event.get("body") for event in sent] == [None, b"a"]
    assert ended == [True]


async def _nothing() -> Any:
    return {}


@pytest.mark.parametrize("path", ["/api/bars?symbols=SPY", "/api/prices?symbols=SPY"])
async def test_without_redis_stored_values_are_rejected_with_a_time_to_retry(
    valkey: ValkeyServer, path: str
) -> None:
    async with (
        running_gateway(RedisSource(valkey.url)) as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        await valkey.stop()
        answer = await client.get(path)

    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "redis_unavailable")
    assert answer.headers["retry-after"]


@pytest.mark.parametrize(
    ("symbols", "first", "last"),
    [
        (("SPY",), "2026-07-01T04:00:00Z", "2026-07-02T03:59:59.999999999Z"),
        (("BTC/USD",), "2026-07-01T05:00:00Z", "2026-07-02T04:59:59.999999999Z"),
        (("SPY", "BTC/USD"), "2026-07-01T04:00:00Z", "2026-07-02T04:59:59.999999999Z"),
    ],
)
def test_a_date_is_the_day_of_each_market(symbols: tuple[str, ...], first: str, last: str) -> None:
    day = "2026-07-01"

    assert rfc3339.from_nanoseconds(chart_bars._first_ns("start", day, symbols)) == first
    assert rfc3339.from_nanoseconds(chart_bars._last_ns("end", day, symbols)) == last
