"""The plan's slots, shared out if there are fewer slots than symbols. No I/O, no state."""

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

from ingest.demand.channels import UpstreamChannel
from ingest.demand.wanted import Want

_SUBSCRIBED_WEIGHT = 2
"""Viewers of a subscribed symbol count double: small changes move no symbol out of its slot."""


class Shares(NamedTuple):
    """The symbols to subscribe to, per channel, the most important first.

    ``over_limit``: watched symbols that have no slot. ``partly_over_limit``: watched symbols that
    have a slot, but not on each of their channels.
    """

    symbols: dict[str, list[str]]
    over_limit: list[str]
    partly_over_limit: list[str]


def share_out(
    wanted: Sequence[Want],
    subscribed: Mapping[str, Collection[str]],
    limit: int | None,
    channels: Sequence[UpstreamChannel],
    *,
    counts_each_channel: bool = False,
    limits: Mapping[str, int] = MappingProxyType({}),
    barred: Set[tuple[str, str]] = frozenset(),
) -> Shares:
    """Share ``limit`` slots (None: no limit) out over the wanted symbols.

    ``subscribed``: the present symbols of each channel. ``channels``: in the order in which a
    symbol gets them; those that are not counted need no slot. A slot is a symbol, on any number of
    channels. With ``counts_each_channel`` it is a symbol on one channel: no symbol gets its second
    slot before each symbol has its first. Positions come before all others, then the
    most watched symbols. A lingering symbol keeps a slot that no other symbol needs, but gets none.
    Slots that are left go to the symbols of channels that are ``beside`` a counted one, except for
    pairs of channel and symbol that are ``barred``. ``limits`` are the numbers of slots of separate
    channels; one that is not named has no limit.
    """
    counted = [channel.name for channel in channels if channel.counted and not channel.separate]
    free = [channel.name for channel in channels if not channel.counted and not channel.follows]
    holders = {symbol for channel in counted for symbol in subscribed[channel]}
    candidates = [
        want
        for want in wanted
        if not want.channels.isdisjoint(counted) and (want.symbol in holders or not want.lingering)
    ]
    ranked = sorted(candidates, key=lambda want: _rank(want, want.symbol in holders))
    served = ranked[:limit]
    spare = limit - len(served) if limit is not None and counts_each_channel else None
    symbols, partly = _fill(served, counted, subscribed, spare)
    room = None
    if limit is not None:
        room = limit - (sum(map(len, symbols.values())) if counts_each_channel else len(served))
    _add_beside(symbols, wanted, subscribed, channels, room, counts_each_channel, barred)
    for channel in free:
        symbols[channel] = [
            want.symbol for want in _takers(channel, wanted, subscribed.get(channel, ()))
        ]
    over_limit = [want.symbol for want in ranked[len(served) :] if not want.lingering]
    separate = [channel.name for channel in channels if channel.separate]
    without_price, without_quote = _share_separately(symbols, wanted, subscribed, separate, limits)
    return Shares(symbols, over_limit + without_price, partly + without_quote)


def _share_separately(
    symbols: dict[str, list[str]],
    wanted: Sequence[Want],
    subscribed: Mapping[str, Collection[str]],
    channels: Sequence[str],
    limits: Mapping[str, int],
) -> tuple[list[str], list[str]]:
    """Add the symbols of each separate channel.

    Returns the watched symbols that lack the first of their channels, and those that lack another.
    """
    lack_first: list[str] = []
    lack_other: list[str] = []
    for channel in channels:
        there = subscribed[channel]
        takers = sorted(_takers(channel, wanted, there), key=partial(_rank_in, there))
        most = limits.get(channel, len(takers))
        symbols[channel] = [want.symbol for want in takers[:most]]
        for want in takers[most:]:
            is_first = _own(want, channels)[0] == channel
            if not want.lingering:
                (lack_first if is_first else lack_other).append(want.symbol)
    return lack_first, [symbol for symbol in lack_other if symbol not in lack_first]


def _fill(
    served: Sequence[Want],
    channels: Sequence[str],
    subscribed: Mapping[str, Collection[str]],
    spare: int | None,
) -> tuple[dict[str, list[str]], list[str]]:
    """Return the symbols of each counted channel, and those that lack one of their channels.

    Each served symbol has a slot for its first channel; ``spare`` slots (None: no limit) are left
    for the others. Turn by turn, so that no third channel takes the slot of another's second.
    """
    symbols: dict[str, list[str]] = {channel: [] for channel in channels}
    partly: dict[str, None] = {}
    for turn in range(len(channels)):
        takers = [(want, own[turn]) for want in served if len(own := _own(want, channels)) > turn]
        if turn and spare is not None:
            takers.sort(key=lambda each: _rank(each[0], each[0].symbol in subscribed[each[1]]))
            takers, losers = takers[:spare], takers[spare:]
            spare -= len(takers)
            partly.update((want.symbol, None) for want, _ in losers if not want.lingering)
        for want, channel in takers:
            symbols[channel].append(want.symbol)
    return symbols, list(partly)


def _add_beside(
    symbols: dict[str, list[str]],
    wanted: Sequence[Want],
    subscribed: Mapping[str, Collection[str]],
    channels: Sequence[UpstreamChannel],
    room: int | None,
    counts_each_channel: bool,
    barred: Set[tuple[str, str]],
) -> None:
    """Add the symbols that the ``room`` slots left over (None: no limit) are for.

    The most watched come first. ``symbols``: those of each counted channel so far.
    """
    served = {symbol for each in symbols.values() for symbol in each}
    for name in symbols:
        causes = {channel.name for channel in channels if channel.beside == name}
        if not causes:
            continue
        there, present = subscribed[name], set(symbols[name])
        takers = [
            want
            for want in wanted
            if not causes.isdisjoint(want.channels)
            and want.symbol not in present
            and (want.symbol in there or not want.lingering)
            and (name, want.symbol) not in barred
        ]
        for want in sorted(takers, key=partial(_rank_in, there)):
            needs_slot = counts_each_channel or want.symbol not in served
            if room is not None and needs_slot:
                if room <= 0:
                    continue
                room -= 1
            served.add(want.symbol)
            symbols[name].append(want.symbol)


def _takers(channel: str, wanted: Iterable[Want], there: Collection[str]) -> list[Want]:
    """Return the symbols that may be on a channel; ``there`` are those that are."""
    return [
        want
        for want in wanted
        if channel in want.channels and (want.symbol in there or not want.lingering)
    ]


def _own(want: Want, channels: Sequence[str]) -> list[str]:
    return [channel for channel in channels if channel in want.channels]


def _rank_in(there: Collection[str], want: Want) -> tuple[bool, bool, int, bool, str]:
    return _rank(want, want.symbol in there)


def _rank(want: Want, subscribed: bool) -> tuple[bool, bool, int, bool, str]:
    weight = want.viewers * (_SUBSCRIBED_WEIGHT if subscribed else 1)
    return not want.position, want.lingering, -weight, not subscribed, want.symbol
