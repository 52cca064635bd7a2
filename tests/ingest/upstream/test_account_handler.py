"""The messages of the account's stream that are not about orders."""

import pytest

from ingest.bus.announcer import Announcer
from ingest.bus.outbox import Outbox
from ingest.portfolio.order_log import OrderLog
from ingest.portfolio.portfolio import Portfolio
from ingest.upstream.account_handler import AccountHandler
from ingest.upstream.upstream_error import Retry, UpstreamError
from tests.ingest.demand.wants import Clock


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (',"error":"required stream is not found"', "required stream is not found"),
        ("", "no reason"),
    ],
)
def test_an_answer_that_lacks_trade_updates_ends_the_try_with_alpacas_reason_and_a_long_wait(
    error: str, reason: str
) -> None:
    handler = AccountHandler(Portfolio(lambda _: None, Clock()), OrderLog(0), Announcer(Outbox()))
    frame = f'{{"stream":"listening","data":{{"streams":[]{error}}}}}'

    with pytest.raises(UpstreamError, match=f"does not offer trade_updates: {reason}") as caught:
        handler.apply(handler.decode(frame), 0)
    assert caught.value.retry is Retry.MUCH_LATER
    assert handler.streaming_since is None
