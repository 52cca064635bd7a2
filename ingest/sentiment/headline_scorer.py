"""Whether a headline is good or bad news, by a linear model; None if that is uncertain.

The model is our own: ``python -m bench sentiment --write`` trains it. Its texts, its licence and
its figures stand in ``docs/sentiment.md``.
"""

from math import exp
from pathlib import Path

import msgspec

from ingest.sentiment.features import features
from shared.news import Label, Sentiment

WEIGHTS = Path(__file__).parent / "weights.json"

_HIGHEST = 50.0
"""A logit beyond it is certainty; ``exp`` must not overflow."""


class Weights(msgspec.Struct, frozen=True):
    """Logits against ``neutral``: first of ``negative``, then of ``positive``.

    They have two decimals. ``threshold`` is the probability that a label needs to be shown.
    """

    threshold: float
    bias: tuple[float, float]
    features: dict[str, tuple[float, float]]


class HeadlineScorer:
    """Scores headlines; about 10 µs each."""

    def __init__(self, weights: Weights) -> None:
        self._threshold = weights.threshold
        # Whole numbers: a set of words has another order in each process, and the last digit of a
        # sum of floats depends on the order. It can decide between two labels.
        self._bias = _hundredths(weights.bias)
        self._hundredths = {name: _hundredths(pair) for name, pair in weights.features.items()}

    @classmethod
    def load(cls) -> "HeadlineScorer":
        """Read the weights of this package."""
        return cls(msgspec.json.decode(WEIGHTS.read_bytes(), type=Weights))

    def probabilities(self, headline: str) -> dict[Label, float]:
        """Return the probability of each label."""
        negative, positive = self._bias
        hundredths_of = self._hundredths.get
        for each in features(headline):
            if (pair := hundredths_of(each)) is not None:
                negative += pair[0]
                positive += pair[1]
        bad, good = (exp(min(each / 100, _HIGHEST)) for each in (negative, positive))
        total = 1.0 + bad + good
        return {"negative": bad / total, "neutral": 1.0 / total, "positive": good / total}

    def score(self, headline: str) -> Sentiment | None:
        """Return the sentiment; None if no label is probable enough, or there is no known word."""
        found = self.probabilities(headline)
        label = max(found, key=found.__getitem__)
        if found[label] <= self._threshold:
            return None
        return Sentiment(score=round(found["positive"] - found["negative"], 2), label=label)


def _hundredths(pair: tuple[float, float]) -> tuple[int, int]:
    return round(pair[0] * 100), round(pair[1] * 100)
