"""One event of each name that an ingest publishes."""

from collections.abc import Mapping

import msgspec

from shared.account import Account
from shared.bar import RELOAD, Bar, Reload
from shared.book import Book
from shared.gap import GAP, Gap
from shared.imbalance import Imbalance
from shared.luld import Luld
from shared.news import News
from shared.order import Order, OrderUpdate
from shared.position import Position
from shared.price import Price
from shared.quote import Quote
from shared.symbol_status import SymbolStatus
from shared.trade import Cancel, Correction, Trade
from tests.gateway.ingest_stub import IngestStub

AT = "2013-10-07T09:30:00.123456789-04:00"

TRADE = Trade(
    symbol="SPY",
    id="1",
    price=167.43,
    size=100,
    exchange="D",
    conditions=("@",),
    tape="B",
    eligible=True,
    timestamp=AT,
    received=1,
)
BAR = Bar(
    symbol="SPY",
    open=1,
    high=2,
    low=1,
    close=2,
    volume=3,
    trade_count=1,
    vwap=1.5,
    revision=0,
    final=True,
    timestamp=AT,
)
EVENTS: Mapping[str, tuple[str, msgspec.Struct]] = {
    "price": ("price:SPY", Price(symbol="SPY", price=167.43)),
    "status": ("status:SPY", SymbolStatus(symbol="SPY", state="live", reason=None, since=AT)),
    "trade": ("trade:SPY", TRADE),
    "luld": (
        "luld:SPY",
        Luld(
            symbol="SPY",
            limit_up=170,
            limit_down=160,
            indicator="B",
            tape="B",
            timestamp=AT,
            received=1,
        ),
    ),
    "imbalance": (
        "imbalance:SPY",
        Imbalance(symbol="SPY", price=9.75, tape="B", timestamp=AT, received=1),
    ),
    "correction": (
        "trade:SPY",
        Correction(
            symbol="SPY",
            original_id="1",
            id="2",
            price=167,
            size=1,
            exchange="D",
            conditions=(),
            tape="B",
            timestamp=AT,
            received=1,
        ),
    ),
    "cancel": (
        "trade:SPY",
        Cancel(
            symbol="SPY",
            original_id="2",
            action="C",
            exchange="D",
            tape="B",
            timestamp=AT,
            received=1,
        ),
    ),
    "quote": (
        "quote:SPY",
        Quote(
            symbol="SPY",
            bid=1,
            bid_size=1,
            bid_exchange="D",
            ask=2,
            ask_size=1,
            ask_exchange="D",
            crossed=False,
            conditions=[],
            tape="B",
            timestamp=AT,
            received=1,
        ),
    ),
    "book": (
        "book:BTC/USD",
        Book(
            symbol="BTC/USD",
            bids=[(1, 2.5)],
            asks=[(2, 1)],
            valid=True,
            reason=None,
            timestamp=AT,
            received=1,
        ),
    ),
    "bar.1Min": ("bar.1Min:SPY", BAR),
    "bar.5Min": ("bar.5Min:SPY", BAR),
    "bar.15Min": ("bar.15Min:SPY", BAR),
    "bar.1Hour": ("bar.1Hour:SPY", BAR),
    "bar.1Day": ("bar.1Day:SPY", BAR),
    RELOAD: (
        "bar.1Min:SPY",
        Reload(symbol="SPY", timeframe="1Min", reason="split", timestamp=AT),
    ),
    "news": (
        "news:*",
        News(
            id="1",
            headline="h",
            summary="",
            author="",
            source="",
            url=None,
            symbols=["SPY"],
            created_at=AT,
            updated_at=AT,
        ),
    ),
    "position": ("position:SPY", Position(symbol="SPY", qty=2.5, side="long", as_of=AT)),
    "account": ("account", Account(state="live", equity=100.25, positions=["SPY"], as_of=AT)),
    "orders": (
        "orders",
        OrderUpdate(event="fill", symbol="SPY", timestamp=AT, order=Order(id="1", symbol="SPY")),
    ),
    GAP: ("trade:SPY", Gap(topics=["trade:SPY"], from_=AT, to=AT, reason="upstream_lost")),
}
"""One event of each name that an ingest publishes, and its topic."""


async def publish_all(ingest: IngestStub) -> None:
    """Publish one event of each name."""
    for seq, (name, (topic, event)) in enumerate(EVENTS.items(), 1):
        kind, _, _ = topic.partition(":")
        await ingest.tell(seq, topic, event, None if name == kind else name)
