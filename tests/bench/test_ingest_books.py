"""The comparison of a level of an order book with a trade."""

from bench.ingest_books import FRAMES, PACES, RECORDINGS, TRADE, Cost, Scene, compare, table


def test_a_level_is_compared_with_a_trade_of_the_same_round_and_frame() -> None:
    def costs(trade: float, level: float) -> dict[Scene, Cost]:
        return {
            Scene(1, TRADE): Cost(trade, 1_000_000, 1_000_000),
            Scene(1, "gemini, 9 x"): Cost(level, 2_000_000, 500_000),
        }

    found = table([costs(4, 4), costs(8, 24), costs(10, 22)]).splitlines()
    assert [" ".join(line.split()) for line in found[2:]] == [
        "1 a frame, trades 8.00 1.00 1.00",
        "1 a frame, gemini, 9 x 11.00 1.10 0.25",
    ]


def test_every_scene_is_measured() -> None:
    lines = compare(1, trades_at_once=200, books_at_once=1).splitlines()

    assert len(lines) == 2 + len(FRAMES) * (1 + len(RECORDINGS) * (len(PACES) + 1))
