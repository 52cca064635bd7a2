"""The parameters of a request, from its query or a JSON body, as the fields of a struct.

The struct defines names, forms and bounds; ``openapi`` reads the same struct. Unknown parameters
are ignored, since proxies and caches add theirs, unless they look like a misspelt field, or the
struct forbids them.
"""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from typing import Any, TypeVar

import msgspec

from gateway.http.api_error import ApiError

Fields = TypeVar("Fields", bound=msgspec.Struct)

NUMBERS = ("number", "integer")
_SHOWN = 100
"""How many characters of a rejected value the error repeats."""


@cache
def properties_of(fields: type[msgspec.Struct]) -> Mapping[str, Any]:
    """Return the JSON schema of each field by its name."""
    _, components = msgspec.json.schema_components([fields], ref_template="{name}")
    properties: Mapping[str, Any] = components[fields.__name__]["properties"]
    return properties


def from_query(items: Iterable[tuple[str, str]], fields: type[Fields]) -> Fields:
    """Read the items of a query. Lists are separated by commas; repeated lists are joined.

    Raises:
        ApiError: 400 with the malformed value or the misspelt name.
    """
    properties = properties_of(fields)
    given: dict[str, Any] = {}
    for name, text in items:
        # A query has only texts. The schema decides which of them are lists and numbers; after that
        # a query and a body are checked in the same way.
        form = properties.get(name, {}).get("type")
        if form == "array":
            given.setdefault(name, []).extend(part.strip() for part in text.split(","))
        else:
            given[name] = _number(text) if form in NUMBERS else text
    return _checked(given, fields)


def from_json(body: bytes, fields: type[Fields]) -> Fields:
    """Read a body; an empty one is an object without members.

    Raises:
        ApiError: 400 as above, or because the body is not a JSON object.
    """
    try:
        given = msgspec.json.decode(body or b"{}")
    # A body of a megabyte may nest deeper than the decoder goes.
    except (ValueError, RecursionError) as error:
        raise _no_object(str(error), fields) from error
    if not isinstance(given, dict):
        raise _no_object("another kind of value", fields)
    return _checked(given, fields)


def _number(text: str) -> float | str:
    """Return the number that a text means, or else the text, which is rejected later."""
    for read in (int, float):
        with suppress(ValueError):
            return read(text)
    return text


def _checked(given: Mapping[str, Any], fields: type[Fields]) -> Fields:
    properties = properties_of(fields)
    strict = fields.__struct_config__.forbid_unknown_fields
    for name in given.keys() - properties.keys():
        # Ignored like other unknown names, symbol=SPY would open a stream of all news.
        meant = [right for right in properties if _singular(name) == _singular(right)]
        for right in meant or (list(properties) if strict else []):
            hint = f"write {right}: {properties[right]['description']}"
            raise ApiError(400, code="misspelt", message=f"there is no {name!r}", hint=hint)
    try:
        return msgspec.convert(given, fields)
    except msgspec.ValidationError as error:
        what, name = re.findall(r"^(.*) - at `\$\.(\w+)", str(error))[0]
        value = repr(given[name])[:_SHOWN]
        hint = f"{name}: {properties[name]['description']}"
        raise ApiError(
            400, code="bad_value", message=f"{name}={value}: {what}", hint=hint
        ) from error


def _singular(name: str) -> str:
    return name.lower().removesuffix("s")


def _no_object(why: str, fields: type[msgspec.Struct]) -> ApiError:
    return ApiError(
        400,
        code="bad_body",
        message=f"the body is not a JSON object: {why}",
        hint=f"its members may be {' '.join(properties_of(fields))}",
    )
