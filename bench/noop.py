"""alpaca-py with a handler that does nothing: ``python -m bench.noop URL raw|parsed LAST SYMBOL…``.

Written as its users do: ``run()``, the defaults, an ``async def`` handler. Prints a line ``last``
whenever a trade of the symbol LAST arrives.
"""

import sys
import warnings
from typing import Any

from alpaca.data.live import StockDataStream

from simulator import DEFAULT_KEY, DEFAULT_SECRET


async def on_trade(_: Any) -> None:
    """Do nothing."""


async def on_last(_: Any) -> None:
    """Report to the bench that all ticks have been read."""
    print("last", flush=True)


def main(url: str, form: str, last: str, *symbols: str) -> None:
    """Read until killed."""
    stream = StockDataStream(DEFAULT_KEY, DEFAULT_SECRET, raw_data=form == "raw", url_override=url)
    stream.subscribe_trades(on_trade, *symbols)
    stream.subscribe_trades(on_last, last)
    stream.run()


if __name__ == "__main__":
    warnings.simplefilter("ignore", DeprecationWarning)  # alpaca-py's use of websockets.legacy
    main(*sys.argv[1:])
