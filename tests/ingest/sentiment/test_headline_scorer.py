"""The scorer of headlines: its labels, its abstentions, and texts that are no headlines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.sentiment import features
from ingest.sentiment.features import words
from ingest.sentiment.headline_scorer import HeadlineScorer, Weights

SCORER = HeadlineScorer.load()


@pytest.mark.parametrize(
    ("headline", "label"),
    [
        ("Dow Tumbles 900 Points on Recession Fears", "negative"),
        ("Deutsche Bank Downgrades Tesla to Sell", "negative"),
        ("HSBC Upgrades Disney to Buy, Raises Price Target", "positive"),
        ("Profit soars 40% on record sales", "positive"),
        ("Kroger To Report Third Quarter Results on December 5", "neutral"),
    ],
)
def test_a_headline_has_a_label_and_a_score_of_its_sign(headline: str, label: str) -> None:
    found = SCORER.score(headline)

    assert found is not None
    assert found.label == label
    assert (found.score < -0.5, found.score > 0.5) == (label == "negative", label == "positive")


@pytest.mark.parametrize("headline", ["", "   ", "XYZZY", "EPS <$0.10, Sales >$5M", "\N{ROCKET}"])
def test_a_headline_that_says_nothing_has_no_sentiment(headline: str) -> None:
    assert SCORER.score(headline) is None


@pytest.mark.parametrize(
    ("headline", "found"),
    [
        ("Profit up 3.5%, beats by $1,200", ["profit", "up", "#", "%", "beats", "by", "#"]),
        ("Macy\N{RIGHT SINGLE QUOTATION MARK}s falls", ["macy's", "falls"]),
        ("Why Is It Up?", ["why", "is", "it", "up", "?"]),
    ],
)
def test_numbers_are_alike_and_signs_are_words(headline: str, found: list[str]) -> None:
    assert words(headline) == found


def test_a_long_text_costs_no_more_than_a_headline() -> None:
    assert len(words("up " * 1_000_000)) == features.MOST_WORDS
    assert len(words("x" * 1_000_000)[0]) == features.MOST_CHARACTERS


@given(st.lists(st.integers(-900, 900), min_size=3, max_size=9))
def test_words_that_cancel_each_other_leave_two_labels_equally_probable(
    hundredths: list[int],
) -> None:
    # Sums of floats depend on the order, and a set of words has another one in each process: a
    # headline between two labels got one label today and another one tomorrow.
    given = [*hundredths, -sum(hundredths)]
    weights = {"w" + chr(ord("a") + k): (each / 100, 0.0) for k, each in enumerate(given)}
    scorer = HeadlineScorer(Weights(0.65, (0.0, 0.0), weights))

    found = scorer.probabilities(" ".join(weights))

    assert found["negative"] == found["neutral"]


@given(st.text(max_size=300))
def test_each_text_has_probabilities_whose_sum_is_one(text: str) -> None:
    found = SCORER.probabilities(text)

    assert sum(found.values()) == pytest.approx(1)
    score = SCORER.score(text)
    assert score is None or -1 <= score.score <= 1


def test_extreme_weights_are_certainty_and_no_overflow() -> None:
    scorer = HeadlineScorer(Weights(0.65, (0.0, 0.0), {"up": (-1e9, 1e9)}))

    found = scorer.score("up")
    assert found is not None
    assert (found.label, found.score) == ("positive", 1.0)
