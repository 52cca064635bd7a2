"""Fees of crypto, of which the broker's updates say nothing: in coins and in dollars."""

from decimal import Decimal

import pytest

from shared.bus.redis_source import RedisSource
from simulator.account.ledger import Holding
from tests.ingest.test_account import brokerage
from tests.simulator.client import endpoint_state

pytestmark = pytest.mark.usefixtures("reports_at_once")

COIN = Holding("BTCUSD", Decimal("0.5"), Decimal(60000))


@pytest.mark.parametrize("is_net", [True, False])
async def test_a_crypto_purchase_grows_the_position_by_less_than_the_fill_and_cuts_no_stream(
    source: RedisSource, is_net: bool
) -> None:
    # The fill and the position of bennycode/trading-signals #1353.
    async with brokerage(source, COIN, is_position_qty_net=is_net) as (simulator, books):
        if is_net:
            simulator.faults.stale_positions(seconds=1000)
        await simulator.fill("BTC/USD", Decimal("0.001254903"), Decimal("79660.98"))
        await books.until_qty("BTC/USD", 0.501251765)
        account = await books.until_account(cash=25000 - 99.97)
        connections = endpoint_state(simulator, "account")["connections_total"]

    assert (account["state"], connections) == ("live", 1)


async def test_the_fee_of_a_crypto_sale_is_in_the_cash_of_the_next_report(
    source: RedisSource,
) -> None:
    async with brokerage(source, COIN) as (simulator, books):
        await simulator.fill("BTC/USD", Decimal("-0.25"), Decimal(64000))
        await books.until_qty("BTC/USD", 0.25)
        await books.until_account(cash=25000 + 16000 - 40, state="live")
