"""Counts of the differences between bars made of prints and the vendor's: lost prints show here."""

from ingest.market.bars import Bar


class BarCounts:
    """Counts since the start, over all symbols.

    ``compared``: minutes whose prints the stream brought from start to end and for which the vendor
    has sent a bar. ``volume_differs`` and ``close_differs``: those with another volume or close.
    ``missing_shares`` and ``missing_trades``: the vendor's more. ``unexpected``: minutes of which
    own prints make a bar and the vendor's REST has none.
    """

    __slots__ = (
        "close_differs",
        "compared",
        "missing_shares",
        "missing_trades",
        "unexpected",
        "volume_differs",
    )

    def __init__(self) -> None:
        self.compared = 0
        self.volume_differs = 0
        self.close_differs = 0
        self.missing_shares = 0.0
        self.missing_trades = 0
        self.unexpected = 0

    def compare(self, own: Bar | None, vendor: Bar) -> None:
        """Count the differences of a minute; ``own`` is None if its prints make no bar."""
        self.compared += 1
        volume = 0 if own is None else own.volume
        trade_count = 0 if own is None else own.trade_count or 0
        self.volume_differs += volume != vendor.volume
        self.close_differs += own is None or own.close != vendor.close
        self.missing_shares += max(0, vendor.volume - volume)
        self.missing_trades += max(0, (vendor.trade_count or 0) - trade_count)
