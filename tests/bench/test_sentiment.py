"""The headline scorer as it is shipped: what the training makes, and as good as its page says."""

import msgspec
import pytest

from bench.sentiment import command
from bench.sentiment.figures import cross_validated, figures
from bench.sentiment.headlines import headlines, lexicon, with_american
from bench.sentiment.training import train
from ingest.sentiment.headline_scorer import WEIGHTS, Weights


def test_the_shipped_weights_are_those_of_the_training() -> None:
    shipped = msgspec.json.decode(WEIGHTS.read_bytes(), type=Weights)
    trained = train(with_american(headlines()), lexicon())

    # Another processor may round the last digit otherwise.
    zero = (0.0, 0.0)
    features = {*shipped.features, *trained.features}
    far = {
        feature
        for feature in features
        if shipped.features.get(feature, zero)
        != pytest.approx(trained.features.get(feature, zero), abs=0.021)
    }
    assert far == set()
    assert shipped.bias == pytest.approx(trained.bias, abs=0.021)
    assert shipped.threshold == trained.threshold


def test_on_headlines_that_it_has_not_seen_it_is_as_good_as_required() -> None:
    assert command.is_met(figures(cross_validated(headlines(), lexicon())))


def test_the_page_has_the_figures_of_the_training() -> None:
    assert command.table() in command.PAGE.read_text()
