"""The training: multinomial logistic regression with an L2 penalty, by Adam on all headlines.

It is the same on each run: there is no chance in it.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bench.sentiment.headlines import Headline
from ingest.sentiment.features import features
from ingest.sentiment.headline_scorer import Weights
from shared.news import Label

LABELS: Final[tuple[Label, ...]] = ("negative", "neutral", "positive")

THRESHOLD = 0.65
"""The probability that a label needs to be shown."""

FEATURES = 3_000
"""More of them learn the headlines by heart."""

FEWEST = 2
"""The headlines that a feature needs to get a weight."""

PENALTY = 6e-4
ITERATIONS = 150
LEARNING_RATE = 0.05
DIGITS = 2

_Array: TypeAlias = NDArray[np.float64]


class _Table(NamedTuple):
    """The features of all headlines as a sparse matrix: entries by row, column and value."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    values: _Array
    height: int


def train(texts: Sequence[Headline], lexicon: Mapping[str, float]) -> Weights:
    """Return the weights that fit headlines best.

    Two features beside those of the headline are the sums of the good and of the bad words of
    ``lexicon``. They are linear in its words, so each word gets its share of their weights, and the
    scorer knows no lexicon.
    """
    found = [features(each.text) for each in texts]
    labels = np.array([LABELS.index(each.label) for each in texts])
    chosen = _chosen(found, labels)
    weights, bias = _fit(_table(found, chosen, lexicon), labels, len(chosen) + 2)
    pairs = _against_neutral(weights)
    shares = defaultdict[str, _Array](lambda: np.zeros(2))
    for feature, column in chosen.items():
        shares[feature] += pairs[column]
    for word, valence in lexicon.items():
        shares[word] += valence * pairs[len(chosen) + (valence < 0)]
    negative, positive = _against_neutral(bias)
    return Weights(
        threshold=THRESHOLD,
        bias=(round(float(negative), DIGITS), round(float(positive), DIGITS)),
        features={
            feature: (round(float(pair[0]), DIGITS), round(float(pair[1]), DIGITS))
            for feature, pair in sorted(shares.items())
            if np.abs(pair).max() >= 0.5 * 10.0**-DIGITS
        },
    )


def _chosen(found: Sequence[set[str]], labels: NDArray[np.int64]) -> dict[str, int]:
    """Return the columns of the features that depend most on the label, by chi-squared."""
    total: Counter[str] = Counter()
    by_label: list[Counter[str]] = [Counter() for _ in LABELS]
    for each, label in zip(found, labels, strict=True):
        total.update(each)
        by_label[label].update(each)
    shares = np.bincount(labels, minlength=len(LABELS)) / len(labels)

    def dependence(feature: str) -> float:
        expected = total[feature] * shares
        seen = np.array([counter[feature] for counter in by_label])
        return float(((seen - expected) ** 2 / (expected * (1 - shares))).sum())

    frequent = [feature for feature, count in total.items() if count >= FEWEST]
    best = sorted(frequent, key=lambda feature: (-dependence(feature), feature))
    return {feature: column for column, feature in enumerate(best[:FEATURES])}


def _table(
    found: Sequence[set[str]], chosen: Mapping[str, int], lexicon: Mapping[str, float]
) -> _Table:
    entries: list[tuple[int, int, float]] = []
    for row, each in enumerate(found):
        entries += [(row, chosen[feature], 1.0) for feature in sorted(each) if feature in chosen]
        valences = [lexicon[word] for word in sorted(each) if word in lexicon]
        entries.append((row, len(chosen), sum(v for v in valences if v > 0)))
        entries.append((row, len(chosen) + 1, sum(v for v in valences if v < 0)))
    rows, columns, values = zip(*entries, strict=True)
    return _Table(np.array(rows), np.array(columns), np.array(values), len(found))


def _fit(table: _Table, labels: NDArray[np.int64], width: int) -> tuple[_Array, _Array]:
    """Return the weights of each column, and the bias, by label."""
    count = len(LABELS)
    right = np.eye(count)[labels]
    known = np.zeros((width + 1, count))  # the last row is the bias
    mean, square = np.zeros_like(known), np.zeros_like(known)
    for step in range(1, ITERATIONS + 1):
        excess = (_probabilities(table, known) - right) / table.height
        weighted = excess[table.rows] * table.values[:, None]
        slope = [np.bincount(table.columns, weighted[:, k], width) for k in range(count)]
        gradient = np.vstack([np.stack(slope, axis=1) + PENALTY * known[:-1], excess.sum(axis=0)])
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        pace = (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
        known -= LEARNING_RATE * pace
    return known[:-1], known[-1]


def _probabilities(table: _Table, known: _Array) -> _Array:
    parts = known[table.columns] * table.values[:, None]
    logits = np.stack(
        [np.bincount(table.rows, parts[:, k], table.height) for k in range(len(LABELS))], axis=1
    )
    logits += known[-1]
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _against_neutral(weights: _Array) -> _Array:
    """Return those of ``negative`` and ``positive`` less that of ``neutral``: the same model."""
    return np.asarray(weights[..., [0, 2]] - weights[..., [1]])
