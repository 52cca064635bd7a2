"""``python -m tests.oracle TAPE...``: whole days at full speed, plain and mutated by seeds."""

import argparse
import sys
import time
from pathlib import Path

from tests.oracle.mutation import mutated, plain
from tests.oracle.recording import recorded
from tests.oracle.replay import compare


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.oracle", description=__doc__)
    parser.add_argument("tapes", nargs="+", type=Path, help="recordings, *.jsonl.gz")
    parser.add_argument("--seeds", type=int, default=10, help="number of mutated days (10)")
    arguments = parser.parse_args()
    return 1 if sum(_compare(tape, arguments.seeds) for tape in arguments.tapes) else 0


def _compare(path: Path, seeds: int) -> int:
    """Compare one recording with all its mutations; return the number of differences."""
    messages = recorded(path)
    found = 0
    for seed in range(-1, seeds):
        day = plain(messages) if seed < 0 else mutated(messages, seed)
        begun = time.monotonic()
        result = compare(day.arrivals, seed)
        found += len(result.differences)
        name = "plain" if seed < 0 else f"seed {seed}"
        _say(
            f"{path.name} {name}: {result.prices} prices, {result.prints} prints, "
            f"{day.faults.total()} faults, {len(result.differences)} differences, "
            f"{time.monotonic() - begun:.0f} s"
        )
        for difference in result.differences:
            _say(str(difference))
    return found


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - this is a command


if __name__ == "__main__":
    sys.exit(main())
