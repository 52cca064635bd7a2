"""Keeping the demand's open positions: asked of Alpaca every half minute."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import structlog

from ingest.demand.wanted import Demand
from ingest.upstream.alpaca_rest import AlpacaRest, RestError
from shared.topics import InvalidSymbolError, stock_symbol

log = structlog.get_logger()

POSITIONS_SECONDS = 30.0

CLAIMS_SECONDS = 2.0
"""Where Redis was emptied, gateways write back what they show before they claim anything. A symbol
that is looked up before that, without a claim, could show an older price."""

US_EQUITY = "us_equity"


class Positions:
    """Hands the symbols of the open stock positions to the demand."""

    def __init__(self, rest: AlpacaRest, demand: Demand) -> None:
        self._rest = rest
        self._demand = demand
        self._failing = False

    async def run(self) -> None:
        """Ask until cancelled; while Alpaca does not answer, the last known stay."""
        await self._demand.wait_for_change(CLAIMS_SECONDS)
        while True:
            try:
                rows = await self._rest.positions()
            except RestError as error:
                if not self._failing:
                    log.warning("no positions", error=str(error))
                self._failing = True
            else:
                self._failing = False
                self._demand.set_positions(open_stocks(rows))
            await asyncio.sleep(POSITIONS_SECONDS)


def open_stocks(rows: Sequence[Any]) -> Iterator[str]:
    """Yield the symbols of ``GET /v2/positions`` that are stocks held or sold short."""
    for row in rows:
        if not isinstance(row, dict) or row.get("asset_class") != US_EQUITY:
            continue
        try:
            if float(row["qty"]):
                yield stock_symbol(row["symbol"])
        except (KeyError, TypeError, ValueError, AttributeError, InvalidSymbolError) as error:
            log.warning("position passed over", error=repr(error))
