"""A running gateway against its own OpenAPI document, by schemathesis.

It makes requests that the document allows and others that it does not, and compares the responses:
statuses, types, the schema of every JSON, and of the first events of every stream.
"""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given
from schemathesis import APIOperation, BaseSchema, Case, CheckContext, GenerationMode, Response
from schemathesis.checks import not_a_server_error

from gateway.http import failed_attempts
from gateway.http.openapi import document
from gateway.settings import GatewaySettings
from shared.bus.redis_source import RedisSource
from tests.examples import examples
from tests.gateway.ingest_stub import ingest_stub
from tests.gateway.published import publish_all
from tests.limits import LIMIT_SECONDS
from tests.services import running_gateway

TOKEN = "right-one"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
DOCUMENT = document(GatewaySettings.model_fields["max_topics_per_client"].default)

AT_ONCE = ["hello", "feed", "ready"]
STORED = ["hello", "price", "status", "quote", "feed", "ready"]

EXAMPLES = examples(
    times=0.1,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def schema_of_streams(events: int, told: dict[str, Any] = DOCUMENT) -> BaseSchema:
    """Return the document as schemathesis knows it; of a stream it reads so many events."""
    schema = schemathesis.openapi.from_dict(told)
    schema.config.max_stream_events = events
    return schema


def without_security() -> dict[str, Any]:
    """Return the document of a gateway without tokens.

    Schemathesis would count as wrong that it leaves the token out, which is sent all the same.
    """
    told = document(GatewaySettings.model_fields["max_topics_per_client"].default)
    for methods in told["paths"].values():
        for operation in methods.values():
            operation["security"] = []
    return told


SCHEMA = schema_of_streams(len(AT_ONCE))
SCHEMAS = {
    GenerationMode.POSITIVE: SCHEMA,
    GenerationMode.NEGATIVE: schema_of_streams(len(AT_ONCE), without_security()),
}


def begins_with_hello(_: CheckContext, response: Response, __: Case[Any]) -> None:
    """The first thing that a stream says is what it is going to bring."""
    if response.headers["content-type"][0].startswith("text/event-stream"):
        assert response.content.startswith(b"event: hello\n")


def fails_only_for_lack_of_an_ingest(_: CheckContext, response: Response, __: Case[Any]) -> None:
    """Bars and assets that Redis does not have are an ingest's, and none leads here."""
    if response.status_code >= 500:
        assert response.json()["error"]["code"] in ("no_ingest", "no_assets")


def exchange(operation: APIOperation[Any, Any, Any, Any], mode: GenerationMode, url: str) -> None:
    """Make requests of one operation and check the answers."""

    @EXAMPLES
    @given(case=operation.as_strategy(generation_mode=mode))
    def one(case: Case[Any]) -> None:
        # A range must not end before it starts, which a schema cannot say.
        if mode is GenerationMode.POSITIVE and {"start", "end"} <= {*(case.query or ())}:
            del case.query["end"]
        case.call_and_validate(
            url,
            headers=HEADERS,
            additional_checks=[begins_with_hello, fails_only_for_lack_of_an_ingest],
            excluded_checks=[not_a_server_error],
            timeout=LIMIT_SECONDS,
        )

    one()


def test_the_document_is_valid_openapi() -> None:
    SCHEMA.validate()


@pytest.mark.slow
@pytest.mark.parametrize("mode", GenerationMode, ids=lambda mode: mode.value)
async def test_a_running_gateway_answers_as_its_document_says(
    source: RedisSource,
    built_page: Path,
    mode: GenerationMode,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # It expects 401 for each of its wrong tokens, of which it sends many.
    monkeypatch.setattr(failed_attempts, "ALLOWED", 1_000_000)
    async with running_gateway(source, api_token=TOKEN) as url:
        for path, methods in DOCUMENT["paths"].items():
            for method in methods:
                operation = SCHEMAS[mode][path][method]
                if mode is GenerationMode.POSITIVE or operation.query or operation.body:
                    await asyncio.to_thread(exchange, operation, mode, url)


@pytest.mark.parametrize(
    ("path", "query", "has"),
    [
        ("/api/prices", {"symbols": ["SPY", "IBM"]}, b'"price":167.43'),
        ("/api/bars", {"symbols": ["SPY"], "timeframe": "5Min"}, b'"close":2'),
        ("/api/stream/status", {}, b'"ingest_id":"stub"'),
        ("/api/stream", {"topics": ["price:SPY", "status:SPY", "quote:SPY"]}, b'"bid":1'),
        ("/api/stream", {"topics": ["position:SPY", "account"]}, b'"qty":2.5'),
        ("/api/positions", {}, b'"equity":100.25'),
        ("/", {}, b"built"),
        ("/assets/{name}", {}, b"EventSource"),
        ("/licenses.txt", {}, b"MIT"),
    ],
)
async def test_what_an_ingest_has_published_conforms(
    source: RedisSource, built_page: Path, path: str, query: dict[str, object], has: bytes
) -> None:
    operation = schema_of_streams(len(STORED))[path]["GET"]
    case = operation.Case(query=query, path_parameters={"name": "index-A1b2C3d4.js"})

    def has_it(_: CheckContext, response: Response, __: Case[Any]) -> None:
        assert response.status_code == 200
        assert has in response.content

    async with ingest_stub(source) as ingest, running_gateway(source, api_token=TOKEN) as url:
        await publish_all(ingest)
        await ingest.report(99)
        await asyncio.to_thread(
            case.call_and_validate,
            url,
            headers=HEADERS,
            additional_checks=[has_it],
            timeout=LIMIT_SECONDS,
        )


@pytest.mark.parametrize(
    ("struct", "path", "found"),
    [
        ("Hello", "/api/stream", "SSE event violates schema"),
        ("Price", "/api/prices", '"more" is a required property'),
    ],
)
async def test_a_document_that_promises_more_than_comes_is_found_out(
    source: RedisSource, struct: str, path: str, found: str
) -> None:
    """Or the tests above could not fail."""
    promising = document(500)
    promising["components"]["schemas"][struct]["required"].append("more")
    schema = schemathesis.openapi.from_dict(promising)
    schema.config.max_stream_events = 1
    case = schema[path]["GET"].Case(query={"topics": ["price:SPY"], "symbols": ["SPY"]})
    async with running_gateway(source, api_token=TOKEN) as url:
        with pytest.raises(BaseExceptionGroup, match=found):
            await asyncio.to_thread(
                case.call_and_validate, url, headers=HEADERS, timeout=LIMIT_SECONDS
            )
