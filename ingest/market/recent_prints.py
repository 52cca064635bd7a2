"""The prints that the tapes have shown recently, so that none is shown twice. Pure."""

from collections import OrderedDict
from collections.abc import Iterable

from shared.trade import Trade

PRINTS_REMEMBERED = 50_000
"""For all tapes together: some seconds of the busiest market, and minutes of any other."""


class RecentPrints:
    """The newest prints, each by symbol, exchange and id, or by its time if it has no id."""

    def __init__(self, bound: int = PRINTS_REMEMBERED) -> None:
        self._bound = bound
        self._recalled: set[str] = set()
        self._shown: OrderedDict[tuple[str, str | None, bool, str], None] = OrderedDict()

    def recall(self, symbol: str, prints: Iterable[Trade]) -> None:
        """Add the prints that an earlier leader has shown of a symbol.

        From then on, missed prints can complete its tape.
        """
        for each in prints:
            self.add(each)
        self._recalled.add(symbol)

    def recalls(self, symbol: str) -> bool:
        """Return whether the earlier prints of a symbol are known."""
        return symbol in self._recalled

    def add(self, print_: Trade) -> bool:
        """Add a print; return whether it is a new one."""
        named = print_.id is not None
        key = (print_.symbol, print_.exchange, named, print_.id or print_.timestamp)
        if key in self._shown:
            return False
        self._shown[key] = None
        if len(self._shown) > self._bound:
            self._shown.popitem(last=False)
        return True
