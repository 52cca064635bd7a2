"""The bars of withheld symbols: each moment of the withholding is asked for."""

import pytest

from ingest.upstream.withheld_bars import ASK_SECONDS, WithheldBars


class Bars:
    """A maker of bars that notes what it hears."""

    def __init__(self) -> None:
        self.missed: list[tuple[float, str | None]] = []

    def on_subscription(self) -> None:
        """Nothing follows from it here."""

    def on_missed(self, since: float, symbol: str | None = None) -> None:
        self.missed.append((since, symbol))


class Stage:
    def __init__(self) -> None:
        self.now = 1_000.0
        self.bars = Bars()
        self.withheld = WithheldBars(self.bars, lambda: self.now)

    def look(self, *symbols: str, found: float | None = None, ended: float | None = None) -> None:
        """Look at SPY, which was found or has ended, while these are withheld."""
        spy = "SPY"
        self.withheld.follow(
            {} if found is None else {spy: found}, {} if ended is None else {spy: ended}, {*symbols}
        )


def test_a_withheld_symbol_is_asked_for_at_once_then_each_minute_and_at_the_end() -> None:
    stage = Stage()
    stage.look("SPY", found=990)
    for _ in range(150):
        stage.now += 1
        stage.look("SPY")
    stage.now += 1
    stage.look(ended=1_149)

    minute = ASK_SECONDS
    assert stage.bars.missed == [
        (990, "SPY"),
        (1_000, "SPY"),
        (1_000 + minute, "SPY"),
        (1_000 + 2 * minute, "SPY"),
    ]


@pytest.mark.parametrize(("found", "ended"), [(990, 995), (995, 990)])
def test_one_that_has_ended_before_the_next_look_is_asked_for_once(
    found: float, ended: float
) -> None:
    stage = Stage()
    stage.look(found=found, ended=ended)

    assert stage.bars.missed == [(990, "SPY")]


def test_a_symbol_that_nobody_wants_any_more_is_forgotten() -> None:
    stage = Stage()
    stage.look("SPY", found=990)
    stage.look()
    stage.now += ASK_SECONDS
    stage.look("SPY")

    assert stage.bars.missed == [(990, "SPY")]
