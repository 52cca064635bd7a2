"""The parameters of a request, from its query or a JSON body, as the fields of a struct.

The struct defines names, forms and bounds; ``openapi`` reads the same struct. Unknown parameters
are ignored, since proxies and caches add theirs, unless they look like a misspelt field, or the
struct forbids them.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request

from gateway.http.api_error import ApiError
from shared.excerpt import SHOWN_CHARACTERS, cut, excerpt

Fields = TypeVar("Fields", bound=msgspec.Struct)

NUMBERS = ("number", "integer")

MAX_FIELDS = 1_000
"""How many fields a query or a body may have. Lists may be written as repeated fields, so there are
more than names; a body of a megabyte has room for a hundred thousand."""

_BRACKETS = re.compile(r"(\[\d*\])+$")
_SHOWN_BYTES = 4 * SHOWN_CHARACTERS


@cache
def properties_of(fields: type[msgspec.Struct]) -> Mapping[str, Any]:
    """Return the JSON schema of each field by its name."""
    properties: Mapping[str, Any] = _schema_of(fields)["properties"]
    return properties


@cache
def required_of(fields: type[msgspec.Struct]) -> Sequence[str]:
    """Return the names of the fields that have no default."""
    required: Sequence[str] = _schema_of(fields)["required"]
    return required


def _schema_of(fields: type[msgspec.Struct]) -> Any:
    _, components = msgspec.json.schema_components([fields], ref_template="{name}")
    return components[fields.__name__]


def of_query(request: Request, fields: type[Fields]) -> Fields:
    """Read the query of a request.

    Raises:
        ApiError: 400 as in ``from_query``, or because it has too many fields.
    """
    # Counted before they are split: a head may hold 32,000 of them.
    if request.scope["query_string"].count(b"&") >= MAX_FIELDS:
        raise _too_many_fields()
    return from_query(request.query_params.multi_items(), fields)


def from_query(items: Iterable[tuple[str, str]], fields: type[Fields]) -> Fields:
    """Read the items of a query. Lists are separated by commas; repeated lists are joined.

    Raises:
        ApiError: 400 with the malformed value or the misspelt name.
    """
    properties = properties_of(fields)
    given: dict[str, Any] = {}
    for written, text in items:
        name = _list_name(written)
        # A query has only texts. The schema decides which of them are lists and numbers; after that
        # a query and a body are checked in the same way.
        form = properties.get(name, {}).get("type")
        if form == "array":
            given.setdefault(name, []).extend(part.strip() for part in text.split(","))
        else:
            given[written] = _number(text) if form in NUMBERS and name == written else text
    _check_names(given, fields)
    _check_required(given, fields)
    try:
        return msgspec.convert(given, fields)
    except msgspec.ValidationError as error:
        problem, name = _read(error)
        value = given[name]
        shown = ",".join(value) if isinstance(value, list) else value
        shown = excerpt(shown) if isinstance(shown, str) else cut(str(shown))
        raise _bad_value(name, shown, problem, fields) from error


def from_json(body: bytes, fields: type[Fields]) -> Fields:
    """Read a body; an empty one is an object without members.

    Raises:
        ApiError: 400 as above, or because the body is not a JSON object.
    """
    body = body or b"{}"
    try:
        # The values stay bytes: those of unknown members cost nothing, and an error shows the start
        # of a value without writing out the whole of it.
        given = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError as error:
        raise _no_object("another kind of value", fields) from error
    # A body of a megabyte may nest deeper than the decoder goes.
    except (ValueError, RecursionError) as error:
        raise _no_object(str(error), fields) from error
    if len(given) > MAX_FIELDS:
        raise _too_many_fields()
    _check_names(given, fields)
    _check_required(given, fields)
    try:
        return msgspec.json.decode(body, type=fields)
    except msgspec.ValidationError as error:
        problem, name = _read(error)
        start = bytes(memoryview(given[name])[:_SHOWN_BYTES]).decode(errors="replace")
        raise _bad_value(name, cut(start), problem, fields) from error
    except (ValueError, RecursionError) as error:
        raise _no_object(str(error), fields) from error


def _list_name(name: str) -> str:
    """Return a name with no brackets: axios, jQuery and PHP write ``symbols[]``, ``symbols[0]``."""
    return _BRACKETS.sub("", name)


def _number(text: str) -> float | str:
    """Return the number that a text means, or else the text, which is rejected later."""
    for read in (int, float):
        with suppress(ValueError):
            return read(text)
    return text


def _check_names(given: Mapping[str, Any], fields: type[msgspec.Struct]) -> None:
    properties, singulars = properties_of(fields), _singulars_of(fields)
    strict = fields.__struct_config__.forbid_unknown_fields
    for name in given.keys() - properties.keys():
        # Ignored like other unknown names, symbol=SPY would open a stream of all news.
        right = singulars.get(_singular(name)) or (next(iter(properties)) if strict else None)
        if right is not None:
            raise ApiError(
                400,
                code="misspelt",
                message=f"there is no {excerpt(name)}",
                hint=f"write {right}: {properties[right]['description']}",
            )


def _check_required(given: Mapping[str, Any], fields: type[msgspec.Struct]) -> None:
    for name in required_of(fields):
        if name not in given:
            raise ApiError(
                400,
                code="missing",
                message=f"{name} is missing",
                hint=f"{name}: {properties_of(fields)[name]['description']}",
            )


@cache
def _singulars_of(fields: type[msgspec.Struct]) -> Mapping[str, str]:
    """Return the name of each field by its singular, under which misspellings are found."""
    return {_singular(name): name for name in properties_of(fields)}


def _read(error: msgspec.ValidationError) -> tuple[str, str]:
    """Return what is wrong, and the name of the field."""
    problem, _, place = str(error).rpartition(" - at `$.")
    # "Invalid enum value '…'" repeats the whole value, which may contain anything.
    return problem.partition(" '")[0], re.findall(r"^\w+", place)[0]


def _bad_value(name: str, shown: str, problem: str, fields: type[msgspec.Struct]) -> ApiError:
    return ApiError(
        400,
        code="bad_value",
        message=f"{name}={shown}: {problem}",
        hint=f"{name}: {properties_of(fields)[name]['description']}",
    )


def _too_many_fields() -> ApiError:
    return ApiError(
        400,
        code="too_many_fields",
        message=f"a request may have {MAX_FIELDS} fields, and this one has more",
        hint="write a list as one field: topics=price:SPY,price:IBM",
    )


def _singular(name: str) -> str:
    return _list_name(name).lower().removesuffix("s")


def _no_object(why: str, fields: type[msgspec.Struct]) -> ApiError:
    return ApiError(
        400,
        code="bad_body",
        message=f"the body is not a JSON object: {why}",
        hint=f"its members may be {' '.join(properties_of(fields))}",
    )
