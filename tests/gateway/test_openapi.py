"""The OpenAPI document against the code that it describes."""

import re
import tomllib
from typing import Any

import httpx
import pytest

from gateway.http.openapi import REJECTIONS, VERSION, document
from gateway.http.operations import OPERATIONS
from gateway.http.stream_fields import KIND_STREAMS
from shared.bus.redis_source import RedisSource
from tests.repository.test_contract import routes
from tests.repository.tree import ROOT, modules
from tests.services import running_gateway

LIMIT = 7
DOCUMENT = document(LIMIT)

ASKING = [
    (operation.method, operation.path) for operation in OPERATIONS if operation.fields is not None
]


def parameters(path: str, where: str = "query") -> dict[str, dict[str, Any]]:
    """The parameters of a GET by their names."""
    listed = DOCUMENT["paths"][path]["get"]["parameters"]
    return {each["name"]: each for each in listed if each["in"] == where}


def body(path: str, method: str = "POST") -> dict[str, Any]:
    """The schema of the sent data."""
    content = DOCUMENT["paths"][path][method.lower()]["requestBody"]["content"]
    schema: dict[str, Any] = content["application/json"]["schema"]
    return schema


def test_it_has_every_path_and_method_that_is_served_and_no_other() -> None:
    served = {
        (route.path, method.lower())
        for route in routes()
        for method in (route.methods or set()) - {"HEAD"}
    }
    told = {(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods}

    assert told == served
    assert len(OPERATIONS) == len(told)


def test_every_operation_has_a_name_of_its_own() -> None:
    names = [each["operationId"] for path in DOCUMENT["paths"].values() for each in path.values()]

    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9_.{}]+", name) for name in names)


def test_its_version_is_that_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert (DOCUMENT["info"]["version"], DOCUMENT["info"]["license"]["name"]) == (
        project["version"],
        project["license"],
    )
    assert project["version"] == VERSION


@pytest.mark.parametrize(("method", "path"), ASKING)
async def test_the_code_reads_every_field_that_is_told_and_only_those(
    method: str, path: str
) -> None:
    """A field's name in capitals counts as misspelt, and the rejection has all that are read."""
    told = list(parameters(path)) if method == "GET" else list(body(path, method)["properties"])
    path = path.replace("{stream_id}", "a-1-b-0123456789abcdef01234567")
    async with (
        running_gateway(RedisSource("memory://")) as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        for name in told:
            asked: dict[str, Any] = {"params" if method == "GET" else "json": {name.upper(): "1"}}
            answer = await client.request(method, path, **asked)
            assert answer.json()["error"]["code"] == "misspelt", name
            assert answer.json()["error"]["hint"].startswith(f"write {name}: ")
        if method != "GET":
            refused = await client.request(method, path, content=b"[]")
            assert refused.json()["error"]["hint"] == f"its members may be {' '.join(told)}"


@pytest.mark.parametrize("name", ["", *(f"/{name}" for name in KIND_STREAMS)])
def test_a_stream_can_be_asked_for_the_same_in_a_query_and_in_a_body(name: str) -> None:
    query, posted = parameters(f"/api/stream{name}"), body(f"/api/stream{name}")

    assert query.keys() == posted["properties"].keys()
    assert {each for each, told in query.items() if told["required"]} == {
        *posted.get("required", ())
    }
    for field, told in query.items():
        schema = {"description": told["description"], **told["schema"]}
        assert schema == posted["properties"][field], field
    assert parameters(f"/api/stream{name}", "header").keys() == {"Last-Event-ID"}


def test_lists_are_told_as_they_are_read() -> None:
    symbols = parameters("/api/prices")["symbols"]

    assert (symbols["style"], symbols["explode"]) == ("form", False)
    assert (symbols["schema"]["minItems"], symbols["schema"]["maxItems"]) == (1, LIMIT)


@pytest.mark.parametrize(
    ("topic", "right"),
    [
        ("price:SPY", True),
        ("price:spy", True),
        ("price:BRK.B@0.25", True),
        ("price:SPY@60", True),
        ("price:SPY@61", False),
        ("price:*", False),
        ("news:*", True),
        ("news:*@1", False),
        ("position:*@1", True),
        ("position:btc/usd", True),
        ("position:AAPL240119C00100000", True),
        ("position:AAPL1261218C00100000", True),
        ("position:628CVR016", True),
        ("price:AAC.WS.A", True),
        ("account@1", True),
        ("account:SPY", False),
        ("orders", True),
        ("orders@1", False),
        ("bar.1Min:SPY", True),
        ("barX1Min:SPY", False),
        ("trade:SPY@1", False),
        ("feed:SPY", False),
        ("SPY", False),
    ],
)
def test_the_pattern_of_a_topic_is_what_is_accepted(topic: str, right: bool) -> None:
    pattern = parameters("/api/stream")["topics"]["schema"]["items"]["pattern"]

    assert bool(re.search(pattern, topic)) is right


def test_every_refusal_that_an_endpoint_gives_is_told_under_its_status() -> None:
    in_front = ("cors.py", "host_check.py", "limits.py")
    source = "\n".join(p.read_text() for p in modules("gateway") if p.name not in in_front)
    rejections = re.findall(
        r"(?:ApiError|__init__)\(\s*(?:status=)?(\d{3}),\s*code=\"(\w+)\"", source
    )
    by_router = {"405"}

    assert len(rejections) > 10
    for status, code in rejections:
        if status not in by_router:
            assert f"`{code}`" in REJECTIONS[int(status)], code


async def test_it_is_served_to_everybody_as_it_is_made() -> None:
    async with (
        running_gateway(
            RedisSource("memory://"), api_token="right-one", max_topics_per_client=LIMIT
        ) as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        answer = await client.get("/openapi.json")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == DOCUMENT
    assert answer.json()["openapi"].startswith("3.1.")


async def test_every_member_of_an_answer_is_told() -> None:
    """Schemas allow additional members: newer gateways may send some."""
    schemas = DOCUMENT["components"]["schemas"]
    paths = {
        "/api/prices?symbols=SPY": "Prices",
        "/api/bars?symbols=SPY": "Bars",
        "/api/positions": "Positions",
        "/api/stream/status": "Status",
        "/healthz": "Alive",
        "/readyz": "Readiness",
        "/nowhere": "Refused",
    }
    async with (
        running_gateway(RedisSource("memory://")) as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        for path, name in paths.items():
            answer = (await client.get(path)).json()
            assert answer.keys() == schemas[name]["properties"].keys(), path
        ticket = (await client.post("/api/stream/ticket")).json()
        assert ticket.keys() == schemas["Ticket"]["properties"].keys()
