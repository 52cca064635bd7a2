"""Which trade of an option moves which part of a bar, by its condition. Pure.

Source: the table for options in Alpaca's market data FAQ
(docs.alpaca.markets/us/docs/market-data-faq).
"""

from collections.abc import Mapping
from typing import Final

from simulator.protocol.wire import Message
from simulator.tape.bar_conditions import EVERYTHING, Effect, Effects, Price

_NOTHING: Final = Effect(Price.NONE, high_low=False, volume=False)
_VOLUME: Final = Effect(Price.NONE, high_low=False, volume=True)

_ALL: Final = Effects(EVERYTHING, EVERYTHING)
_VOLUME_ONLY: Final = Effects(_VOLUME, _VOLUME)
_EFFECTS: Final[Mapping[object, Effects]] = {
    **dict.fromkeys("ABCDEFG", Effects(_NOTHING, _NOTHING)),
    **dict.fromkeys("HIJSabcdefghijklmnopqrs", _ALL),
    **dict.fromkeys("tu", _VOLUME_ONLY),
    "v": Effects(EVERYTHING, _VOLUME),  # extended hours
}


def effects_of_option(trade: Message) -> Effects:
    """Return what a trade moves.

    A condition that is not in the table moves the volume only, a trade that has none everything.
    """
    condition = trade.get("c")
    if condition is None:
        return _ALL
    return _EFFECTS.get(condition, _VOLUME_ONLY) if isinstance(condition, str) else _VOLUME_ONLY
