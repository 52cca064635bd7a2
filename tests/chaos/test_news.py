"""The check of news finds each violation when it is fed one, and nothing where there is none."""

import random
from typing import Any

import pytest

from simulator.faults.odd_frames import ODD_NS
from simulator.protocol import rfc3339
from tests.chaos.news import News, NewsLedger, Version
from tests.chaos.story import END, MINUTE, FollowedClient


class Story(FollowedClient):
    """A client of four articles, a minute apart, of which the second has two versions."""

    def __init__(self) -> None:
        super().__init__("news:*")
        self.emptied: list[int] = []
        self.ledger = NewsLedger(random.Random(1))  # noqa: S311 - repeatable
        for minute, article in enumerate((1, 2, 2, 3, 4), 1):
            self.ledger.add(Version(article, minute * MINUTE, f"in minute {minute}", ("SPY",)))
        self.follower = self.news = News("it", self.ledger, self.emptied, self.complaints.append)

    def show(self, *minutes: int, **other: Any) -> None:
        """Show the versions of these minutes."""
        for minute in minutes:
            version = self.ledger.versions[minute - 1]
            data = {
                "id": str(version.article),
                "headline": version.headline,
                "symbols": list(version.symbols),
                "updated_at": rfc3339.render(version.at),
            }
            self.event("news", {**data, **other})


@pytest.fixture
def story() -> Story:
    return Story()


def test_every_version_once_is_nothing_to_complain_of(story: Story) -> None:
    story.show(1, 2, 3, 4, 5)

    assert (story.complaints, story.news.missing(END)) == ([], [])


@pytest.mark.parametrize("lost", [2, 3, 4, 5])
def test_a_lost_version_is_missing_if_its_time_has_come(story: Story, lost: int) -> None:
    story.show(*({1, 2, 3, 4, 5} - {lost}))

    assert "did not come" in story.news.missing(END)[0]
    assert story.news.missing(lost * MINUTE) == []
    story.news.forgive(END)
    assert story.news.missing(END) == []


def test_what_was_published_before_the_first_that_came_is_not_expected(story: Story) -> None:
    assert "no article has come" in story.news.missing(END)[0]
    story.show(4, 5)

    assert (story.complaints, story.news.missing(END)) == ([], [])


@pytest.mark.parametrize(
    ("bounds", "is_covered"),
    [((1, 3), True), ((1, 2), True), ((None, None), True), ((3, 9), False)],
)
def test_a_loss_between_the_bounds_of_a_gap_is_announced(
    story: Story, bounds: tuple[int | None, int | None], is_covered: bool
) -> None:
    story.show(1)
    story.gap(*bounds)
    story.show(3, 4, 5)

    assert (story.news.missing(END) == []) is is_covered


def test_a_gap_up_to_the_next_event_covers_nothing_after_it(story: Story) -> None:
    story.show(1)
    story.gap(None, None)
    story.show(2, 5)

    assert "in minute 3" in story.news.missing(END)[0]


def test_what_comes_twice_or_never_was_or_is_late_in_ids_or_older_is_found(story: Story) -> None:
    story.show(1, 1)
    story.show(2, headline="Another")
    story.show(3, 2)
    story.show(4, event_id="6-9")

    words = ["came twice", "never published", "older version", "after 7-5"]
    assert [word in text for word, text in zip(words, story.complaints, strict=True)] == [True] * 4


def test_articles_may_come_again_once_redis_has_lost_its_data(story: Story) -> None:
    story.show(1, 3)
    story.emptied.append(3 * MINUTE + 1)
    story.show(1, 2, 4, 4)

    assert ["came twice" in each for each in story.complaints] == [True]


def test_the_article_of_an_odd_frame_is_passed_over(story: Story) -> None:
    story.event("news", {"updated_at": rfc3339.render(ODD_NS)})

    assert story.complaints == []


def test_messages_are_new_articles_later_versions_and_those_of_before(story: Story) -> None:
    made = [story.ledger.anything(("SPY", "IBM", "BAC"), END + n) for n in range(100)]
    versions = {(each["id"], each["updated_at"]) for each in made}
    articles = {each["id"] for each in made}

    assert 100 > len(versions) > len(articles)
    assert len(story.ledger.versions) == 5 + len(versions) - (
        (4, rfc3339.render(5 * MINUTE)) in versions
    )
