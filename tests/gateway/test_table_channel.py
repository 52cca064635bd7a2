"""A topic that is a table: the newest row of each symbol, conflated as a whole."""

import msgspec
import pytest

from gateway.fanout.table_channel import TableChannel
from shared import message
from shared.event_id import EventId
from tests.gateway.fakes import Bench, FakeSink
from tests.gateway.rows import TABLE, got, row


class Table(Bench):
    """A hub in which a client watches the table."""

    def rows(self, *packed: bytes) -> None:
        """Publish rows and run the callbacks that are due."""
        for each in packed:
            self.hub.publish(TABLE.encode(), each)
        self.loop.advance()

    @property
    def channel(self) -> TableChannel:
        channel = self.hub.channels[TABLE.encode()]
        assert isinstance(channel, TableChannel)
        return channel


@pytest.fixture
async def table() -> Table:
    return Table()


def wake(table: Table, sink: FakeSink) -> None:
    sink.read_on()
    table.hub.flusher.wake_readers()
    table.loop.advance()


async def test_a_newcomer_gets_all_open_rows_in_the_order_of_symbols(table: Table) -> None:
    table.stream(TABLE)
    table.rows(row(1, "SPY"), row(2, "IBM"), row(3, "AIG"), row(4, "SPY"))
    table.rows(row(5, "AIG", removed=True))
    _, newcomer = table.stream(TABLE)

    assert got(newcomer) == ["IBM 2", "SPY 4"]


async def test_every_row_is_passed_on_and_a_removal_too(table: Table) -> None:
    _, sink = table.stream(TABLE)
    table.rows(row(1, "SPY"), row(2, "IBM"))
    table.rows(row(3, "SPY", removed=True))
    table.rows(row(4, "SPY"))

    assert got(sink) == ["SPY 1", "IBM 2", "-SPY 3", "SPY 4"]


@pytest.mark.parametrize("seq", [3, 2])
async def test_a_row_that_is_not_newer_than_its_symbols_is_refused(table: Table, seq: int) -> None:
    _, sink = table.stream(TABLE)
    table.rows(row(3, "SPY"), row(9, "IBM"))
    table.rows(row(seq, "SPY", removed=True))

    assert got(sink) == ["SPY 3", "IBM 9"]


async def test_an_older_row_of_another_symbol_is_not_lost(table: Table) -> None:
    """The stored rows are read while newer rows already arrive."""
    _, every = table.stream(TABLE)
    _, window = table.stream(TABLE, interval=1)
    table.rows(row(9, "IBM"))
    table.rows(row(3, "SPY"))
    table.loop.advance(1)

    assert got(every) == got(window) == ["IBM 9", "SPY 3"]


async def test_at_the_end_of_a_window_each_row_that_changed_goes_once(table: Table) -> None:
    _, sink = table.stream(TABLE, interval=1)
    table.rows(row(1, "SPY"))
    assert got(sink) == ["SPY 1"]

    table.rows(row(2, "IBM"), row(3, "SPY"), row(4, "IBM"), row(5, "AIG"))
    table.rows(row(6, "AIG", removed=True))
    assert got(sink) == ["SPY 1"]
    table.loop.advance(1)
    assert got(sink) == ["SPY 1", "SPY 3", "IBM 4", "-AIG 6"]

    table.loop.advance(5)
    assert len(got(sink)) == 4


async def test_a_newcomer_within_a_window_gets_no_row_twice_and_misses_none(table: Table) -> None:
    table.stream(TABLE, interval=1)
    table.rows(row(1, "SPY"), row(2, "IBM"), row(3, "AIG"), row(4, "AIG", removed=True))
    _, newcomer = table.stream(TABLE, interval=1)
    assert got(newcomer) == ["IBM 2", "SPY 1"]

    table.rows(row(5, "SPY"))
    table.loop.advance(1)

    assert got(newcomer) == ["IBM 2", "SPY 1", "SPY 5"]


async def test_who_did_not_read_gets_every_row_that_changed_meanwhile(table: Table) -> None:
    _, sink = table.stream(TABLE)
    table.rows(row(1, "SPY"), row(2, "IBM"), row(3, "AIG"))
    sink.stop_reading()
    table.rows(row(4, "SPY"))
    table.rows(row(5, "SPY"), row(6, "AIG", removed=True), row(7, "SPY"))
    assert got(sink) == ["SPY 1", "IBM 2", "AIG 3", "SPY 4"]

    wake(table, sink)

    assert got(sink)[4:] == ["-AIG 6", "SPY 7"]


async def test_a_change_of_topics_repeats_no_row_and_loses_none(table: Table) -> None:
    client, sink = table.stream(TABLE, interval=1)
    table.rows(row(1, "SPY"), row(2, "IBM"))
    table.hub.join(client, table.hub.watch({TABLE: 60, "account": 60}))
    table.loop.advance()
    table.rows(row(3, "AIG"))
    table.loop.advance(60)

    assert got(sink) == ["SPY 1", "IBM 2", "AIG 3"]


async def test_what_is_not_among_the_open_ones_is_removed_unless_it_is_newer(table: Table) -> None:
    _, sink = table.stream(TABLE)
    table.rows(row(1, "SPY"), row(2, "IBM"), row(3, "AIG", removed=True), row(9, "BAC"))
    table.channel.keep(["SPY"], EventId(1, 7))
    table.loop.advance()

    assert got(sink)[4:] == ["-IBM 7"]
    assert sink.events("position")[-1]["qty"] is None
    assert got(table.stream(TABLE)[1]) == ["BAC 9", "SPY 1"]

    table.channel.keep(["SPY"], EventId(1, 8))
    table.loop.advance()
    assert got(sink)[5:] == [], "it is sent once"


async def test_rows_that_one_list_removes_leave_in_the_order_of_symbols(table: Table) -> None:
    _, sink = table.stream(TABLE, interval=1)
    table.rows(row(1, "SPY"), row(2, "AIG"), row(3, "IBM"))
    table.loop.advance(1)
    table.channel.keep([], EventId(1, 7))
    table.loop.advance(2)

    assert got(sink)[3:] == ["-AIG 7", "-IBM 7", "-SPY 7"]


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"symbol":7}', b'{"symbol":"SPY","removed":1}'])
async def test_what_is_no_row_is_refused(table: Table, body: bytes) -> None:
    table.stream(TABLE)
    with pytest.raises(msgspec.DecodeError):
        table.hub.publish(TABLE.encode(), message.pack(EventId(1, 1), body))

    assert table.channel.rows == {}


async def test_a_table_has_no_named_events(table: Table) -> None:
    _, sink = table.stream(TABLE)
    with pytest.raises(ValueError, match=r"position:\* has no 'gap' events"):
        table.hub.publish(TABLE.encode(), message.pack(EventId(1, 9), b"{}", "gap"))
    table.rows(row(1))

    assert got(sink) == ["SPY 1"]


async def test_an_empty_table_says_nothing_and_has_no_last_value(table: Table) -> None:
    _, sink = table.stream(TABLE)
    assert got(sink) == []

    table.rows(row(1))
    assert table.channel.packed() is None


@pytest.mark.parametrize(("topic", "kind"), [("news:*", False), ("position:SPY", False)])
async def test_no_other_topic_is_a_table(topic: str, kind: bool) -> None:
    bench = Bench()
    [channel] = bench.hub.watch({topic: 0.0})

    assert isinstance(channel, TableChannel) is kind
