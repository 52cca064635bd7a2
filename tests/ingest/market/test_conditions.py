"""Sale conditions: the table of codes by tape and session, as data."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.market.conditions import Eligibility, eligibility, unknown_codes
from shared.ingest_status import Session

ALWAYS, FIRST_ONLY, NEVER = Eligibility.ALWAYS, Eligibility.FIRST_ONLY, Eligibility.NEVER

EVERY_TAPE = {
    "@": ALWAYS,
    "": ALWAYS,
    " ": ALWAYS,
    "F": ALWAYS,
    "E": ALWAYS,
    "X": ALWAYS,
    "O": ALWAYS,
    "5": ALWAYS,
    "6": ALWAYS,
    "K": ALWAYS,
    "A": ALWAYS,
    "D": ALWAYS,
    "S": ALWAYS,
    "Y": ALWAYS,
    "1": ALWAYS,
    "L": ALWAYS,
    "9": ALWAYS,
    "Z": FIRST_ONLY,
    "4": FIRST_ONLY,
    "P": FIRST_ONLY,
    "G": FIRST_ONLY,
    "C": NEVER,
    "N": NEVER,
    "H": NEVER,
    "V": NEVER,
    "7": NEVER,
    "I": NEVER,
    "U": NEVER,
    "R": NEVER,
    "M": NEVER,
    "Q": NEVER,
}
BY_TAPE = {
    ("A", "B"): NEVER,
    ("B", "B"): NEVER,
    ("C", "B"): ALWAYS,
    ("O", "B"): ALWAYS,
    ("C", "W"): NEVER,
    ("O", "W"): NEVER,
}
TAPES = ("A", "B", "C", "O")
SESSIONS: tuple[Session, ...] = ("pre", "regular", "post", "closed", "unknown")

tapes = st.sampled_from([*TAPES, "X", None])
sessions = st.sampled_from(SESSIONS)
codes = st.lists(st.sampled_from([*EVERY_TAPE, "B", "W", "T", "?", "J"]), max_size=4).map(tuple)


@pytest.mark.parametrize(("code", "rule"), EVERY_TAPE.items())
def test_a_code_means_the_same_on_every_tape_and_in_every_session(
    code: str, rule: Eligibility
) -> None:
    found = {eligibility(tape, (code,), session) for tape in TAPES for session in SESSIONS}

    assert found == {rule}


@pytest.mark.parametrize(("tape", "code", "rule"), [(*key, rule) for key, rule in BY_TAPE.items()])
def test_b_and_w_depend_on_the_tape(tape: str, code: str, rule: Eligibility) -> None:
    assert {eligibility(tape, (code,), session) for session in SESSIONS} == {rule}


@pytest.mark.parametrize("tape", TAPES)
@pytest.mark.parametrize(
    ("session", "rule"),
    [
        ("pre", ALWAYS),
        ("post", ALWAYS),
        ("regular", NEVER),
        ("closed", ALWAYS),
        ("unknown", ALWAYS),
    ],
)
def test_form_t_counts_unless_its_time_is_known_to_be_in_regular_hours(
    tape: str, session: Session, rule: Eligibility
) -> None:
    assert eligibility(tape, ("@", "T"), session) is rule


@pytest.mark.parametrize(
    ("conditions", "rule"),
    [
        ([], ALWAYS),
        (["@", "F"], ALWAYS),
        (["@", "Z"], FIRST_ONLY),
        (["Z", "I"], NEVER),
        (["@", "4", "I"], NEVER),
        (["T", "I"], NEVER),
        (["T", "U"], NEVER),
        (["T", "Z"], FIRST_ONLY),
        (["@", "?"], NEVER),
    ],
)
def test_the_strictest_code_decides(conditions: list[str], rule: Eligibility) -> None:
    assert eligibility("C", tuple(conditions), "post") is rule


@pytest.mark.parametrize(
    ("tape", "code"), [("C", "?"), ("A", "W"), (None, "B"), ("X", "B"), (None, "W"), ("C", "@@")]
)
def test_what_a_tapes_table_lacks_is_never_eligible_and_is_counted(
    tape: str | None, code: str
) -> None:
    assert eligibility(tape, ("@", code), "regular") is NEVER
    assert unknown_codes(tape, ["@", code, "T", ""]) == [code]


@given(tapes, codes, codes, sessions)
def test_another_code_never_makes_a_trade_more_eligible(
    tape: str | None, some: tuple[str, ...], more: tuple[str, ...], session: Session
) -> None:
    assert eligibility(tape, (*some, *more), session) >= eligibility(tape, some, session)


@given(tapes, codes, sessions)
def test_the_order_of_the_codes_does_not_matter(
    tape: str | None, some: tuple[str, ...], session: Session
) -> None:
    assert eligibility(tape, some, session) is eligibility(tape, some[::-1], session)


@given(tapes, codes, sessions)
def test_the_strictest_of_the_single_codes_is_that_of_all(
    tape: str | None, some: tuple[str, ...], session: Session
) -> None:
    single = [eligibility(tape, (code,), session) for code in some]

    assert eligibility(tape, some, session) is max(single, default=ALWAYS)


def test_no_conditions_at_all_are_those_of_a_regular_trade() -> None:
    assert eligibility("A", None, "regular") is eligibility("A", (), "regular") is ALWAYS
