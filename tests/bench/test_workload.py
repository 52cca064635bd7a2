import json

from bench.fanout.workload import Audience, Tape, Tick, symbols
from shared import message
from shared.event_id import EventId


def tape() -> Tape:
    return Tape(symbols(10), lambda: 1_764_082_800_123_456_789)


def test_every_client_watches_as_many_different_symbols_as_it_should() -> None:
    audience = Audience.drawn(50, symbols(100), 20)

    assert all(len(set(watched)) == 20 for watched in audience.watched)
    assert {symbol for watched in audience.watched for symbol in watched} <= set(symbols(100))


def test_every_server_gets_the_same_clients_and_the_same_ticks() -> None:
    assert Audience.drawn(9, symbols(100), 20) == Audience.drawn(9, symbols(100), 20)
    assert tape().ticks(99) == tape().ticks(99)


def test_a_tick_is_offered_to_every_client_that_watches_its_symbol() -> None:
    audience, published = Audience.drawn(7, symbols(10), 3), tape()

    ticks = published.one_of_each() + published.ticks(100)

    offered = [tick for tick in ticks for watched in audience.watched if tick.symbol in watched]
    assert published.offered(audience) == len(offered)


def test_a_tick_is_what_the_ingest_publishes() -> None:
    published = tape()
    tick: Tick = published.ticks(3)[-1]

    event_id, body, name = message.unpack(tick.packed)

    price = json.loads(body)
    assert (event_id, name) == (EventId(1, 3), None)
    assert (price["event_id"], price["symbol"]) == ("1-3", tick.symbol)
    assert price["received"] == 1_764_082_800_123_456
    assert 250 <= len(body) <= 320
    assert published.newest[tick.symbol] == 3
