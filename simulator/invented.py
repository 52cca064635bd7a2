"""The invented symbols of one simulator: which they may be, and the streams that they follow."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import groupby

from simulator.account.asset import asset_of
from simulator.crypto.pair_walk import PairWalk
from simulator.crypto.venue import Venue
from simulator.protocol.endpoint import Endpoint
from simulator.protocol.subscription import CHANNELS, WILDCARD, is_pair, is_symbol
from simulator.protocol.wire import Outgoing
from simulator.settings import SimulatorSettings
from simulator.tape.handmade import PAIR_FEEDS, STOCK_FEEDS
from simulator.tape.inventor import MOST_SYMBOLS, Inventor
from simulator.tape.market import Market
from simulator.tape.walk import StockWalk, Walk


def inventor_of(
    settings: SimulatorSettings,
    stocks: Market,
    venue: Venue,
    endpoints: Mapping[str, Endpoint],
    publish_stocks: Callable[[Sequence[Outgoing]], None],
    *,
    clock: Callable[[], int],
    sleep: Callable[[float], Awaitable[None]],
) -> Inventor:
    """Return the inventor of stocks and pairs, which follows the subscriptions to their streams.

    It invents nothing unless the settings say so, and nothing beside a capture. `endpoints` are
    the streams by name; `clock` returns Unix nanoseconds.
    """
    feeds = [endpoints[name] for name in (*STOCK_FEEDS, *PAIR_FEEDS)]

    def is_free(symbol: str) -> bool:
        market = venue.market if is_pair(symbol) else stocks
        return _is_stock_or_pair(symbol) and not (market.knows(symbol) or symbol in settings.assets)

    def publish(messages: Sequence[Outgoing]) -> None:
        for are_of_pairs, group in groupby(messages, lambda each: is_pair(each.message["S"])):
            if are_of_pairs:
                venue.publish(group)
            else:
                publish_stocks(list(group))

    does_invent = settings.invents and settings.replay is None
    inventor = Inventor(
        is_free,
        _new_walk,
        publish,
        lambda: _named(feeds),
        clock=clock,
        sleep=sleep,
        limit=MOST_SYMBOLS if does_invent else 0,
    )
    if does_invent:
        for endpoint in feeds:
            endpoint.on_subscriptions = inventor.follow
    return inventor


def _is_stock_or_pair(symbol: str) -> bool:
    """Return whether a symbol is well-formed. A pair that lacks its slash is no stock."""
    return is_pair(symbol) or (is_symbol(symbol) and asset_of(symbol).asset_class == "us_equity")


def _named(feeds: Sequence[Endpoint]) -> set[str]:
    """Return the symbols to which a session subscribes by name, on any channel."""
    return {
        symbol
        for endpoint in feeds
        for channel in CHANNELS.values()
        for symbol in endpoint.subscribed(channel)
        if symbol != WILDCARD
    }


def _new_walk(symbol: str) -> Walk:
    return PairWalk(symbol) if is_pair(symbol) else StockWalk(symbol)
