"""The option chains that clients ask for: REST's, for any gateway.

Source: https://docs.alpaca.markets/reference/optionchain.
"""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from ingest.alpaca import rest_rows
from ingest.alpaca.tolerant import bounded
from ingest.market.market_hours import NEW_YORK, MarketHours
from ingest.market.prints import is_price
from ingest.upstream.answered import Answered, UnansweredError, failed
from ingest.upstream.blocking_calls import RestError
from ingest.upstream.malformed_data import MalformedData
from ingest.upstream.option_rest import OptionRest
from shared import rfc3339
from shared.option_chain import OptionContract, terms_of
from shared.request import CONTRACTS_AT_MOST, ChainReply, ChainRequest

SETTLED_SECONDS, RECENT_SECONDS = 300.0, 5.0
"""How long a reply is valid: one of a closed market, and one of an open market."""

_SECOND_NS = 1_000_000_000

AFTER_CLOSE_NS = 35 * 60 * _SECOND_NS
"""Values may change for so long after the close of stocks: options on indices and some funds trade
for a quarter of an hour longer, and trades of the indicative feed are fifteen minutes late."""

BAD_REQUEST = 400


class OptionChains:
    """Asks REST within the half of its budget that polling may have: prices come first.

    ``hours`` returns the newest hours of options. ``clock`` gives unix nanoseconds.
    """

    def __init__(
        self,
        rest: OptionRest,
        hours: Callable[[], MarketHours],
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._rest = rest
        self._hours = hours
        self._clock = clock

    async def answer(self, asked: ChainRequest) -> Answered:
        """Return the reply to a request; a failure has its reason."""
        asked_ns = self._clock()
        try:
            contracts = await self._contracts(asked)
        except UnansweredError as error:
            return failed(error.code, str(error))
        except RestError as error:
            if error.status == BAD_REQUEST:
                return failed("unsupported", f"Alpaca rejects {asked.underlying[:20]}: {error}")
            return failed("upstream_failed", f"Alpaca's REST did not return the chain: {error}")
        except Exception as error:
            # The boundary for the errors that no rule expects: one request ends no other work.
            self._rest.malformed.note_escaped("chain of a request", error)
            return failed("upstream_failed", "the chain could not be read")
        reply = ChainReply(
            as_of=rfc3339.from_nanoseconds(asked_ns),
            feed=self._rest.feed,
            delayed=self._rest.delay_seconds > 0,
            indicative=self._rest.is_indicative,
            count=len(contracts),
            contracts=msgspec.Raw(msgspec.json.encode(contracts)),
        )
        return Answered(reply, self._seconds(asked_ns))

    def _seconds(self, asked_ns: int) -> float:
        """Return for how long values that were read then are true."""
        hours, settled_ns = self._hours(), int(SETTLED_SECONDS * _SECOND_NS)
        times = (asked_ns - AFTER_CLOSE_NS, asked_ns, asked_ns + settled_ns)
        is_open = any(hours.session_at(each) == "regular" for each in times)
        return RECENT_SECONDS if is_open else SETTLED_SECONDS

    async def _contracts(self, asked: ChainRequest) -> list[OptionContract]:
        """Return the contracts by expiration, strike and type.

        Raises:
            UnansweredError: they are too many.
            RestError: a page of them failed.
        """
        query: dict[str, Any] = {}
        if asked.expiration is not None:
            query["expiration_date"] = asked.expiration
        if asked.type is not None:
            query["type"] = asked.type
        found: dict[str, OptionContract] = {}
        while True:
            rows, token = await self._rest.chain_page(asked.underlying, query)
            found.update(self._readable(rows))
            if len(found) > CONTRACTS_AT_MOST or (token and not rows):
                raise UnansweredError(
                    "too_many_rows",
                    f"the chain of {asked.underlying[:20]} has more than {CONTRACTS_AT_MOST} "
                    "contracts: name an expiration, or a type",
                )
            if not token:
                break
            query["page_token"] = token
        return sorted(found.values(), key=lambda each: (each.expiration, each.strike, each.type))

    def _readable(self, rows: Mapping[str, Any]) -> Mapping[str, OptionContract]:
        """Return the contracts of a page, by symbol; rows that cannot be read are counted."""
        found = dict[str, OptionContract]()
        for symbol, row in rows.items():
            where = f"chain, {bounded(symbol)}"
            try:
                snapshot, problems = rest_rows.read_option_snapshot(row)
                found[symbol] = contract_of(symbol, snapshot)
            except ValueError as error:
                self._malformed.note(where, error, row)
                continue
            for problem in problems:
                self._malformed.note(where, problem)
        return found

    @property
    def _malformed(self) -> MalformedData:
        return self._rest.malformed


def contract_of(symbol: str, row: rest_rows.OptionSnapshot) -> OptionContract:
    """Return a contract with the values of its snapshot.

    Raises:
        ValueError: the symbol is none, or a time is none.
    """
    terms = terms_of(symbol)
    contract = OptionContract(
        symbol=symbol,
        type=terms.type,
        expiration=terms.expiration.isoformat(),
        strike=terms.strike,
        # Zero is how Alpaca's library writes that the model has found none.
        implied_volatility=row.implied_volatility or None,
    )
    _add_trade(contract, row.latest_trade)
    _add_quote(contract, row.latest_quote)
    if (greeks := row.greeks) is not None:
        contract.delta, contract.gamma, contract.theta = greeks.delta, greeks.gamma, greeks.theta
        contract.vega, contract.rho = greeks.vega, greeks.rho
    if (day := row.daily_bar) is not None:
        start = datetime.fromtimestamp(rfc3339.start_to_nanoseconds(day.time) // _SECOND_NS, UTC)
        contract.volume = day.volume
        contract.volume_day = start.astimezone(NEW_YORK).date().isoformat()
    if (before := row.prev_daily_bar) is not None and is_price(before.close):
        contract.previous_close = before.close
    return contract


def _add_trade(contract: OptionContract, trade: rest_rows.Trade | None) -> None:
    if trade is None or not is_price(trade.price):
        return
    contract.price, contract.size = trade.price, trade.size
    contract.traded_at = rfc3339.from_nanoseconds(rfc3339.to_nanoseconds(trade.time))


def _add_quote(contract: OptionContract, quote: rest_rows.Quote | None) -> None:
    if quote is None:
        return
    # Zero is an absent side: nobody buys, or nobody sells.
    if is_price(quote.bid):
        contract.bid, contract.bid_size = quote.bid, quote.bid_size
    if is_price(quote.ask):
        contract.ask, contract.ask_size = quote.ask, quote.ask_size
    contract.quoted_at = rfc3339.from_nanoseconds(rfc3339.to_nanoseconds(quote.time))
