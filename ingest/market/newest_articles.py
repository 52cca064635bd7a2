"""The newest version of each article that was announced: an older one must not follow it. Pure."""

from collections import OrderedDict
from collections.abc import Iterable

from shared import rfc3339
from shared.news import News

REMEMBERED_ARTICLES = 1_000


class NewestArticles:
    """Remembers by an article's id when its newest version was updated."""

    def __init__(self) -> None:
        self._updated_ns: OrderedDict[str, int] = OrderedDict()
        self._recalled: set[str] = set()

    def add(self, article: News) -> bool:
        """Record a version; return False if this one or a newer one is known.

        Raises:
            ValueError: ``updated_at`` is not an RFC 3339 time.
        """
        updated_ns = rfc3339.to_nanoseconds(article.updated_at)
        known_ns = self._updated_ns.get(article.id)
        if known_ns is not None and updated_ns <= known_ns:
            return False
        self._updated_ns[article.id] = updated_ns
        self._updated_ns.move_to_end(article.id)
        if len(self._updated_ns) > REMEMBERED_ARTICLES:
            self._updated_ns.popitem(last=False)
        return True

    def recall(self, key: str, articles: Iterable[News]) -> None:
        """Record versions that earlier leaders have announced about a symbol, or about ``*``."""
        for article in articles:
            self.add(article)
        self._recalled.add(key)

    def recalls(self, key: str) -> bool:
        """Return whether the versions of earlier leaders are known."""
        return key in self._recalled
