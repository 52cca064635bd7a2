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

    ``threshold`` is the probability that a label needs to be shown.
    """

    threshold: float
    bias: tuple[float, float]
    features: dict[str, tuple[float, float]]


class HeadlineScorer:
    """Scores headlines; about 10 µs each."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights

    @classmethod
    def load(cls) -> "HeadlineScorer":
        """Read the weights of this package."""
        return cls(msgspec.json.decode(WEIGHTS.read_bytes(), type=Weights))

    def probabilities(self, headline: str) -> dict[Label, float]:
        """Return the probability of each label."""
        weights = self._weights
        negative, positive = weights.bias
        weight_of = weights.features.get
        for each in features(headline):
            if (pair := weight_of(each)) is not None:
                negative += pair[0]
                positive += pair[1]
        bad, good = exp(min(negative, _HIGHEST)), exp(min(positive, _HIGHEST))
        total = 1.0 + bad + good
        return {"negative": bad / total, "neutral": 1.0 / total, "positive": good / total}

    def score(self, headline: str) -> Sentiment | None:
        """Return the sentiment; None if no label is probable enough, or there is no known word."""
        found = self.probabilities(headline)
        label = max(found, key=found.__getitem__)
        if found[label] <= self._weights.threshold:
            return None
        return Sentiment(score=round(found["positive"] - found["negative"], 2), label=label)
