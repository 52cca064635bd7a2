"""``python -m ingest`` that does nothing because of the time, however busy the machine is.

Two runs of it, with the same data and the same acts around it, publish the same events: a look-up
that the clock starts would fall before one event in this run and after it in that one.
"""

import runpy

from ingest import market_data
from ingest.bus import interest, requests
from ingest.upstream import (
    asset_refresh,
    blocking_calls,
    market_handler,
    news_handler,
    reconnect_pace,
    rest_limits,
    snapshots,
    stored_values,
    stream_holder,
    websocket_client,
)
from ingest.upstream.reconnect_pace import Patience
from shared.bus import keys, redis_connection, redis_pool, redis_source
from tests.limits import LIMIT_SECONDS


def main() -> None:
    """Run the ingest with limits that no slow machine reaches."""
    # No second look at symbols, no judgement of a silence.
    market_data.EVALUATE_SECONDS = 10 * LIMIT_SECONDS
    market_handler.SILENCE_JUDGE_SECONDS = 10 * LIMIT_SECONDS
    asset_refresh.FIRST_SECONDS = 10 * LIMIT_SECONDS
    # A first price waits for its previous close.
    snapshots.CLOSES_SECONDS = LIMIT_SECONDS
    news_handler.RECALL_SECONDS = LIMIT_SECONDS
    # Alpaca, REST and Redis may be slow.
    reconnect_pace.PATIENCE = (Patience(LIMIT_SECONDS, LIMIT_SECONDS),) * 4
    stream_holder.SUBSCRIPTION_ANSWER_SECONDS = LIMIT_SECONDS
    websocket_client.WEBSOCKET |= {"open_timeout": LIMIT_SECONDS, "ping_timeout": LIMIT_SECONDS}
    blocking_calls.DEADLINE_SECONDS = LIMIT_SECONDS
    rest_limits.CONNECT_READ_SECONDS = (LIMIT_SECONDS, LIMIT_SECONDS)
    stored_values.RESTORE_SECONDS = LIMIT_SECONDS
    redis_source.COMMAND_TIMEOUT_SECONDS = redis_pool.WAIT_SECONDS = LIMIT_SECONDS
    # Two modules have it.
    redis_source.__dict__["CONNECT_TIMEOUT_SECONDS"] = LIMIT_SECONDS
    redis_connection.CONNECT_TIMEOUT_SECONDS = LIMIT_SECONDS
    interest.SUBSCRIBE_SECONDS = requests.SUBSCRIBE_SECONDS = LIMIT_SECONDS
    keys.LEASE_MILLISECONDS = round(1000 * LIMIT_SECONDS)
    runpy.run_module("ingest", run_name="__main__")


if __name__ == "__main__":
    main()
