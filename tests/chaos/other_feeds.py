"""What Alpaca can do to the streams of pairs and of contracts, by the simulator's own faults."""

from collections.abc import Mapping

from simulator.faults.catalogue import Faults
from tests.chaos.markets import CONTRACTS_FEED, PAIRS_FEED
from tests.chaos.plan import Odds
from tests.chaos.striking import (
    Messages,
    Strike,
    around,
    at_next,
    at_once,
    lasting,
    with_more_fields,
)
from tests.chaos.trading import Trading

_REST_PATHS = ("/v1beta1/", "/v1beta3/")
"""Those of REST for contracts and for pairs."""

Kinds = Mapping[str, tuple[Odds, Strike]]


def _cuts(feed: str) -> Kinds:
    """Return the faults that end a connection, or let it bring nothing."""
    return {
        "reset": (Odds(1), at_once(lambda faults: faults.reset(feed))),
        "fin": (Odds(1), at_once(lambda faults: faults.fin(feed))),
        "close": (Odds(1), at_once(lambda faults: faults.close(feed, code=1000))),
        "slow_client": (Odds(0.5), at_once(lambda faults: faults.error(feed, code=407))),
        "internal_error": (Odds(0.5), at_once(lambda faults: faults.error(feed, code=500))),
        "half_open": (Odds(0.3), at_once(lambda faults: faults.half_open(feed))),
        "mute": (Odds(0.3), at_once(lambda faults: faults.mute(feed))),
    }


def _refusals(feed: str) -> Kinds:
    """Return the faults of the next connection."""
    return {
        "refuse_upgrade": (
            Odds(1),
            at_next(feed, lambda faults: faults.refuse_upgrade(feed, status=503, count=2)),
        ),
        "mute_after_connect": (
            Odds(0.2),
            at_next(feed, lambda faults: faults.mute_after_connect(feed)),
        ),
        "mute_after_auth": (Odds(0.2), at_next(feed, lambda faults: faults.mute_after_auth(feed))),
        "ignore_subscribe": (
            Odds(0.3),
            at_next(feed, lambda faults: faults.ignore_subscribe(feed)),
        ),
    }


def _odd_data(feed: str) -> Kinds:
    """Return the faults that spoil or withhold messages."""

    def trades(trading: Trading) -> Messages:
        return trading.some_other_trades(feed)

    async def odd_frame(faults: Faults, trading: Trading, _: float) -> float | None:
        return 0.0 if faults.odd_frame(feed, symbol=trading.another(feed)) else None

    async def withhold(faults: Faults, trading: Trading, _: float) -> float:
        faults.withhold(feed, symbol=trading.another(feed))
        return 0.0

    return {
        "garbage": (Odds(1), at_once(lambda faults: faults.garbage(feed))),
        "no_array": (Odds(0.5), at_once(lambda faults: faults.no_array(feed))),
        "malformed": (
            Odds(1),
            around(lambda faults, messages: faults.malformed(feed, messages=messages), trades),
        ),
        "unknown_type": (
            Odds(0.5),
            around(lambda faults, messages: faults.unknown_type(feed, messages=messages), trades),
        ),
        "huge": (
            Odds(0.5),
            around(lambda faults, messages: faults.huge(feed, messages=messages), trades),
        ),
        "more_fields": (
            Odds(0.5),
            around(
                lambda faults, messages: faults.send_messages(feed, with_more_fields(messages)),
                trades,
            ),
        ),
        "odd_frame": (Odds(2), odd_frame),
        "withhold": (Odds(1), withhold),
    }


def _fail_rest(faults: Faults, seconds: float) -> None:
    for path in _REST_PATHS:
        faults.rest(status=503, path=path, seconds=seconds)


OTHER_FEEDS: Kinds = {
    f"{market}_{name}": kind
    for market, feed in (("pairs", PAIRS_FEED), ("contracts", CONTRACTS_FEED))
    for kinds in (_cuts(feed), _refusals(feed), _odd_data(feed))
    for name, kind in kinds.items()
} | {"others_rest_error": (Odds(1, (1, 5)), lasting(_fail_rest, holds_up=False))}
"""By name: the frequency, the duration and the action. None of them concerns stocks."""
