"""The choice of a recorded response for a request to REST. Pure.

A request gets a response to the same question; if there is none, to the same question about another
time; if there is none, the rows of its symbols from responses about other symbols.
"""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import msgspec

from simulator.capture.exchange import Exchange, Question

_OK: Final = 200
_NEXT_PAGE: Final = "next_page_token"


class Answer(NamedTuple):
    """A response; `duration` in ns of the recording, `question` that of the request."""

    question: Question
    status: int
    body: bytes
    duration: int = 0


class _Series:
    """The responses to one question, in order. Each request gets the next.

    One that a later response has overtaken is skipped, because the market has moved on. One that
    lies ahead is not given, unless there is none before it.
    """

    def __init__(self) -> None:
        self._exchanges: list[Exchange] = []
        self._last = -1

    def add(self, exchange: Exchange) -> None:
        """Add the newest response."""
        self._exchanges.append(exchange)

    def take(self, position: int, latest: int) -> Exchange:
        """Return the response to a request at a position; one asked for after `latest` is ahead."""
        exchanges, following = self._exchanges, self._last + 1
        while following + 1 < len(exchanges) and exchanges[following + 1].at <= position:
            following += 1
        is_there = following < len(exchanges)
        if is_there and (self._last < 0 or exchanges[following].at <= latest):
            self._last = following
        return exchanges[self._last]


class RestAnswers:
    """Chooses among the exchanges of a capture."""

    def __init__(self, exchanges: Iterable[Exchange]) -> None:
        self._same: dict[Question, _Series] = {}
        self._at_any_time: dict[Question, _Series] = {}
        self._by_symbol: dict[tuple[Question, str], _Series] = {}
        self._lists: dict[Question, Exchange] = {}
        """An example of each question about a list of symbols, whichever."""
        self._pages: dict[tuple[Question, str], Exchange] = {}
        """The later pages of long responses, by their tokens."""
        for each in exchanges:
            self._add(each)

    def take(self, question: Question, position: int, latest: int) -> Answer | None:
        """Return the response to a request at a position in the recording (monotonic ns).

        `latest`: one that was asked for after this lies ahead. None: nothing like it was recorded.
        """
        for found in (
            self._same.get(question),
            self._at_any_time.get(question.at_any_time),
        ):
            if found is not None:
                exchange = found.take(position, latest)
                return Answer(question, exchange.status, exchange.body, exchange.duration)
        return self._put_together(question, position, latest)

    def _add(self, exchange: Exchange) -> None:
        question = exchange.question
        self._same.setdefault(question, _Series()).add(exchange)
        self._at_any_time.setdefault(question.at_any_time, _Series()).add(exchange)
        if exchange.status != _OK or not question.symbols:
            return
        group = question.about_any_symbols
        if (token := question.page) is not None:
            self._pages[group, token] = exchange
            return
        self._lists[group] = exchange
        for symbol in question.symbols:
            self._by_symbol.setdefault((group, symbol), _Series()).add(exchange)

    def _put_together(self, question: Question, position: int, latest: int) -> Answer | None:
        group = question.about_any_symbols
        example = self._lists.get(group)
        if example is None or not question.symbols:
            return None
        name = _name_of_rows(msgspec.json.decode(example.body))
        rows: dict[str, Any] = {}
        for symbol in question.symbols:
            series = self._by_symbol.get((group, symbol))
            if series is not None:
                exchange = series.take(position, latest)
                found = self._rows(group, exchange, symbol, name)
                if found is not None:
                    rows[symbol] = found
        body = rows if name is None else {name: rows, _NEXT_PAGE: None}
        return Answer(question, _OK, msgspec.json.encode(body), example.duration)

    def _rows(self, group: Question, exchange: Exchange, symbol: str, name: str | None) -> Any:
        """Return what a response has of a symbol, with all of its pages; None if nothing."""
        body = msgspec.json.decode(exchange.body)
        if name is None:
            return body.get(symbol)
        rows = list((body.get(name) or {}).get(symbol) or ())
        seen = set[str]()
        while (token := body.get(_NEXT_PAGE)) and token not in seen:
            seen.add(token)
            following = self._pages.get((group, token))
            if following is None:
                break
            body = msgspec.json.decode(following.body)
            rows += (body.get(name) or {}).get(symbol) or ()
        return rows or None


def _name_of_rows(body: Any) -> str | None:
    """Return the field that has the rows by symbol; None if the body itself is that."""
    if _NEXT_PAGE not in body:
        return None
    return next((str(name) for name, value in body.items() if isinstance(value, dict)), None)
