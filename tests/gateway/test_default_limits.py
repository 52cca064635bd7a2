"""The limits that hold if none are set: on streams of a token and of an address, and on tickets."""

from typing import Any

import httpx
import pytest
from starlette.requests import Request

from gateway import composition
from gateway.composition import DEFAULT_LIMITS
from gateway.http.admission import Admission, BusyError
from gateway.http.api_error import ApiError
from gateway.http.ticket_budget import TicketBudgets
from gateway.settings import GatewaySettings
from gateway.wire.addresses import is_private
from gateway.wire.principal import Principal
from shared.bus.redis_source import RedisSource
from tests.gateway.test_stream_claims import claiming
from tests.services import running_gateway

TOKEN = {"Authorization": "Bearer right-one"}


def limits(**settings: Any) -> dict[str, int]:
    return composition._limits(GatewaySettings(_env_file=None, **settings))  # type: ignore[call-arg]


def test_a_gateway_with_tokens_has_limits_and_one_without_has_none() -> None:
    assert limits(api_token="right-one") == DEFAULT_LIMITS
    assert limits() == {}


def test_a_limit_may_be_set_or_lifted() -> None:
    assert limits(api_token="right-one", max_streams_per_address=0) == {
        "principal": DEFAULT_LIMITS["principal"]
    }
    assert limits(max_streams_per_principal=7) == {"principal": 7}


@pytest.mark.parametrize(
    ("address", "private"),
    [
        ("8.8.8.8", False),
        ("2001:4860:4860::/64", False),
        ("10.1.2.3", True),
        ("172.18.0.5", True),
        ("192.168.1.1", True),
        ("100.64.3.4", True),
        ("127.0.0.1", True),
        ("fd00:1:2:3::/64", True),
        ("fe80::/64", True),
        ("", True),
        ("testclient", True),
    ],
)
def test_an_address_is_private_if_it_is_not_of_the_internet(address: str, private: bool) -> None:
    assert is_private(address) is private


@pytest.mark.parametrize(
    ("address", "spares_private", "admitted"),
    [("8.8.8.8", True, 1), ("10.0.0.1", True, 3), ("10.0.0.1", False, 1)],
)
async def test_a_private_address_counts_only_if_its_limit_was_set(
    any_source: RedisSource, address: str, spares_private: bool, admitted: int
) -> None:
    request = Request({"type": "http", "method": "GET", "client": (address, 1)})
    async with any_source.client("test") as client, claiming(client, "a", address=1) as claims:
        admission = Admission(
            9, claims, retry_ms=lambda: 1, on_full=lambda: None, spares_private=spares_private
        )
        places = []
        for number in range(3):
            try:
                places.append(await admission.admit(request, Principal(f"p{number}")))
            except BusyError:
                break
        for leave in places:
            leave()

    assert len(places) == admitted


def test_a_budget_of_tickets_can_be_spent_at_once_and_comes_back_steadily() -> None:
    now = [100.0]
    budgets = TicketBudgets(60, lambda: now[0])
    for _ in range(60):
        budgets.spend("ann")
    with pytest.raises(ApiError) as refused:
        budgets.spend("ann")
    budgets.spend("bob")
    now[0] += 2
    budgets.spend("ann")
    budgets.spend("ann")

    assert (refused.value.status, refused.value.code) == (429, "too_many_tickets")
    assert refused.value.headers == {"Retry-After": "1"}
    with pytest.raises(ApiError):
        budgets.spend("ann")
    now[0] -= 50  # the clock was set back
    with pytest.raises(ApiError):
        budgets.spend("ann")


def test_a_budget_of_zero_is_no_limit() -> None:
    budgets = TicketBudgets(0, lambda: 0.0)

    for _ in range(100):
        budgets.spend("ann")


async def test_a_token_that_asks_for_too_many_tickets_is_told_to_wait() -> None:
    async with (
        running_gateway(
            RedisSource("memory://"), api_token="right-one", max_tickets_per_minute=2
        ) as url,
        httpx.AsyncClient(base_url=url, headers=TOKEN) as client,
    ):
        answers = [await client.post("/api/stream/ticket") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert int(answers[-1].headers["retry-after"]) >= 1
