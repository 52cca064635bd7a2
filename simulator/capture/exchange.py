"""A recorded request to REST with its response. Pure."""

import zlib
from typing import NamedTuple, Self
from urllib.parse import parse_qsl, urlsplit

from simulator.capture.capture_file import Record

Query = tuple[tuple[str, str], ...]
"""The parameters of a request, sorted."""

_TIMES = frozenset({"start", "end", "after", "until", "asof"})
"""Parameters that name a time: a later run asks for other ones."""

_LIST = "symbols"
_PAGE = "page_token"


class Question(NamedTuple):
    """A request as it is compared with others."""

    method: str
    path: str
    query: Query

    @classmethod
    def of(cls, method: str, target: str) -> Self:
        """Return the question of a request; `target` is its path with its query."""
        parts = urlsplit(target)
        given = parse_qsl(parts.query, keep_blank_values=True)
        # alpaca-py joins symbols in any order.
        query = sorted((n, ",".join(sorted(v.split(","))) if n == _LIST else v) for n, v in given)
        return cls(method, parts.path, tuple(query))

    @property
    def at_any_time(self) -> "Question":
        """The same question about any time."""
        return self._without(_TIMES)

    @property
    def about_any_symbols(self) -> "Question":
        """The same question about any symbols, at any time, and all of its pages."""
        return self._without(_TIMES | {_LIST, _PAGE})

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols that it is about, if it is about a list of them."""
        listed = dict(self.query).get(_LIST, "")
        return tuple(listed.split(",")) if listed else ()

    @property
    def page(self) -> str | None:
        """The token of the page that it asks for, if it is not the first."""
        return dict(self.query).get(_PAGE)

    @property
    def timeframe(self) -> str | None:
        """The span of the bars that it asks for, such as `1Day`."""
        return dict(self.query).get("timeframe")

    def _without(self, names: frozenset[str]) -> "Question":
        return self._replace(query=tuple(pair for pair in self.query if pair[0] not in names))


class Exchange(NamedTuple):
    """A question, and the response to it. `at` is when it was asked (monotonic ns)."""

    question: Question
    at: int
    duration: int
    status: int
    packed: bytes
    """The body, compressed: a day has many equal ones."""

    @classmethod
    def of(cls, record: Record) -> Self:
        """Return the exchange of a record."""
        return cls(
            Question.of(record.method, record.path),
            record.monotonic - record.duration,
            record.duration,
            record.status or 200,
            cls.pack(record.frame.payload),
        )

    @staticmethod
    def pack(body: bytes) -> bytes:
        """Return a body as it is kept."""
        return zlib.compress(body, 1)

    @property
    def body(self) -> bytes:
        """The body as it came."""
        return zlib.decompress(self.packed)
