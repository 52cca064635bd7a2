"""The benchmarks against the programs as they are now: they must still run, however fast."""

import asyncio
import time

import psutil
import pytest

from bench import fill, first_viewer, ingest, latency, page
from bench.ingest_readers import Bench
from bench.ingest_readers import ingest as running_ingest
from gateway.http.page import BUILD
from shared.bus.valkey_server import ValkeyServer
from tests import installed
from tests.repository.tree import ROOT
from tests.services import until


async def test_the_ingest_reads_every_tick_that_the_feeder_sends() -> None:
    async with ValkeyServer() as valkey:
        bench = Bench(valkey)
        try:
            async with running_ingest(bench) as ours:
                span = await bench.span(ours, 100, 1_000)
                checked = await bench.check(ours)
        finally:
            await bench.redis.aclose()

    assert span.ticks >= 1_000
    assert checked


async def test_several_numbers_of_symbols_are_measured_in_one_run() -> None:
    table = await ingest.widths([5, 40], 20_000, 1)

    assert "  5 symbols" in table
    assert "  40 symbols" in table
    assert table.count("all read") == 2
    assert "the last price of each of 40 symbols is right" in table


def test_fewer_symbols_than_the_tape_has_are_rejected_with_the_least_number(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        ingest.main(["--symbols", "4500", "4"])
    assert "--symbols 4: at least 5" in capsys.readouterr().err


async def test_a_fill_is_heard_at_the_broker_and_at_a_gateway() -> None:
    for listener in (fill.alpaca_py, fill.tapecast):
        began = time.perf_counter()
        [took] = await fill.measure(listener, 1)
        assert 0 < took < (time.perf_counter() - began) * 1000


async def test_a_viewers_symbol_is_subscribed() -> None:
    [(greeted, subscribed)] = await first_viewer.measure(1, 1)
    assert 0 < greeted <= subscribed


async def test_prices_are_read_beside_alpaca_pys_own_stream() -> None:
    measured = await latency.measure(1, 20)
    assert len(measured.to_client) == len(measured.to_ingest) > 0
    assert measured.peer


async def test_a_page_shows_the_newest_price_of_each_symbol_after_many() -> None:
    installed.node(ROOT / "tests/foreign/js", "run npm ci in tests/foreign/js")
    if not (BUILD / "index.html").is_file():
        pytest.skip("the page is not built: run make web")
    measured = await page.measure(30, 20, 2, chromium=installed.program("chromium"))
    assert measured.empty > 0
    assert min(measured.frames) > 0
    assert min(measured.held) > min(measured.code) > 0
    assert measured.wrong == []


async def test_a_page_that_is_given_up_leaves_no_browser_behind() -> None:
    installed.node(ROOT / "tests/foreign/js", "run npm ci in tests/foreign/js")
    if not (BUILD / "index.html").is_file():
        pytest.skip("the page is not built: run make web")
    before = children()
    measuring = asyncio.create_task(page.measure(5, 20, 60, chromium=installed.program("chromium")))

    def is_browsing() -> bool:
        return any("chromium" in child.name() for child in children())

    await until(is_browsing)
    started = children()
    measuring.cancel()
    await asyncio.wait([measuring])

    assert measuring.cancelled()
    # A browser whose driver was killed would run on, with another parent.
    await until(lambda: not any(child.is_running() for child in started if child not in before))


def children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def test_a_page_has_grown_by_what_it_holds_more_in_the_last_third_than_in_the_first() -> None:
    measured = page.Measured(held=[100, 150, 110], code=[1, 2, 3])
    assert list(page.thirds(measured.held)) == [100, 150, 110]
    assert round(measured.growth, 6) == 0.1
