"""``python -m bench sentiment``: how good the headline scorer is, beside VADER.

The figures are of headlines that the scorer has not seen (5-fold cross-validation). ``--write``
trains on all of them, and writes the weights and the table of ``docs/sentiment.md``.
"""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.sentiment.figures import (
    Figures,
    cross_validated,
    figures,
    microseconds,
    vader_verdict,
)
from bench.sentiment.headlines import headlines, lexicon, with_american
from bench.sentiment.training import train
from ingest.sentiment.headline_scorer import WEIGHTS, HeadlineScorer, Weights

PAGE = Path(__file__).parents[2] / "docs/sentiment.md"

_TABLE = re.compile(r"(?<=<!-- figures -->\n).*?(?=<!-- /figures -->)", re.DOTALL)

REQUIRED = Figures(
    accuracy=0.78, wrong_sign=1.0, shown=0.65, accuracy_shown=0.88, wrong_sign_shown=0.04
)
MOST_MICROSECONDS = 20.0


def main(arguments: Sequence[str]) -> int:
    """Print the figures; return 1 if they are not good enough."""
    parser = argparse.ArgumentParser(prog="python -m bench sentiment", description=__doc__)
    parser.add_argument("--write", action="store_true", help="train, and write weights and page")
    is_written = parser.parse_args(arguments).write
    texts = headlines()
    if is_written:
        WEIGHTS.write_bytes(encoded(train(with_american(texts), lexicon())))
        PAGE.write_text(_TABLE.sub(table(), PAGE.read_text()))
    print(table())
    ours = microseconds(HeadlineScorer.load().score, texts)
    theirs = microseconds(vader_verdict, texts)
    print(
        f"CPU of a headline: {ours:.1f} µs, VADER {theirs:.1f} µs: {ours / theirs:.2f} of VADER's"
    )
    found = figures(cross_validated(texts, lexicon()))
    return int(not (is_met(found) and ours <= MOST_MICROSECONDS))


def is_met(found: Figures) -> bool:
    """Return whether figures are good enough."""
    return (
        found.accuracy >= REQUIRED.accuracy
        and found.shown >= REQUIRED.shown
        and found.accuracy_shown >= REQUIRED.accuracy_shown
        and found.wrong_sign_shown <= REQUIRED.wrong_sign_shown
    )


def table() -> str:
    """Return the figures of our scorer and of VADER as Markdown."""
    texts = headlines()
    rows = {
        "Tapecast": figures(cross_validated(texts, lexicon())),
        "VADER": figures([(each, vader_verdict(each.text)) for each in texts]),
    }
    columns = ("scorer", "right, of all", "wrong sign, of all", "gets a label",
               "right, of these", "wrong sign, of these")  # fmt: skip
    lines = [columns, ("---", *["---:"] * len(Figures._fields))]
    lines += [(name, *map("{:.1%}".format, row)) for name, row in rows.items()]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def encoded(weights: Weights) -> bytes:
    """Return the file of weights, a feature a line."""
    lines = (
        msgspec.json.encode(feature) + b":" + msgspec.json.encode(pair)
        for feature, pair in weights.features.items()
    )
    head = msgspec.json.encode({"threshold": weights.threshold, "bias": weights.bias})
    return head[:-1] + b',"features":{\n' + b",\n".join(lines) + b"\n}}\n"
