"""The outputs of the bars: versions to show, and questions for REST. Times are unix ns."""

from typing import Literal, NamedTuple, TypeAlias

import msgspec

from ingest.bars.timeframes import Timeframe
from ingest.market.bars import Bar


class BarChange(msgspec.Struct, frozen=True, gc=False):
    """One version of a bar, to be shown.

    ``running``: its span has not ended; the newest version alone matters. Otherwise the version is
    an ordered event, and ``revision`` numbers those of one bar from 0. ``final``: no further
    version is expected; if one comes, it is final too. ``late``: the first version of a bar that is
    older than one that was shown: a chart has to insert it. ``partial``: trades are missing that
    REST could not give, or has not given yet.
    """

    timeframe: Timeframe
    bar: Bar
    revision: int = 0
    final: bool = False
    running: bool = False
    late: bool = False
    partial: bool = False


class Reload(NamedTuple):
    """The scale of the history has changed at ``at_ns``: the stored bars are invalid.

    The caller deletes them and notifies the clients; ``FillNeed`` asks for new ones.
    """

    symbol: str
    timeframe: Timeframe
    reason: Literal["split"]
    at_ns: int


Change: TypeAlias = BarChange | Reload


class FillNeed(NamedTuple):
    """The history of a timeframe is needed, adjusted for splits: ``BarTable.fill`` takes it."""

    symbol: str
    timeframe: Timeframe


class MinutesNeed(NamedTuple):
    """REST's minute bars that start in ``[begin_ns, end_ns)`` are needed: ``repair`` takes them.

    They ended without a bar of the stream, or it was disconnected. ``asked_ns``: when this was
    asked; a bar that the stream brings later is newer than REST's answer.
    """

    symbol: str
    begin_ns: int
    end_ns: int
    asked_ns: int


class TradesNeed(NamedTuple):
    """The trades of ``[begin_ns, end_ns)`` are needed: ``complete`` takes them.

    The stream did not bring this part of a minute. More trades than these do no harm.
    """

    symbol: str
    begin_ns: int
    end_ns: int


class DayNeed(NamedTuple):
    """REST's bar of the day so far is needed: ``on_rest_day_bar`` takes it."""

    symbol: str


Need: TypeAlias = FillNeed | MinutesNeed | TradesNeed | DayNeed
