"""Which trade moves what: the published table, code by code."""

import pytest

from ingest.bars.bar_conditions import Effect, day_effect, minute_effect

ALL, NOTHING, VOLUME = Effect.ALL, Effect.NOTHING, Effect.VOLUME
FIRST = Effect.FIRST | Effect.HIGH_LOW | Effect.VOLUME
PRICES = Effect.FIRST | Effect.PRICE | Effect.HIGH_LOW

TABLE = [
    # tapes, codes, minute, day
    ("AB", " E", ALL, ALL),
    ("CO", "@", ALL, ALL),
    # A regular sale in the form of the other tapes.
    ("AB", "@", ALL, ALL),
    ("CO", " ", ALL, ALL),
    ("C", "ABDY", ALL, ALL),
    ("ABCO", "FKLOX56", ALL, ALL),
    ("AB", "B", VOLUME, VOLUME),
    ("ABCO", "CHINRUV7", VOLUME, VOLUME),
    ("CO", "W", VOLUME, VOLUME),
    ("ABCO", "MQ", NOTHING, NOTHING),
    ("ABCO", "9", NOTHING, PRICES),
    ("ABCO", "T", ALL, VOLUME),
    ("C", "G", VOLUME, FIRST),
    ("ABCO", "PZ4", VOLUME, FIRST),
    # Codes that the tape does not define, and codes of no tape.
    ("AB", "ADYW", VOLUME, VOLUME),
    ("C", "E", VOLUME, VOLUME),
    ("O", "ABDEYG", VOLUME, VOLUME),
    ("ABCO", "1238SJ%", VOLUME, VOLUME),
]
ROWS = [
    (tape, code, minute, day)
    for tapes, codes, minute, day in TABLE
    for tape in tapes
    for code in codes
]


@pytest.mark.parametrize(("tape", "code", "minute", "day"), ROWS)
def test_each_code_moves_what_the_table_says(
    tape: str, code: str, minute: Effect, day: Effect
) -> None:
    assert minute_effect(tape, (code,)) == minute
    assert day_effect(tape, (code,)) == day


@pytest.mark.parametrize(
    ("tape", "codes", "minute", "day"),
    [
        ("C", "@I", VOLUME, VOLUME),
        ("A", " T", ALL, VOLUME),
        ("B", " F", ALL, ALL),
        ("C", "@TI", VOLUME, VOLUME),
        ("A", " 4", VOLUME, FIRST),
        ("C", "@Z4", VOLUME, FIRST),
        # The closing print, published as the official close: all parts of the one that moves none.
        ("A", "6M", NOTHING, NOTHING),
        ("C", "@9", NOTHING, PRICES),
        # First only, no volume: what both leave.
        ("A", "49", NOTHING, Effect.FIRST | Effect.HIGH_LOW),
        ("A", "Z?", VOLUME, VOLUME),
    ],
)
def test_of_several_codes_the_strictest_counts_in_each_column(
    tape: str, codes: str, minute: Effect, day: Effect
) -> None:
    assert minute_effect(tape, tuple(codes)) == minute
    assert day_effect(tape, tuple(codes)) == day


@pytest.mark.parametrize("conditions", [None, (), ("",)])
def test_a_trade_that_has_no_code_is_a_regular_sale(conditions: tuple[str, ...] | None) -> None:
    assert minute_effect("A", conditions) == day_effect("A", conditions) == ALL


def test_on_an_unknown_tape_a_code_that_may_be_an_average_price_moves_the_volume_alone() -> None:
    assert minute_effect(None, ("B",)) == minute_effect("?", ("B",)) == VOLUME
    assert minute_effect(None, ("@",)) == minute_effect("?", (" ",)) == ALL
