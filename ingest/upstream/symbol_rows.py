"""Rows of REST about one symbol: read, and applied to the bars; a bad one costs no other."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from ingest.market.bars import Bar
from ingest.market.prints import Trade
from ingest.market.rest_prints import Fate
from ingest.upstream import translation
from ingest.upstream.malformed_data import MalformedData

_Result = TypeVar("_Result")


class SymbolRows:
    """``malformed`` counts and logs the rows that cannot be read or applied."""

    def __init__(self, malformed: MalformedData) -> None:
        self._malformed = malformed

    def applied(self, symbol: str, apply: Callable[[], _Result]) -> _Result | None:
        """Apply an answer about a symbol; return None if that fails: it costs no other symbol."""
        try:
            return apply()
        except ValueError as error:
            self._malformed.note(f"bars of {symbol}", error)
        except Exception as error:
            # The boundary for the errors that no rule expects.
            self._malformed.note_escaped(f"bars of {symbol}", error)
        return None

    def bars(self, symbol: str, rows: Sequence[object]) -> list[Bar]:
        """Return the bars of REST's rows that can be read."""
        where = f"bars of {symbol}"
        return translation.bars(symbol, rows, lambda text: self._malformed.note(where, text))

    def trades(self, symbol: str, rows: Sequence[object]) -> list[Trade]:
        """Return the prints of REST's rows that can be read, and that were not withdrawn."""
        found = []
        for row in rows:
            try:
                each = translation.print_of_row(symbol, row)
            except ValueError as error:
                self._malformed.note(f"trade of {symbol}", error, row)
                continue
            if each is not None and each.fate in (Fate.STANDS, Fate.CORRECTED):
                found.append(each.trade)
        return found
