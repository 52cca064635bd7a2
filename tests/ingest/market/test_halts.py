"""Which trading statuses stop a symbol, and in which words."""

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.market.halts import LONGEST_TEXT, TradingStatus, concerns_short_sales, trading_change
from ingest.market.status_codes import CTA, UTP, Effect

TABLES = [("A", CTA), ("B", CTA), ("C", UTP), ("O", UTP)]


def status(
    code: str,
    tape: str | None,
    reason_code: str = "",
    reason: str = "",
    *,
    text: str = "",
    at_ns: int | None = None,
) -> TradingStatus:
    return TradingStatus("SPY", code, reason_code, reason, tape, text, at_ns)


@pytest.mark.parametrize(
    ("tape", "code", "reason_code", "words"),
    [
        ("C", "H", "T12", "Trading is halted: Nasdaq has asked for information."),
        ("C", "H", "T1", "Trading is halted: news is pending."),
        (
            "C",
            "P",
            "LUDP",
            "Trading is paused: volatility, by limit up-limit down.",
        ),
        ("C", "Q", "", "Quotes have resumed, trades not yet."),
        ("O", "H", "MWC1", "Trading is halted: market-wide circuit breaker, level 1."),
        ("A", "2", "P", "Trading is halted: news is pending."),
        ("B", "2", "M", "Trading is halted: volatility, by limit up-limit down."),
        ("B", "2", "1", "Trading is halted: market-wide circuit breaker, level 1."),
        ("A", "2", "", "Trading is halted."),
        (None, "H", "T1", "Trading is halted: news is pending."),
        ("?", "2", "P", "Trading is halted: news is pending."),
        ("C", "H", "01", "Trading is halted: an operational problem."),
        ("C", "H", "O1", "Trading is halted: an operational problem."),
    ],
)
def test_a_halt_has_its_reason_in_words(
    tape: str | None, code: str, reason_code: str, words: str
) -> None:
    change = trading_change(status(code, tape, reason_code))

    assert change.is_halted
    assert change.sentence == words


def test_a_reason_of_an_unknown_code_is_given_in_alpacas_words() -> None:
    change = trading_change(status("H", "C", "T99", "Halt for a reason of tomorrow. "))

    assert change.sentence == "Trading is halted: Halt for a reason of tomorrow."
    assert trading_change(status("H", "C", "T99")).sentence == "Trading is halted: reason T99."


@pytest.mark.parametrize(("tape", "code"), [("A", "3"), ("B", "3"), ("C", "T"), (None, "T")])
def test_a_resumption_ends_a_halt(tape: str | None, code: str) -> None:
    change = trading_change(status(code, tape))

    assert change.is_halted is False
    assert change.sentence == "Trading has resumed."


@pytest.mark.parametrize("code", "56789ACDEF")
def test_indications_imbalances_and_bands_are_told_and_halt_nothing(code: str) -> None:
    change = trading_change(status(code, "A"))

    assert (change.is_halted, change.is_known) == (None, True)
    assert change.sentence == f"{CTA.statuses[code].words}."


def test_a_restriction_of_short_sales_is_no_halt() -> None:
    restricted = status("E", "A", text="Short Sale Restriction")
    ended = status("E", "A", text="Short Sale Restriction Deactivated")

    assert trading_change(restricted) == ("Short sales are restricted.", None, True, True)
    assert trading_change(ended).restricts_short_sales is False
    assert concerns_short_sales(restricted)
    assert not concerns_short_sales(status("2", "A"))
    assert not concerns_short_sales(status("E", "C"))


@pytest.mark.parametrize(("tape", "code"), [("A", "H"), ("B", "T"), ("C", "2"), ("C", "3")])
def test_a_code_of_the_other_tape_is_an_unknown_one_and_keeps_alpacas_text(
    tape: str, code: str
) -> None:
    change = trading_change(status(code, tape, "X9", "A reason.", text="A new status"))

    assert change == ("A new status: A reason.", None, None, False)
    alone = trading_change(status(code, tape))
    assert alone.sentence == f"The exchange has reported the unknown status {code!r}."


@pytest.mark.parametrize(("tape", "table"), TABLES)
def test_alpacas_own_texts_add_nothing_to_our_words(tape: str, table: object) -> None:
    codes = CTA if table is CTA else UTP
    for code, each in codes.statuses.items():
        for reason_code, reason in codes.reasons.items():
            given = status(code, tape, reason_code, reason.text, text=each.text)
            assert trading_change(given).sentence == f"{each.words}: {reason.words}."


def test_a_text_of_alpacas_that_says_more_is_added() -> None:
    told = status("2", "A", "P", "News Pending, until 10:45", text="Trading  Halt\n")
    change = trading_change(told)

    assert change.sentence == (
        "Trading is halted: news is pending. Alpaca adds: News Pending, until 10:45."
    )
    assert len(trading_change(status("2", "A", "P", "x" * 1000)).sentence) < 2 * LONGEST_TEXT


def test_no_code_has_two_meanings_so_a_missing_tape_does_no_harm() -> None:
    assert not CTA.statuses.keys() & UTP.statuses.keys()
    assert not CTA.reasons.keys() & UTP.reasons.keys()


def test_the_tables_have_the_codes_that_alpaca_documents() -> None:
    assert "".join(CTA.statuses) == "2356789ACDEF"
    assert set(UTP.statuses) == set("HQTP")
    assert "".join(CTA.reasons) == "DIMPXY123"
    documented = (
        "T1 T2 T5 T6 T8 T12 H4 H9 H10 H11 01 IPO1 M1 M2 LUDP LUDS MWC1 MWC2 MWC3 MWC0 T3 T7 R4 R9 "
        "C3 C4 C9 C11 R1 R IPOQ IPOE MWCQ"
    )
    assert set(UTP.reasons) == {*documented.split(), "O1"}
    halting = {c for t in (CTA, UTP) for c, s in t.statuses.items() if s.effect is Effect.HALTS}
    assert halting == set("2HPQ")


@given(
    st.sampled_from([*"ABCO", None, ""]) | st.text(max_size=2),
    st.text(max_size=2) | st.sampled_from([*CTA.statuses, *UTP.statuses]),
    st.text(max_size=4) | st.sampled_from(list(chain(CTA.reasons, UTP.reasons))),
    st.text(max_size=10),
    st.text(max_size=10),
)
def test_any_status_has_a_sentence_and_only_known_ones_have_an_effect(
    tape: str | None, code: str, reason_code: str, reason: str, text: str
) -> None:
    change = trading_change(status(code, tape, reason_code, reason, text=text))

    assert change.sentence.endswith(".")
    assert len(change.sentence.splitlines()) == 1
    assert change.is_known or (change.is_halted, change.restricts_short_sales) == (None, None)
