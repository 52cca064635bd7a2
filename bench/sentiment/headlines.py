"""The labelled headlines, real and written, and the words that have a valence in VADER."""

import gzip
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple, cast

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from ingest.sentiment.features import words
from shared.news import Label

HEADLINES = Path(__file__).parent / "headlines.jsonl.gz"
AMERICAN = Path(__file__).parent / "american_headlines.tsv"

REPEATED = 3
"""How often a written headline counts: few stand for forms that come every day."""

_PLAIN_WORD = re.compile(r"[a-z']+")


class Headline(NamedTuple):
    """A headline, and what people have read in it."""

    text: str
    label: Label


def headlines() -> list[Headline]:
    """Return the headlines, each once: a copy among those of the test would be a known answer."""
    lines = gzip.decompress(HEADLINES.read_bytes()).splitlines()
    found: dict[tuple[str, ...], Headline] = {}
    for row in map(json.loads, lines):
        each = Headline(row["headline"], row["label"])
        found.setdefault(tuple(words(each.text)), each)
    return list(found.values())


def american_headlines() -> list[Headline]:
    """Return sentences that we wrote in the forms of US news; no figure counts them."""
    rows = (line.split("\t") for line in AMERICAN.read_text().splitlines())
    return [Headline(text, cast("Label", label)) for label, text in rows]


def with_american(texts: Sequence[Headline]) -> list[Headline]:
    """Return the headlines to train on: real ones, and the written ones several times."""
    return [*texts, *american_headlines() * REPEATED]


@cache
def vader() -> SentimentIntensityAnalyzer:
    """Return VADER's own scorer."""
    return SentimentIntensityAnalyzer()


@cache
def lexicon() -> Mapping[str, float]:
    """Return the valence of each word of VADER's, from -4 to 4."""
    known: dict[str, float] = vader().lexicon
    return {word: valence for word, valence in known.items() if _PLAIN_WORD.fullmatch(word)}
