"""How good a scorer is: its accuracy, how often it abstains, and how often its sign is wrong."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from bench.sentiment.headlines import Headline, vader, with_american
from bench.sentiment.training import LABELS, train
from ingest.sentiment.headline_scorer import HeadlineScorer
from shared.news import Label

FOLDS = 5

VADER_NEUTRAL = 0.05
"""The compound score below which VADER's authors call a text neutral."""


class Verdict(NamedTuple):
    """What a scorer says of a headline: the likeliest label, and whether it shows it."""

    label: Label
    is_shown: bool


Scorer: TypeAlias = Callable[[str], Verdict]


class Figures(NamedTuple):
    """Fractions. ``accuracy`` is of all headlines, as if the scorer never abstained.

    ``shown``: the headlines that get a label, ``accuracy_shown`` its accuracy, and
    ``wrong_sign_shown``: positive for negative, or the other way round.
    """

    accuracy: float
    wrong_sign: float
    shown: float
    accuracy_shown: float
    wrong_sign_shown: float


def figures(rows: Sequence[tuple[Headline, Verdict]]) -> Figures:
    """Return the figures of verdicts."""
    shown = [(headline, verdict) for headline, verdict in rows if verdict.is_shown]
    return Figures(
        accuracy=_fraction(rows, _is_right),
        wrong_sign=_fraction(rows, _has_wrong_sign),
        shown=len(shown) / len(rows),
        accuracy_shown=_fraction(shown, _is_right),
        wrong_sign_shown=_fraction(shown, _has_wrong_sign),
    )


def cross_validated(
    texts: Sequence[Headline], lexicon: Mapping[str, float]
) -> list[tuple[Headline, Verdict]]:
    """Return the verdict about each headline of a scorer that has not seen it."""
    found: list[tuple[Headline, Verdict]] = []
    for fold in range(FOLDS):
        rest = [each for number, each in enumerate(texts) if number % FOLDS != fold]
        scorer = own(HeadlineScorer(train(with_american(rest), lexicon)))
        found += [(each, scorer(each.text)) for each in texts[fold::FOLDS]]
    return found


def own(scorer: HeadlineScorer) -> Scorer:
    """Return our scorer's verdicts."""

    def verdict(headline: str) -> Verdict:
        found = scorer.probabilities(headline)
        label = max(LABELS, key=found.__getitem__)
        return Verdict(label, scorer.score(headline) is not None)

    return verdict


def vader_verdict(headline: str) -> Verdict:
    """Return VADER's verdict; it never abstains."""
    score: float = vader().polarity_scores(headline)["compound"]
    if score >= VADER_NEUTRAL:
        return Verdict("positive", is_shown=True)
    return Verdict("negative" if score <= -VADER_NEUTRAL else "neutral", is_shown=True)


def microseconds(score: Callable[[str], object], texts: Sequence[Headline]) -> float:
    """Return the CPU time that a headline costs."""
    began = time.process_time()
    for each in texts:
        score(each.text)
    return (time.process_time() - began) / len(texts) * 1e6


def _is_right(headline: Headline, verdict: Verdict) -> bool:
    return headline.label == verdict.label


def _has_wrong_sign(headline: Headline, verdict: Verdict) -> bool:
    return {headline.label, verdict.label} == {"negative", "positive"}


def _fraction(
    rows: Sequence[tuple[Headline, Verdict]], holds: Callable[[Headline, Verdict], bool]
) -> float:
    return sum(holds(*row) for row in rows) / len(rows)
