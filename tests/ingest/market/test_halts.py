"""Which trading statuses stop a symbol, and in which words."""

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.market.halts import (
    _CTA,
    _CTA_REASONS,
    _UTP,
    _UTP_REASONS,
    TradingStatus,
    trading_change,
)


def status(code: str, tape: str | None, reason_code: str = "", reason: str = "") -> TradingStatus:
    return TradingStatus("SPY", code, reason_code, reason, tape)


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
    ],
)
def test_a_halt_has_its_reason_in_words(
    tape: str | None, code: str, reason_code: str, words: str
) -> None:
    change = trading_change(status(code, tape, reason_code))

    assert change is not None
    assert change.is_halted
    assert change.reason == words


def test_a_reason_of_an_unknown_code_is_given_in_alpacas_words() -> None:
    change = trading_change(status("H", "C", "T99", "Halt for a reason of tomorrow. "))

    assert change is not None
    assert change.reason == "Trading is halted: Halt for a reason of tomorrow."


@pytest.mark.parametrize(("tape", "code"), [("A", "3"), ("B", "3"), ("C", "T"), (None, "T")])
def test_a_resumption_ends_a_halt(tape: str | None, code: str) -> None:
    assert trading_change(status(code, tape)) == (False, "")


@pytest.mark.parametrize("code", "56789ACDEF")
def test_indications_imbalances_and_bands_change_nothing(code: str) -> None:
    assert trading_change(status(code, "A")) is None


@pytest.mark.parametrize(("tape", "code"), [("A", "H"), ("B", "T"), ("C", "2"), ("C", "3")])
def test_a_code_means_nothing_on_the_other_tape(tape: str, code: str) -> None:
    assert trading_change(status(code, tape)) is None


def test_no_code_has_two_meanings_so_a_missing_tape_does_no_harm() -> None:
    assert not _CTA.keys() & _UTP.keys()
    assert not _CTA_REASONS.keys() & _UTP_REASONS.keys()


@given(
    st.sampled_from([*"ABCO", None, ""]) | st.text(max_size=2),
    st.text(max_size=2) | st.sampled_from([*_CTA, *_UTP]),
    st.text(max_size=4) | st.sampled_from(list(chain(_CTA_REASONS, _UTP_REASONS))),
    st.text(max_size=10),
)
def test_any_status_is_a_halt_with_a_sentence_a_resumption_or_nothing(
    tape: str | None, code: str, reason_code: str, reason: str
) -> None:
    change = trading_change(status(code, tape, reason_code, reason))

    if change is not None:
        assert change.is_halted == change.reason.endswith(".") == bool(change.reason)
