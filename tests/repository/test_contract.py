"""What the code offers to the outside is what the reference says, and no more."""

import re
from typing import get_args

import msgspec
from starlette.routing import Route

from gateway import app, events
from gateway.events import ByeReason, NoPriceReason
from ingest.upstream.feed_error import _MEANING
from shared import keys
from shared.ingest_status import FeedState
from shared.price import Price
from tests.repository.tree import ROOT, source_modules

REFERENCE = (ROOT / "docs" / "reference.md").read_text()


def section(title: str) -> str:
    """Return a part of the reference."""
    return REFERENCE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def routes() -> list[Route]:
    """Return what the gateway serves."""
    endpoints = app.Gateway.__new__(app.Gateway)  # the table needs no part of a running gateway
    return [route for route in app.create_app(endpoints).routes if isinstance(route, Route)]


def test_every_endpoint_is_in_the_reference_and_no_other() -> None:
    offered = {
        f"{method} {route.path}" for route in routes() for method in (route.methods or set())
    }
    told = set(re.findall(r"`((?:GET|POST|PATCH|PUT|DELETE) /[^?`]*)", section("Endpoints")))

    assert told == {each for each in offered if not each.startswith("HEAD ")}


def test_every_event_is_in_the_reference_with_its_fields() -> None:
    kinds: dict[str, type[msgspec.Struct]] = {
        "hello": events.Hello,
        "price": Price,
        "feed": events.Feed,
        "ready": events.Ready,
        "heartbeat": events.Heartbeat,
        "bye": events.Bye,
    }
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", section("Events"), re.MULTILINE))

    assert set(rows) == set(kinds)
    for kind, struct in kinds.items():
        fields = {field.name for field in msgspec.structs.fields(struct)} - {"event_id"}
        assert fields <= set(re.findall(r"\w+", rows[kind])), kind


def test_every_state_and_reason_is_in_the_reference() -> None:
    told = set(re.findall(r"\w+", section("Events")))
    served = {"shutdown", "slow"}

    assert set(get_args(NoPriceReason)) | {"unknown_symbol"} <= told
    assert {*get_args(FeedState), "down", "ingest_lost"} <= told
    assert served <= set(get_args(ByeReason)) & told


def test_every_refusal_is_in_the_reference() -> None:
    source = "\n".join(path.read_text() for path in source_modules())
    codes = set(re.findall(r"ApiError\(\s*\d{3},\s*\"(\w+)\"", source))

    assert codes
    assert codes <= set(re.findall(r"\w+", section("Refusals")))


def test_every_error_of_alpacas_is_in_the_reference() -> None:
    told = {int(code) for code in re.findall(r"\b[45]\d\d\b", section("Refusals"))}

    assert set(_MEANING) - told == set()


def test_every_redis_key_is_in_the_reference() -> None:
    told = section("Redis")
    names = {
        value for name, value in vars(keys).items() if name.isupper() and isinstance(value, str)
    }

    assert {name for name in names if f"`{name}`" not in told} == set()
    for made in (keys.last_key("price:SPY"), "gateway:<id>", "ticket:<sha256>"):
        assert f"`{made}`" in told
