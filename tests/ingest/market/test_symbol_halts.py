"""Halts, notices and short sales from every source, and the doubt where no source has any."""

import pytest

from ingest.market.clock_lead import AHEAD_NS
from ingest.market.market_hours import MarketHours
from ingest.market.symbol_halts import (
    BANDS_SUSPENDED,
    LATE_REPORT_SECONDS,
    LISTED_AS_HALTED,
    MOST_CODES,
    Report,
    SymbolHalts,
)
from shared import rfc3339
from shared.symbol_status import SymbolStatus
from tests.ingest.market.test_halts import status
from tests.ingest.trades import NOON, SECOND

SPY = frozenset({"SPY"})
AS_OF = rfc3339.from_nanoseconds(NOON)


def reason(halts: SymbolHalts, symbol: str = "SPY") -> str | None:
    halt = halts.of(symbol)
    return None if halt is None else halt.reason


@pytest.fixture
def halts() -> SymbolHalts:
    return SymbolHalts(MarketHours)


def test_suspended_bands_are_a_halt_until_bands_are_in_force(halts: SymbolHalts) -> None:
    for indicator in "ABE":
        halts.on_bands("SPY", "D", NOON, 1.0)
        assert reason(halts) == BANDS_SUSPENDED
        assert halts.supposed() == SPY
        halts.on_bands("SPY", indicator, NOON + 1, 2.0)
        assert halts.of("SPY") is None


@pytest.mark.parametrize("indicator", ["C", "F", " ", "", None, "?"])
def test_another_indicator_says_nothing(halts: SymbolHalts, indicator: str | None) -> None:
    halts.follow(SPY, 0.0, 0.0)
    halts.on_bands("SPY", indicator, NOON, 1.0)
    assert halts.of("SPY") is None
    assert not halts.is_known("SPY", None)

    halts.on_bands("SPY", "D", NOON, 1.0)
    halts.on_bands("SPY", indicator, NOON + 1, 2.0)
    assert reason(halts) == BANDS_SUSPENDED


def test_bands_neither_end_nor_replace_a_halt_that_a_status_has_reported(
    halts: SymbolHalts,
) -> None:
    halts.on_status(status("H", "C", "T1", at_ns=NOON), NOON, 1.0)
    halts.on_bands("SPY", "D", NOON + 1, 2.0)
    halts.on_bands("SPY", "B", NOON + 2, 3.0)

    assert reason(halts) == "Trading is halted: news is pending."


def test_bands_from_before_a_resumption_halt_nothing(halts: SymbolHalts) -> None:
    halts.on_status(status("T", "C", at_ns=NOON), NOON, 1.0)
    halts.on_bands("SPY", "D", NOON - 1, 2.0)

    assert halts.of("SPY") is None


def test_a_status_from_the_future_does_not_outlive_the_bands_after_it(halts: SymbolHalts) -> None:
    halts.on_status(status("T", "C", at_ns=NOON + 2 * AHEAD_NS), NOON, 1.0)
    halts.on_bands("SPY", "D", NOON, 2.0)

    assert reason(halts) == BANDS_SUSPENDED


@pytest.mark.parametrize(("is_supposed", "looks"), [(True, 1), (False, 2)])
def test_a_trade_ends_a_supposed_halt_and_lasting_trade_any(
    halts: SymbolHalts, is_supposed: bool, looks: int
) -> None:
    if is_supposed:
        halts.on_bands("SPY", "D", NOON, 0.0)
    else:
        halts.on_status(status("H", "C"), NOON, 0.0)
    halts.look("SPY", 0.0, has_traded=None)
    halts.look("SPY", 20.0, has_traded=19.0)  # reported late
    for each in range(looks):
        assert halts.of("SPY") is not None
        at = LATE_REPORT_SECONDS + 1 + each
        halts.look("SPY", at + 0.5, has_traded=at)

    assert halts.of("SPY") is None


def test_an_overnight_halt_is_what_the_assets_say_and_ends_with_the_session(
    halts: SymbolHalts,
) -> None:
    halts.on_listing("SPY", is_halted=True)
    assert reason(halts) == LISTED_AS_HALTED
    halts.on_listing("SPY", is_halted=False)
    assert halts.of("SPY") is None

    halts.on_listing("SPY", is_halted=True)
    halts.on_status(status("H", "C")._replace(symbol="IBM"), NOON, 0.0)
    halts.begin_session()
    assert halts.of("SPY") is None
    assert reason(halts, "IBM") == "Trading is halted."
    halts.on_listing("IBM", is_halted=False)
    assert reason(halts, "IBM") == "Trading is halted."


def test_a_halt_would_be_known_once_something_shows_whether_the_symbol_trades(
    halts: SymbolHalts,
) -> None:
    assert not halts.is_known("SPY", 10.0)
    halts.follow(SPY, 100.0, 0.0)

    assert not halts.is_known("SPY", None)
    assert not halts.is_known("SPY", 100.0 + LATE_REPORT_SECONDS - 1)
    assert halts.is_known("SPY", 100.0 + LATE_REPORT_SECONDS)


@pytest.mark.parametrize("indicator", "ABDE")
def test_bands_show_whether_a_symbol_trades(halts: SymbolHalts, indicator: str) -> None:
    halts.follow(SPY, 100.0, 0.0)
    halts.on_bands("SPY", indicator, NOON, 101.0)

    assert halts.is_known("SPY", None)


@pytest.mark.parametrize(
    ("code", "is_known"), [("2", True), ("3", True), ("5", False), ("E", False)]
)
def test_a_status_shows_whether_a_symbol_trades_if_it_halts_or_resumes(
    halts: SymbolHalts, code: str, is_known: bool
) -> None:
    halts.follow(SPY, 100.0, 0.0)
    halts.on_status(status(code, "A"), NOON, 101.0)

    assert halts.is_known("SPY", None) == is_known


def test_after_a_lost_connection_a_halt_may_have_begun_meanwhile(halts: SymbolHalts) -> None:
    halts.follow(SPY, 100.0, 0.0)
    halts.on_bands("SPY", "B", NOON, 101.0)
    halts.follow(frozenset(), 102.0, 0.0)
    assert not halts.is_known("SPY", 101.0)
    halts.follow(SPY, 103.0, 0.0)

    assert not halts.is_known("SPY", 101.0)
    assert halts.is_known("SPY", 103.0 + LATE_REPORT_SECONDS)


def test_the_notice_is_the_newest_status_that_is_no_halt(halts: SymbolHalts) -> None:
    halts.on_status(status("5", "A"), NOON, 0.0)
    assert halts.report("SPY") == Report("The exchange indicates a price.")
    halts.on_status(status("2", "A"), NOON, 0.0)
    assert halts.report("SPY") == Report()
    halts.on_status(status("3", "A"), NOON, 0.0)
    assert halts.report("SPY") == Report("Trading has resumed.")
    assert halts.changed == SPY
    halts.settle()
    halts.begin_session()

    assert halts.report("SPY") == Report()
    assert halts.changed == SPY


def test_a_status_that_says_the_same_again_changes_nothing(halts: SymbolHalts) -> None:
    halts.on_status(status("E", "A", at_ns=NOON), NOON, 0.0)
    halts.settle()
    halts.on_status(status("E", "A", at_ns=NOON), NOON, 0.0)

    assert halts.changed == set()


def test_an_unknown_status_is_counted_and_halts_nothing(halts: SymbolHalts) -> None:
    halts.on_status(status("S", "C", text="Suspended"), NOON, 0.0)
    halts.on_status(status("S", "C"), NOON, 0.0)
    for number in range(MOST_CODES + 5):
        halts.on_status(status(str(100 + number), "A"), NOON, 0.0)

    assert halts.of("SPY") is None
    assert halts.unknown_codes["C:S"] == 2
    assert halts.unknown_codes["other"] == 6
    assert len(halts.unknown_codes) == MOST_CODES + 1


def test_a_restriction_of_short_sales_halts_nothing_and_says_when_it_was_reported(
    halts: SymbolHalts,
) -> None:
    halts.on_status(status("E", "A", at_ns=NOON), NOON + SECOND, 0.0)

    assert halts.of("SPY") is None
    assert halts.report("SPY") == Report("Short sales are restricted.", True, AS_OF)


@pytest.mark.parametrize("at_ns", [None, NOON + 3600 * SECOND])
def test_a_report_of_short_sales_is_no_newer_than_its_receipt(
    halts: SymbolHalts, at_ns: int | None
) -> None:
    halts.on_status(status("E", "A", at_ns=at_ns), NOON, 0.0)

    assert halts.report("SPY").short_sale_as_of == AS_OF


def test_an_earlier_leaders_report_of_short_sales_gives_way_to_a_newer_one(
    halts: SymbolHalts,
) -> None:
    stored = SymbolStatus(
        symbol="SPY",
        state="live",
        reason=None,
        since=AS_OF,
        short_sale_restricted=True,
        short_sale_as_of=AS_OF,
    )
    halts.restore_short_sales(stored)
    assert halts.report("SPY") == Report(None, True, AS_OF)
    assert halts.changed == SPY

    later = NOON + SECOND
    ended = status("E", "A", text="Short Sale Restriction Deactivated", at_ns=later)
    halts.on_status(ended, later, 0.0)
    halts.restore_short_sales(stored)
    assert halts.report("SPY").short_sale_restricted is False


def test_what_nobody_wants_is_forgotten(halts: SymbolHalts) -> None:
    halts.on_status(status("E", "A", at_ns=NOON), NOON, 0.0)
    halts.on_status(status("H", "C", at_ns=NOON), NOON, 0.0)
    halts.on_bands("IBM", "D", NOON, 0.0)
    assert len(halts) == 2
    halts.forget_others(frozenset())

    assert len(halts) == 0
    assert halts.changed == halts.unsettled() == set()
