"""web/src/events.ts says of the events what the OpenAPI document says."""

import re
from typing import Any

import pytest

from gateway.http import answers
from gateway.http.openapi import document
from shared.topics import KINDS
from tests.repository.tree import ROOT

SCHEMAS: dict[str, Any] = document(limit=1)["components"]["schemas"]
TEXT = (ROOT / "web" / "src" / "events.ts").read_text()

INTERFACE = re.compile(
    r"^(?:export )?interface (\w+)(?: extends (\w+))? \{\n(.*?)^\}", re.MULTILINE | re.DOTALL
)
FIELD = re.compile(r"^  (\w+)(\??): ([^;]*);$", re.MULTILINE)

Fields = dict[str, tuple[bool, bool]]
"""Whether each may be missing, and whether it may be null."""


def interfaces() -> dict[str, Fields]:
    """Return the exported types, with their inherited members."""
    found: dict[str, Fields] = {}
    for name, base, body in INTERFACE.findall(TEXT):
        own = {
            field: (bool(optional), bool(re.search(r"\bnull$", kind)))
            for field, optional, kind in FIELD.findall(body)
        }
        found[name] = found.get(base, {}) | own
    return found


def told(name: str) -> Fields:
    """Return what the document says of an event."""
    schema = SCHEMAS[name]
    return {
        field: (field not in schema["required"], {"type": "null"} in form.get("anyOf", ()))
        for field, form in schema["properties"].items()
    }


NAMES = sorted(set(interfaces()) - {"Published"})


def test_the_interfaces_are_found() -> None:
    assert {"Price", "Position", "Account", "Hello", "Bye"} <= set(NAMES)
    assert len(FIELD.findall(TEXT)) == len(re.findall(r"^  \w+\??:", TEXT, re.MULTILINE))


@pytest.mark.parametrize("name", NAMES)
def test_an_interface_has_the_fields_of_the_event_and_may_lack_the_same(name: str) -> None:
    assert name in {struct.__name__ for struct in answers.events_of(KINDS).values()}
    assert interfaces()[name] == told(name)
