"""The requests to REST, and the use of the responses."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from structlog.testing import capture_logs

from ingest.bus.stored_prices import StoredPrices
from ingest.demand import lookups
from ingest.demand.lookups import Reason
from ingest.demand.wanted import Demand
from ingest.market.adjusted_closes import AdjustedCloses
from ingest.market.prints import TradeId
from ingest.market.rest_prints import RestPrint
from ingest.market.snapshot import Snapshot
from ingest.market.trading_day import day_of
from ingest.upstream import daily_closes, snapshots, translation
from ingest.upstream.alpaca_rest import AlpacaRest
from ingest.upstream.snapshots import Snapshots
from shared.bus.malformed_stored import MalformedStored
from shared.bus.redis_source import RedisSource
from shared.bus.rejections import Rejections
from shared.price import Price
from shared.quote import Quote
from shared.symbol_status import SymbolStatus
from simulator import DEFAULT_KEY, DEFAULT_SECRET
from simulator.service import Simulator, SimulatorSettings
from tests.ingest.demand.wants import Clock, names
from tests.ingest.trades import NOON, SECOND, ns
from tests.ingest.upstream.rest_stub import (
    RestStub,
    closed,
    printed,
    stubbed,
    symbols_of,
    traded,
)
from tests.keyspace import KEYSPACE
from tests.services import until

DAY = 24 * 3600 * SECOND


class Heard:
    """Records its calls."""

    def __init__(self) -> None:
        self.ours: set[str] = set()
        self.fails_for = ""
        self.quotes: list[Quote] = []
        self.restored: list[str] = []
        self.taken: list[tuple[str, Reason]] = []
        self.snapshots: dict[str, Snapshot | None] = {}
        self.closes: dict[str, float | None] = {}
        self.contradicted: dict[str, int] = {}
        self.caught_up: list[tuple[str, TradeId | None]] = []
        self.gaps: list[tuple[list[str], float]] = []
        self.unusable: list[str] = []
        self.listed: dict[str, bool] = {}

    def restore_status(self, status: SymbolStatus) -> None:
        raise AssertionError(f"{status} was never published")

    def restore_quote(self, quote: Quote) -> None:
        self.quotes.append(quote)

    def restore(self, price: Price) -> bool:
        self.restored.append(price.symbol)
        return price.symbol not in self.ours

    def on_unusable_snapshot(self, symbol: str) -> None:
        self.unusable.append(symbol)

    def on_asset(self, symbol: str, *, listed: bool) -> None:
        assert symbol not in self.listed, "asked once"
        self.listed[symbol] = listed

    def on_snapshot(
        self,
        symbol: str,
        snapshot: Snapshot | None,
        adjusted: AdjustedCloses | None,
        reason: Reason,
        asked_at: float,
    ) -> None:
        assert asked_at > 0
        if symbol == self.fails_for:
            raise ZeroDivisionError
        self.taken.append((symbol, reason))
        self.snapshots[symbol] = snapshot
        self.closes[symbol] = None if adjusted is None else adjusted.before(day_of(NOON))

    def withdrawable_since(self, _symbol: str) -> float | None:
        return None

    def take_contradicted(self) -> dict[str, int]:
        contradicted, self.contradicted = self.contradicted, {}
        return contradicted

    def on_missed_prints(self, symbol: str, prints: Sequence[RestPrint], _since_ns: int) -> None:
        self.caught_up += [(symbol, each.trade.id) for each in prints]

    def on_unrepairable_gap(self, symbols: Sequence[str], since: float) -> None:
        self.gaps.append((sorted(symbols), since))

    def times(self, symbol: str, reason: Reason | None = None) -> int:
        return sum(each == symbol and (reason is None or why is reason) for each, why in self.taken)


class Stage:
    """Snapshots with what they stand on, at a time of our own."""

    def __init__(self, rest: AlpacaRest) -> None:
        self.now = NOON
        self.demand = Demand(Clock())
        self.polled: list[str] = []
        self.withheld: dict[str, float] = {}
        self.heard = Heard()
        self.redis = RedisSource("memory://").client("test")
        self.work = Snapshots(
            rest,
            StoredPrices(self.redis, KEYSPACE, Rejections(), MalformedStored()),
            self.demand,
            self.heard,
            polled=lambda: self.polled,
            withheld=lambda: self.withheld,
            clock=lambda: self.now,
        )

    def watch(self, *symbols: str) -> None:
        self.demand.update({f"price:{symbol}": 1 for symbol in symbols})

    async def until_taken(self, *symbols: str) -> None:
        await until(lambda: all(self.heard.times(symbol) for symbol in symbols))


@asynccontextmanager
async def stage(rest: AlpacaRest) -> AsyncIterator[Stage]:
    set_up = Stage(rest)
    task = asyncio.create_task(set_up.work.run())
    try:
        yield set_up
        assert not task.done(), "it has ended"
    finally:
        task.cancel()
        await asyncio.wait([task])
        await set_up.redis.aclose()


def refusing(*bad: str, then: Callable[[Request], Response]) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        if set(bad).intersection(symbols_of(request)):
            return JSONResponse({"message": "invalid symbol"}, 400)
        return then(request)

    return answer


@pytest.fixture(autouse=True)
def _impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "SCHEDULE_SECONDS", 0.02)
    monkeypatch.setattr(lookups, "SYMBOL_POLL_SECONDS", 0.05)
    monkeypatch.setattr(lookups, "FIRST_RETRY_SECONDS", 0.02)
    monkeypatch.setattr(lookups, "LONGEST_RETRY_SECONDS", 0.02)


async def test_a_new_symbol_has_its_snapshot_and_its_previous_close_at_once() -> None:
    async with stubbed(RestStub(snapshots=traded, bars=closed)) as rest, stage(rest) as set_up:
        set_up.watch("SPY", "IBM")
        await set_up.until_taken("SPY", "IBM")
        set_up.watch("SPY", "IBM", "GE")
        await set_up.until_taken("GE")

        assert set_up.heard.closes == {"SPY": 4.5, "IBM": 4.5, "GE": 4.5}
        assert sorted(set_up.heard.taken) == [(s, Reason.NEW) for s in ("GE", "IBM", "SPY")]


async def test_a_thousand_symbols_at_once_are_ten_batches() -> None:
    stub = RestStub(snapshots=traded, bars=closed)
    async with stubbed(stub) as rest, stage(rest) as set_up:
        set_up.watch(*names(1000))
        await set_up.until_taken(*names(1000))

    assert [len(symbols_of(each)) for each in stub.of("snapshots")] == [100] * 10
    assert len(stub.of("bars")) == 10


async def test_the_simulator_is_understood() -> None:
    async with Simulator(SimulatorSettings(tape=None, positions=())) as simulator:
        url = simulator.rest_url
        rest = AlpacaRest(DEFAULT_KEY, DEFAULT_SECRET, data_url=url, trading_url=url, feed="iex")
        await simulator.publish({"T": "t", "S": "SPY", "p": 5.5, "s": 1})
        async with stage(rest) as set_up:
            set_up.watch("SPY", "NOSUCH")
            await set_up.until_taken("SPY", "NOSUCH")
            found = await set_up.work.probe(["SPY", "NOSUCH"])
        rest.close()

    assert set_up.heard.snapshots["NOSUCH"] is None
    assert set_up.heard.snapshots["SPY"] is not None
    assert found is not None
    assert list(found) == ["SPY"]


async def test_on_a_new_day_everything_is_looked_up_again_with_a_new_close() -> None:
    stub = RestStub(snapshots=traded, bars=closed)
    async with stubbed(stub) as rest, stage(rest) as set_up:
        set_up.watch("SPY")
        await set_up.until_taken("SPY")
        set_up.now += DAY
        await until(lambda: set_up.heard.times("SPY", Reason.PREVIOUS_CLOSE) == 1)

    ends = [each.query_params["end"][:10] for each in stub.of("bars")]
    assert ends == ["2026-11-16", "2026-11-17"], "midnight in New York, as UTC"


async def test_closes_are_read_again_at_the_open_and_kept_if_rest_does_not_answer() -> None:
    is_failing = False

    def adjusted_late(request: Request) -> Response:
        return JSONResponse({"message": "no"}, 404) if is_failing else closed(request)

    stub = RestStub(snapshots=traded, bars=adjusted_late)
    async with stubbed(stub) as rest, stage(rest) as set_up:
        set_up.now = ns("2026-11-16T05:00:00-05:00")
        set_up.watch("SPY")
        await set_up.until_taken("SPY")
        assert set_up.heard.closes == {"SPY": 4.5}

        is_failing = True
        set_up.now = ns("2026-11-16T09:30:01-05:00")
        await until(lambda: set_up.heard.times("SPY", Reason.PREVIOUS_CLOSE) == 1)
        assert len(stub.of("bars")) == 2
        assert set_up.heard.closes == {"SPY": 4.5}


@pytest.mark.slow
async def test_what_has_no_slot_is_polled_again_and_again() -> None:
    stub = RestStub(snapshots=traded, bars=closed)
    async with stubbed(stub) as rest, stage(rest) as set_up:
        set_up.watch("SPY", "IBM")
        set_up.polled = ["IBM"]
        await until(lambda: set_up.heard.times("IBM", Reason.POLL) >= 3)
        assert set_up.heard.times("SPY") == 1
        assert len(stub.of("bars")) == 1


async def test_one_bad_symbol_spoils_the_others_neither_prices_nor_closes() -> None:
    stub = RestStub(snapshots=refusing("S0042", then=traded), bars=refusing("S0042", then=closed))
    async with stubbed(stub) as rest, stage(rest) as set_up:
        set_up.watch(*names(100))
        await set_up.until_taken(*names(100))
        good = [symbol for symbol in names(100) if symbol != "S0042"]
        await until(lambda: all(set_up.heard.closes[symbol] == 4.5 for symbol in good))
        assert set_up.heard.snapshots["S0042"] is None

        asked = len(stub.requests)
        set_up.polled = ["S0042"]
        await asyncio.sleep(0.2)
        assert len(stub.requests) == asked, "it is not asked for again"


@pytest.mark.parametrize("row", [{"KUBTY": None}, {}], ids=["null", "absent"])
async def test_alpacas_assets_are_asked_once_a_day_about_a_symbol_without_a_snapshot(
    row: dict[str, object],
) -> None:
    def not_listed(_: Request) -> Response:
        return JSONResponse({"code": 40410000, "message": "asset not found for NOSUCH"}, 404)

    def listed(_: Request) -> Response:
        return JSONResponse({"symbol": "KUBTY", "status": "active"})

    stub = RestStub(
        snapshots=lambda _: JSONResponse(row), bars=closed, NOSUCH=not_listed, KUBTY=listed
    )
    async with stubbed(stub) as rest, stage(rest) as set_up:
        set_up.watch("KUBTY", "NOSUCH")
        set_up.polled = ["KUBTY", "NOSUCH"]
        await until(lambda: set_up.heard.listed == {"KUBTY": True, "NOSUCH": False})
        await until(lambda: set_up.heard.times("KUBTY", Reason.POLL) >= 3)
        assert len(stub.of("KUBTY")) == len(stub.of("NOSUCH")) == 1
        assert set_up.heard.snapshots == {"KUBTY": None, "NOSUCH": None}

        set_up.heard.listed.clear()
        set_up.now += DAY
        await until(lambda: set_up.heard.listed == {"KUBTY": True, "NOSUCH": False})


async def test_a_snapshot_that_cannot_be_used_confirms_no_silence() -> None:
    def answer(request: Request) -> Response:
        return JSONResponse({"IBM": {"latestTrade": {}}, "SPY": {}})

    stub = RestStub(snapshots=refusing("BAD", then=answer), bars=closed)
    async with stubbed(stub) as rest, stage(rest) as set_up:
        set_up.watch("IBM", "SPY", "BAD")
        await until(lambda: sorted(set(set_up.heard.unusable)) == ["BAD", "IBM"])
        assert "BAD" in set_up.heard.snapshots, "no trade of it is known"


async def test_the_prints_of_a_withheld_symbol_are_fetched_in_turn() -> None:
    stub = RestStub(snapshots=traded, bars=closed, trades=printed)
    async with stubbed(stub) as rest, stage(rest) as set_up:
        set_up.watch("SPY")
        await set_up.until_taken("SPY")
        set_up.work.on_subscribed({"SPY"})
        set_up.withheld = {"SPY": NOON / SECOND}
        await until(lambda: len(stub.of("trades")) >= 3)

    assert {each.query_params["symbols"] for each in stub.of("trades")} == {"SPY"}


async def test_a_first_price_does_not_wait_for_a_slow_close(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(snapshots, "CLOSES_SECONDS", 0.05)
    monkeypatch.setattr(snapshots, "CLOSES_RETRY_SECONDS", 0.05)
    release = asyncio.Event()

    async def slow(request: Request) -> Response:
        await release.wait()
        return closed(request)

    stub = RestStub(snapshots=traded, bars=slow)
    async with stubbed(stub) as rest, stage(rest) as set_up:
        set_up.watch("SPY")
        await set_up.until_taken("SPY")
        assert set_up.heard.closes == {"SPY": None}
        release.set()
        await until(lambda: set_up.heard.closes["SPY"] == 4.5)


async def test_what_failed_is_asked_again_and_one_batch_does_not_hold_up_another() -> None:
    hung, failing = asyncio.Event(), True

    async def answer(request: Request) -> Response:
        if "S0000" in symbols_of(request):
            await hung.wait()
        if failing and "S0150" in symbols_of(request):
            return JSONResponse({"message": "no"}, 404)
        return traded(request)

    stub = RestStub(snapshots=answer, bars=closed)
    with capture_logs() as lines:
        async with stubbed(stub) as rest, stage(rest) as set_up:
            set_up.watch(*names(250))
            await set_up.until_taken("S0249")
            assert set_up.heard.times("S0000") == set_up.heard.times("S0150") == 0
            failing = False
            await set_up.until_taken("S0150")
            hung.set()
            await set_up.until_taken("S0000")
    assert "snapshot_failed" in {line["event"] for line in lines}


async def test_a_malformed_snapshot_takes_no_other_with_it() -> None:
    def answer(request: Request) -> Response:
        return JSONResponse({"IBM": {"latestTrade": {}}, "SPY": {}})

    async with (
        stubbed(RestStub(snapshots=answer, bars=closed)) as rest,
        stage(rest) as set_up,
    ):
        set_up.watch("IBM", "SPY")
        await set_up.until_taken("SPY")
        assert set_up.heard.times("IBM") == 0
        assert (
            rest.malformed.first
            == "snapshot of IBM: latestTrade: Object missing required field `t`"
        )


async def test_a_malformed_part_of_a_snapshot_costs_itself() -> None:
    parts = {
        "latestTrade": {"t": "2026-11-16T16:58:00Z", "p": 4.5, "s": None, "c": "@"},
        "latestQuote": {"bp": "no number"},
        "minuteBar": [],
        "dailyBar": {"t": "2026-11-16T05:00:00Z", "c": 1e30},
        "prevDailyBar": {"t": "2026-11-13T05:00:00Z", "c": 4.0},
    }

    def answer(_: Request) -> Response:
        return JSONResponse({"SPY": parts})

    async with stubbed(RestStub(snapshots=answer, bars=closed)) as rest, stage(rest) as set_up:
        set_up.demand.update({"price:SPY": 1, "quote:SPY": 1})
        await set_up.until_taken("SPY")
        assert rest.malformed.count == 3

    found = translation.snapshot("SPY", parts)
    assert found.trade is not None
    assert (found.trade.price, found.trade.size, found.trade.conditions) == (4.5, None, ("@",))
    assert (found.quote, found.day, found.closes.minute, found.closes.day) == (None,) * 4
    assert found.closes.previous_day is not None


async def test_an_error_that_no_rule_expects_costs_one_symbol() -> None:
    async with stubbed(RestStub(snapshots=traded, bars=closed)) as rest, stage(rest) as set_up:
        set_up.heard.fails_for = "IBM"
        set_up.watch("IBM", "SPY")
        await set_up.until_taken("SPY")
        assert rest.malformed.first == "snapshot of IBM: ZeroDivisionError()"


async def test_an_error_that_no_rule_expects_costs_the_closes_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(daily_closes, "adjusted_closes", fail)
    async with stubbed(RestStub(snapshots=traded, bars=closed)) as rest, stage(rest) as set_up:
        set_up.watch("SPY")
        await set_up.until_taken("SPY")
        assert rest.malformed.first == "bars: ZeroDivisionError()"


async def test_what_was_missed_is_caught_up_with_or_announced() -> None:
    status = 200

    def answer(request: Request) -> Response:
        return printed(request) if status == 200 else JSONResponse({}, status)

    stub = RestStub(snapshots=traded, bars=closed, trades=answer)
    async with stubbed(stub) as rest, stage(rest) as set_up:
        work, heard, since = set_up.work, set_up.heard, NOON / SECOND
        set_up.watch("SPY", "IBM")
        await set_up.until_taken("SPY", "IBM")
        work.on_subscribed({"SPY", "IBM"})
        work.on_stream_lost({"SPY": since, "IBM": since})
        work.on_subscribed({"SPY", "IBM"})
        await until(lambda: heard.times("SPY", Reason.RECONNECT) == 1)
        assert heard.caught_up == [("IBM", 1), ("SPY", 1)]

        status = 403
        with capture_logs() as lines:
            work.open_gap("IBM", since)
            await until(lambda: heard.gaps == [(["IBM"], since)])
        assert {line["event"] for line in lines} == {"missed_trades_failed"}
        await until(lambda: heard.times("IBM", Reason.RECONNECT) == 5)  # its price is known
        assert work.error is None

        work.look_up(["IBM"])
        await until(lambda: heard.times("IBM", Reason.DOUBTFUL) == 1)
        assert heard.gaps == [(["IBM"], since)]


async def test_what_was_published_just_now_by_an_earlier_leader_is_continued() -> None:
    stub = RestStub(snapshots=traded, bars=closed, trades=printed)
    async with stubbed(stub) as rest, stage(rest) as set_up:
        set_up.heard.ours = {"BAC"}
        for symbol, time in {
            "SPY": "2026-11-16T16:56:00Z",
            "BAC": "2026-11-16T16:56:00Z",
            "IBM": "2026-11-16T16:54:00Z",
        }.items():
            price = f'7-1\n{{"symbol":"{symbol}","price":6.5,"timestamp":"{time}"}}'
            await set_up.redis.set(KEYSPACE.last(f"price:{symbol}"), price)
        set_up.watch("SPY", "IBM", "BAC", "GE")
        await set_up.until_taken("SPY", "IBM", "BAC", "GE")
        set_up.work.on_subscribed({"SPY", "IBM", "BAC", "GE"})
        await until(lambda: set_up.heard.caught_up == [("SPY", 1)])

    [asked] = [each.query_params for each in stub.of("trades")]
    assert (asked["symbols"], asked["start"]) == ("SPY", "2026-11-16T16:55:58+00:00")


async def test_a_probe_tells_the_newest_trades_or_that_rest_fails() -> None:
    def answer(request: Request) -> Response:
        return (
            JSONResponse({"BAD": {"latestTrade": {"t": 5}}, "NONE": {}})
            if ("BAD" in symbols_of(request))
            else traded(request)
        )

    stub = RestStub(snapshots=answer)
    async with stubbed(stub) as rest, stage(rest) as set_up:
        at = ns("2026-11-16T17:00:00.5Z")
        assert await set_up.work.probe(["SPY", "IBM"]) == {"SPY": at, "IBM": at}
        assert await set_up.work.probe(["BAD", "NONE"]) == {}
        assert rest.malformed.count == 1
        stub.answers.clear()
        assert await set_up.work.probe(["SPY"]) is None


async def test_an_error_that_no_rule_expects_costs_a_probe_one_symbol(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def newest_trade_ns(row: dict[str, Any]) -> int:
        return 10**9 // int(row["latestTrade"]["s"])

    def answer(_: Request) -> Response:
        return JSONResponse({s: {"latestTrade": {"s": n}} for n, s in enumerate(("IBM", "SPY"))})

    monkeypatch.setattr(translation, "newest_trade_ns", newest_trade_ns)
    async with stubbed(RestStub(snapshots=answer)) as rest, stage(rest) as set_up:
        assert await set_up.work.probe(["IBM", "SPY"]) == {"SPY": 10**9}
        assert "ZeroDivisionError" in str(rest.malformed.escaped)


async def test_a_probe_needs_only_the_trade_of_a_snapshot() -> None:
    def answer(request: Request) -> Response:
        trade = {"t": "2026-11-16T17:00:00Z", "p": 1.5, "s": 1}
        bar = {"t": "2026-11-16T05:00:00Z", "o": 0, "h": 0, "l": 0, "c": 0, "v": 0}
        odd = {"latestTrade": trade, "latestQuote": {"t": None}, "dailyBar": bar}
        return JSONResponse(dict.fromkeys(symbols_of(request), odd))

    async with stubbed(RestStub(snapshots=answer)) as rest, stage(rest) as set_up:
        assert await set_up.work.probe(["SPY"]) == {"SPY": ns("2026-11-16T17:00:00Z")}


async def test_what_an_earlier_leader_published_is_taken_up_first() -> None:
    async with stubbed(RestStub(snapshots=traded, bars=closed)) as rest, stage(rest) as set_up:
        ahead = (
            b'7-1\n{"event_id":"7-1","symbol":"SPY","price":6.5,"timestamp":"2099-01-01T00:00:00Z"}'
        )
        await set_up.redis.set(KEYSPACE.last("price:SPY"), ahead)
        await set_up.redis.set(KEYSPACE.last("price:IBM"), b"not one of ours")
        fields = dict.fromkeys(Quote.__struct_fields__, None) | {"symbol": "IBM", "received": 1}
        del fields["indicative"]  # only a quote of that feed has it
        best: dict[str, Any] = {
            **fields,
            "crossed": False,
            "conditions": [],
            "timestamp": "2026-11-16T17:00:00Z",
        }
        await set_up.redis.set(KEYSPACE.last("quote:IBM"), b"7-1\n" + json.dumps(best).encode())
        set_up.watch("SPY", "IBM")
        await set_up.until_taken("SPY", "IBM")
        assert set_up.heard.restored == ["SPY"]
        assert [each.symbol for each in set_up.heard.quotes] == ["IBM"]


async def test_without_redis_nothing_new_is_looked_up_that_might_be_older() -> None:
    stub = RestStub(snapshots=traded, bars=closed)
    async with stubbed(stub) as rest, stage(rest) as set_up:
        values = set_up.work.stored
        present = values._stored
        unreachable = RedisSource("redis://127.0.0.1:1/0").client("test")
        values._stored = StoredPrices(unreachable, KEYSPACE, Rejections(), MalformedStored())
        set_up.watch("SPY")
        await asyncio.sleep(0.2)
        assert stub.requests == []
        values._stored = present
        await set_up.until_taken("SPY")


async def test_the_print_of_a_last_price_that_a_snapshot_contradicts_is_requested() -> None:
    void = {"t": "2026-11-16T16:00:00.5Z", "p": 5.5, "s": 1, "i": 1, "x": "V", "u": "canceled"}
    stub = RestStub(
        snapshots=traded, bars=closed, trades=lambda _: JSONResponse({"trades": {"SPY": [void]}})
    )
    async with stubbed(stub) as rest, stage(rest) as set_up:
        set_up.heard.contradicted = {"SPY": NOON - 3600 * SECOND + SECOND // 2}
        set_up.watch("SPY")
        await until(lambda: set_up.heard.caught_up == [("SPY", 1)])

    [asked] = [each.query_params for each in stub.of("trades")]
    assert (asked["start"], asked["end"]) == (
        "2026-11-16T16:00:00.499000+00:00",
        "2026-11-16T16:00:00.501000+00:00",
    )
