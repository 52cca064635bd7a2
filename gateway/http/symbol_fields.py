"""Symbols and topics as parameters: their forms, for readers of the OpenAPI document.

``shared.symbols`` and ``shared.topics`` decide.
"""

import re
from collections.abc import Collection, Iterable
from typing import Annotated, TypeAlias

from msgspec import Meta

from shared.markets import CRYPTO, MARKETS, STOCKS, Market
from shared.topics import BARS, KINDS, NEWS, ORDERED, WITH_EVERYTHING, WITHOUT_SYMBOL, markets_of

_SECONDS = r"(60|[1-5]?[0-9](\.[0-9]+)?)"


def _symbol(markets: Collection[Market]) -> str:
    """Return the pattern of the symbols of markets; capitals are not required."""
    forms = "|".join(each.form.pattern for each in MARKETS if each in markets)
    return "(" + forms.replace("A-Z", "A-Za-z").replace("[CP]", "[CPcp]") + ")"


def _topics_of(kinds: Iterable[str]) -> str:
    """Return the pattern of the topics of some kinds; those of equal symbols stand together."""
    by_key: dict[str, list[str]] = {}
    for kind in kinds:
        by_key.setdefault(_key_of(kind), []).append(re.escape(kind))
    return "|".join(f"({'|'.join(each)}){key}" for key, each in by_key.items())


def _key_of(kind: str) -> str:
    """Return the pattern of what follows a kind."""
    if kind in WITHOUT_SYMBOL:
        return ""
    symbol = _symbol(markets_of(kind))
    return rf":({symbol}|\*)" if kind in WITH_EVERYTHING else f":{symbol}"


_ANY, _CHARTED, _PAIR = _symbol(MARKETS), _symbol((STOCKS, CRYPTO)), _symbol((CRYPTO,))
_IN_NEWS = _symbol(markets_of(NEWS))
_WITH_INTERVAL = _topics_of(kind for kind in KINDS if kind not in ORDERED or kind in BARS)
_ORDERED_TOPIC = _topics_of(kind for kind in KINDS if kind in ORDERED and kind not in BARS)

UNDERLYING = _symbol((STOCKS,))

AnySymbol: TypeAlias = Annotated[str, Meta(extra_json_schema={"pattern": f"^{_ANY}$"})]
ChartedSymbol: TypeAlias = Annotated[str, Meta(extra_json_schema={"pattern": f"^{_CHARTED}$"})]
Pair: TypeAlias = Annotated[str, Meta(extra_json_schema={"pattern": f"^{_PAIR}$"})]
AnySymbolOrAll: TypeAlias = Annotated[str, Meta(extra_json_schema={"pattern": rf"^({_ANY}|\*)$"})]
NewsSymbolOrAll: TypeAlias = Annotated[
    str, Meta(extra_json_schema={"pattern": rf"^({_IN_NEWS}|\*)$"})
]
PlainTopic: TypeAlias = Annotated[
    str, Meta(extra_json_schema={"pattern": f"^({_topics_of(KINDS)})$"})
]
Topic: TypeAlias = Annotated[
    str,
    Meta(extra_json_schema={"pattern": rf"^(({_WITH_INTERVAL})(@{_SECONDS})?|{_ORDERED_TOPIC})$"}),
]

ANY_SYMBOLS = "symbols as SPY,BRK.B,BTC/USD,AAPL240119C00100000"
CHARTED_SYMBOLS = "stocks and pairs as SPY,BRK.B,BTC/USD"
