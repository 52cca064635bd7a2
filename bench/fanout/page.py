"""``docs/benchmarks.md``, written by the run whose figures it shows."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from string import Template

from bench.fanout import report
from bench.fanout.requirements import verdicts
from bench.fanout.results import Results

PAGE = "docs/benchmarks.md"

_PINNED = "The server has the first core for itself, everything else shares the others."
_FREE = "Nothing is bound to a core."


def text(
    results: Results,
    *,
    machine: Sequence[tuple[str, str]],
    day: date,
    command: str,
    pinned: bool,
) -> str:
    """Return the page; ``page.md`` beside this file has its words."""
    return Template(Path(__file__).with_suffix(".md").read_text()).substitute(
        {scene: report.tables(scene, results) for scene in report.TITLES},
        machine=report.table(("machine", "version"), machine, texts=2),
        requirements=report.requirements(verdicts(results)),
        disturbance=report.disturbance(results),
        day=day.isoformat(),
        command=command,
        pinned=_PINNED if pinned else _FREE,
    )
