"""Which trade moves which part of a bar: Alpaca's published table, row by row."""

import pytest

from simulator.tape.bar_conditions import Effect, effects_of

ALL = (2, True, True)
VOLUME = (0, False, True)
NOTHING = (0, False, False)
FIRST = (1, True, True)

TABLE = [
    # tapes, codes, minute, day
    ("AB", " EFKLOX56", ALL, ALL),
    ("C", "@ABDFKLOXY56", ALL, ALL),
    ("O", "@FKLOX56", ALL, ALL),
    ("AB", "BCHINRUV7", VOLUME, VOLUME),
    ("C", "CHINRUVW7", VOLUME, VOLUME),
    ("O", "CHINRUVW7", VOLUME, VOLUME),
    ("ABCO", "MQ", NOTHING, NOTHING),
    ("ABCO", "9", NOTHING, (2, True, False)),
    ("ABCO", "T", ALL, VOLUME),
    ("ABCO", "PZ4", VOLUME, FIRST),
    ("C", "G", VOLUME, FIRST),
    # what a tape does not have
    ("AB", "ADGWY?", VOLUME, VOLUME),
    ("C", "E?", VOLUME, VOLUME),
]


@pytest.mark.parametrize(
    ("tape", "code", "minute", "day"),
    [
        (tape, code, minute, day)
        for tapes, codes, minute, day in TABLE
        for tape in tapes
        for code in codes
    ],
)
def test_a_code_moves_what_the_table_says(
    tape: str, code: str, minute: tuple[int, bool, bool], day: tuple[int, bool, bool]
) -> None:
    assert effects_of(tape, [code]) == (minute, day)


def test_of_several_codes_the_strictest_counts_in_each_column() -> None:
    assert effects_of("C", ["@", "F", "I"]) == (VOLUME, VOLUME)
    assert effects_of("A", [" ", "T"]) == (ALL, VOLUME)
    assert effects_of("A", ["4", "9"]) == (NOTHING, (1, True, False))
    assert effects_of("B", ["6", "M"]) == (NOTHING, NOTHING)


@pytest.mark.parametrize("conditions", [None, [], ()])
def test_a_trade_that_has_no_conditions_moves_everything(conditions: object) -> None:
    assert effects_of("A", conditions) == (ALL, ALL)


def test_odd_conditions_move_the_volume_only() -> None:
    assert effects_of("A", [["@"]]) == (VOLUME, VOLUME)
    assert effects_of(["A"], ["I"]).minute == Effect(*VOLUME)  # type: ignore[arg-type]
