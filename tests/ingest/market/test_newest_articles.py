"""Versions of articles: each newer one once."""

import pytest

from ingest.market import newest_articles
from ingest.market.newest_articles import NewestArticles
from shared.news import News


def version(number: str, updated_at: str) -> News:
    return News(
        id=number,
        headline="",
        summary="",
        author="",
        source="",
        url=None,
        symbols=[],
        created_at="",
        updated_at=updated_at,
    )


def test_a_version_is_new_only_if_it_is_newer_than_all_before_it() -> None:
    newest = NewestArticles()
    newest.recall("SPY", [version("8", "2026-11-16T09:17:42Z")])

    assert not newest.add(version("8", "2026-11-16T09:17:42Z"))
    assert not newest.add(version("8", "2026-11-16T09:17:41.9Z"))
    assert newest.add(version("8", "2026-11-16T09:17:42.1Z"))
    assert newest.add(version("9", "2026-11-16T09:00:00Z"))


def test_the_memory_is_bounded_and_keeps_the_articles_updated_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(newest_articles, "REMEMBERED_ARTICLES", 2)
    newest = NewestArticles()
    for number in ("1", "2", "3"):
        newest.add(version(number, "2026-11-16T09:17:42Z"))

    assert newest.add(version("1", "2026-11-16T09:17:42Z"))
    assert not newest.add(version("3", "2026-11-16T09:17:42Z"))
