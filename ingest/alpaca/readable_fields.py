"""Reads an object of which some optional fields have another form: each costs only itself. No I/O.

Alpaca writes ``""`` for an absent number or enumeration in places (alpacahq/alpaca-py #557), and no
field that a client does not need may cost an order's event.
"""

from collections.abc import Mapping
from typing import Any, TypeVar, get_args, get_origin

import msgspec

_Form = TypeVar("_Form", bound=msgspec.Struct)

Parts = Mapping[tuple[type[msgspec.Struct], str], type[msgspec.Struct]]
"""The forms of the objects within objects, by form and field. A field may be a list of them."""


def read(data: Any, form: type[_Form], parts: Parts, problems: list[str], path: str = "") -> _Form:
    """Return an object with its readable fields; the problems of the others are added to a list.

    An unreadable optional field gets its default. ``path`` is written before the fields' names.

    Raises:
        ValidationError: a required field is absent or has another form.
    """
    if not isinstance(data, dict):
        raise msgspec.ValidationError(
            f"Expected `object`, got `{type(data).__name__}` - at `${path}`"
        )
    fields = {}
    for field in msgspec.structs.fields(form):
        if (value := data.get(field.encode_name)) is None:
            if field.required:
                raise msgspec.ValidationError(f"`${path}` lacks `{field.encode_name}`")
            continue
        at = f"{path}.{field.encode_name}"
        try:
            fields[field.name] = _field(
                value, field.type, parts.get((form, field.name)), parts, problems, at
            )
        except msgspec.ValidationError as error:
            if field.required:
                raise
            problems.append(f"{error} in {at}")
    return form(**fields)


def _field(
    value: Any,
    type_: Any,
    part: type[msgspec.Struct] | None,
    parts: Parts,
    problems: list[str],
    path: str,
) -> Any:
    if part is None:
        return msgspec.convert(value, type_, strict=False)
    if not any(get_origin(each) is list for each in get_args(type_)):
        return read(value, part, parts, problems, path)
    if not isinstance(value, list):
        raise msgspec.ValidationError(f"Expected `array`, got `{type(value).__name__}`")
    found = []
    for index, item in enumerate(value):
        try:
            found.append(read(item, part, parts, problems, f"{path}[{index}]"))
        except msgspec.ValidationError as error:
            problems.append(str(error))
    return found
