"""The seconds in which some client has no fresh price are counted, whatever else happens."""

from tests.chaos.other_feeds import OTHER_FEEDS
from tests.chaos.simulated import SIMULATED, SPARE_PRICES
from tests.chaos.staleness import Staleness


def test_only_the_time_with_no_fresh_price_is_counted() -> None:
    now, is_fresh = 10.0, True
    stale = Staleness(lambda: is_fresh, lambda: now)

    for moment, freshness in ((10.5, True), (11.5, False), (13.0, False), (14.0, True)):
        now, is_fresh = moment, freshness
        stale.look()

    assert stale.seconds == 2.5


def test_the_faults_that_spare_prices_are_faults_that_there_are() -> None:
    assert SIMULATED.keys() > SPARE_PRICES > OTHER_FEEDS.keys()
