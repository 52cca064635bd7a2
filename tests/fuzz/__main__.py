"""Fuzz one decoder, or all: ``python -m tests.fuzz frames --inputs 1000000 --seed 1``."""

import argparse
import logging

import structlog

from tests.fuzz.run import fuzz
from tests.fuzz.targets import TARGETS


def main() -> None:
    """Run the targets one after the other; the first error ends the run with its input."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="target", help=", ".join(TARGETS))
    parser.add_argument("--inputs", type=int, default=1_000_000, help="for each target")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    if unknown := set(given.targets) - set(TARGETS):
        parser.error(f"{', '.join(sorted(unknown))}: expected some of {', '.join(TARGETS)}")
    # Most inputs are malformed, and each one would be a line.
    quiet = structlog.make_filtering_bound_logger(logging.CRITICAL)
    structlog.configure(wrapper_class=quiet)
    for name in given.targets or TARGETS:
        print(f"{name}: {fuzz(name, given.inputs, given.seed)}", flush=True)


if __name__ == "__main__":
    main()
