"""A sender that has proved nothing costs no more than its head, and no refusal is long."""

import json

import httpx
import pytest

from gateway.http import fields
from gateway.http.api_error import ApiError
from gateway.http.fields import MAX_FIELDS
from gateway.http.limits import BODY_BYTES
from gateway.http.stream_fields import SymbolFields, TopicFields
from gateway.http.tickets import TicketFields
from shared.bus.redis_source import RedisSource
from shared.excerpt import SHOWN_CHARACTERS, cut, excerpt
from tests.gateway.peers import connected
from tests.services import running_gateway

MEMORY = "memory://"
LONG = "x" * 10_000
SHORT_ANSWER = 700
"""No refusal is longer: the longest sentences, and 100 characters of the request."""

UNKNOWN_NAMES = json.dumps(dict.fromkeys(map(str, range(MAX_FIELDS + 1)), 0)).encode()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/stream"),
        ("POST", "/api/stream/prices"),
        ("POST", f"/api/stream?ticket={'A' * 32}"),
        ("POST", "/api/stream/ticket"),
        ("PATCH", "/api/stream/gateway-0123456789abcdef01234567"),
        ("PATCH", f"/api/stream/gateway-0123456789abcdef01234567?ticket={'A' * 32}"),
    ],
)
async def test_a_request_without_a_right_token_is_refused_before_its_body_arrives(
    method: str, path: str
) -> None:
    async with (
        running_gateway(RedisSource(MEMORY), api_token="right-one") as url,
        connected(url) as peer,
    ):
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {BODY_BYTES}\r\n\r\n"
        )
        await peer.send(head.encode())
        assert (await peer.reader.readline()).startswith(b"HTTP/1.1 401 ")


async def test_the_query_of_a_stranger_is_not_read() -> None:
    async with (
        running_gateway(RedisSource(MEMORY), api_token="right-one") as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        many = "&".join(["symbol=SPY"] * 5_000)
        refused = await client.get(f"/api/stream/prices?{many}")
        known = await client.get(
            f"/api/stream/prices?{many}", headers={"Authorization": "Bearer right-one"}
        )

    assert refused.status_code == 401
    assert (known.status_code, known.json()["error"]["code"]) == (400, "too_many_fields")


@pytest.mark.parametrize("known", [TopicFields, TicketFields])
def test_a_body_of_countless_unknown_names_is_refused_by_their_number(
    known: type[TopicFields | TicketFields],
) -> None:
    with pytest.raises(ApiError) as refusal:
        fields.from_json(UNKNOWN_NAMES, known)

    assert refusal.value.code == "too_many_fields"


@pytest.mark.parametrize(
    "body",
    [
        {"topics": [{"a": []}] * 1_000},
        {"topics": LONG},
        {"interval": LONG},
        {"last_event_id": [LONG]},
        {"topic": LONG, LONG + "topics": LONG},
    ],
    ids=["many values", "a long text", "no number", "a list", "misspelt"],
)
def test_a_refusal_shows_the_start_of_a_value(body: object) -> None:
    with pytest.raises(ApiError) as refusal:
        fields.from_json(json.dumps(body).encode(), TopicFields)

    assert len(refusal.value.response().body) < SHORT_ANSWER


def test_a_misspelt_name_that_is_long_is_shown_in_part() -> None:
    strange = "s" * 5 + "symbol" + LONG
    with pytest.raises(ApiError) as refusal:
        fields.from_json(json.dumps({strange: 0}).encode(), TicketFields)

    assert refusal.value.message == f"there is no {strange[:SHOWN_CHARACTERS]!r}…"


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        (f"/api/stream?topics={LONG}", {}),
        (f"/api/stream?topics={LONG}:SPY", {}),
        (f"/api/stream?topics=price:{LONG}", {}),
        (f"/api/stream?topics=price:SPY@{LONG}", {}),
        (f"/api/stream?topics=account:{LONG}", {}),
        (f"/api/stream/prices?symbols={LONG}", {}),
        (f"/api/stream/positions?symbols={LONG}", {}),
        (f"/api/stream/bars?symbols=SPY&timeframe={LONG}", {}),
        ("/api/stream/bars?symbols=SPY&timeframe=1%0AMin - at `$.x", {}),
        (f"/api/stream/prices?symbols=SPY&interval={'9' * 4_000}", {}),
        (f"/api/stream/news?last_event_id={LONG}", {}),
        (f"/api/prices?symbols={LONG}", {}),
        (f"/{LONG}", {}),
        (f"/assets/{LONG}", {}),
        (f"/api/stream/{LONG}-0123456789abcdef01234567", {}),
    ],
)
async def test_no_refusal_is_long(path: str, headers: dict[str, str]) -> None:
    async with (
        running_gateway(RedisSource(MEMORY)) as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        answer = await client.get(path, headers=headers)

    assert answer.status_code in (400, 404), answer.text[:200]
    assert len(answer.content) < SHORT_ANSWER


async def test_a_refusal_repeats_no_long_header_or_id() -> None:
    async with (
        running_gateway(RedisSource(MEMORY), cors_origins="https://a.b") as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        asked = {"Origin": LONG, "Access-Control-Request-Method": LONG}
        answers = [
            await client.options("/api/stream", headers=asked),
            await client.post("/api/stream", content=b"{}", headers={"Content-Type": LONG}),
            await client.patch(
                f"/api/stream/{LONG}-0123456789abcdef01234567", json={"remove": ["price:SPY"]}
            ),
            await client.request("PURGE", f"/api/{LONG}"),
        ]

    for answer in answers:
        assert 400 <= answer.status_code < 500
        assert len(answer.content) < SHORT_ANSWER, answer.text


def test_a_list_of_a_query_is_shown_in_part() -> None:
    with pytest.raises(ApiError) as refusal:
        fields.from_query([("symbols", "SPY"), ("interval", LONG)], SymbolFields)

    assert refusal.value.message.startswith("interval='xxx")
    assert len(refusal.value.message) < 2 * SHOWN_CHARACTERS


@pytest.mark.parametrize(
    ("text", "quoted", "plain"),
    [
        ("SPY", "'SPY'", "SPY"),
        ("x" * 100, f"'{'x' * 100}'", "x" * 100),
        ("x" * 101, f"'{'x' * 100}'…", f"{'x' * 100}…"),
        ("\n", r"'\n'", "\n"),
    ],
)
def test_an_excerpt_is_the_start_of_a_text(text: str, quoted: str, plain: str) -> None:
    assert excerpt(text) == quoted
    assert cut(text) == plain
