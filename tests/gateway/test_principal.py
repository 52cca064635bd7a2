"""What a ticket allows beside the topics that it names."""

import pytest

from gateway.wire.principal import Principal


@pytest.mark.parametrize(
    ("allowed", "wanted", "may"),
    [
        ("price:SPY", "price:SPY", True),
        ("price:SPY", "status:SPY", True),
        ("price:SPY", "price:IBM", False),
        ("price:SPY", "status:IBM", False),
        ("price:SPY", "quote:SPY", False),
        ("status:SPY", "price:SPY", False),
        ("quote:SPY", "status:SPY", False),
        ("news:*", "news:*", True),
        ("news:*", "news:SPY", True),
        ("news:SPY", "news:*", False),
        ("news:*", "price:SPY", False),
        ("position:*", "position:SPY", True),
        ("bar.1Min:SPY", "bar.1Min:SPY", True),
        ("bar.1Min:SPY", "bar.5Min:SPY", False),
    ],
)
def test_a_topic_allows_itself_and_what_comes_with_it(allowed: str, wanted: str, may: bool) -> None:
    assert Principal("ann", frozenset({allowed})).may_watch(wanted) is may


def test_who_is_not_restricted_may_watch_everything() -> None:
    assert Principal("ann").divide(("price:SPY", "news:*")) == (("price:SPY", "news:*"), [])


def test_topics_are_divided_in_the_order_asked_for() -> None:
    principal = Principal("ann", frozenset({"price:SPY", "price:IBM"}))

    allowed, denied = principal.divide(["price:IBM", "news:*", "status:SPY", "quote:SPY"])

    assert (list(allowed), denied) == (["price:IBM", "status:SPY"], ["news:*", "quote:SPY"])
