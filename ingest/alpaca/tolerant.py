"""Structs read field by field: a field of another form costs the field, and not the message.

The strict decoders are the fast way. These functions read only the values that those reject.
"""

import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol, TypeGuard, TypeVar

import msgspec

PROBLEM_CHARACTERS = 200
"""A problem may quote Alpaca's text, whose length has no limit."""

ITEMS_AT_MOST = 100
"""A list with unreadable items keeps this number of readable ones."""

UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""The errors of msgspec's decoders for bytes of another form."""

ANOTHER_FORM = (
    *(ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError),
)
"""The errors of code that expects a form without a check, such as alpaca-py's."""

_UNREADABLE = (*UNDECODABLE, ValueError, OverflowError)
"""The same for one value; ``ValueError`` is a time that ``datetime`` cannot hold."""

_Struct = TypeVar("_Struct", bound=msgspec.Struct)


class ValueDecoder(Protocol):
    """Decodes one value of a source, raw bytes or an object, as a type."""

    def __call__(self, value: Any, form: Any, /) -> Any:
        """Return the value; the errors are msgspec's."""


def read_fields(
    form: type[_Struct], values: Mapping[str, Any], decode: ValueDecoder
) -> tuple[_Struct, list[str]]:
    """Return a struct with its readable fields, and the problems of the others.

    ``values`` are by the names on the wire. A field that cannot be read gets its default.

    Raises:
        ValueError: a field with no default is absent or cannot be read.
    """
    found, problems = dict[str, Any](), list[str]()
    for field in fields_of(form):
        name = field.encode_name
        if name not in values:
            if field.required:
                raise ValueError(f"{name} is absent")
            continue
        try:
            found[field.name] = decode(values[name], field.type)
        except _UNREADABLE as error:
            part, lost = _readable_part(field.type, values[name], decode)
            if part is not None:
                found[field.name] = part
                problems += [f"{name}: {each}" for each in lost]
            elif field.required:
                raise ValueError(f"{name}: {bounded(error)}") from error
            else:
                problems.append(f"{name}: {bounded(error)}")
    return form(**found), problems


def read_object(value: Any, form: type[_Struct], decode: ValueDecoder) -> tuple[_Struct, list[str]]:
    """Return an object of JSON as a struct, and the problems of its fields.

    Raises:
        ValueError: it is no object, or a field with no default is absent or cannot be read.
    """
    try:
        return decode(value, form), []
    except _UNREADABLE as error:
        problem = bounded(error)
    if isinstance(value, dict):
        return read_fields(form, value, decode)
    raise ValueError(problem)


def strictly(value: Any, form: Any, /) -> Any:
    """Decode an object of JSON, whose numbers are numbers."""
    return msgspec.convert(value, form)


def leniently(value: Any, form: Any, /) -> Any:
    """Decode an object of JSON, whose numbers may be text."""
    return msgspec.convert(value, form, strict=False)


@lru_cache(maxsize=64)
def fields_of(form: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    """Return the fields of a struct; msgspec takes half a millisecond to find them."""
    return msgspec.structs.fields(form)


def bounded(problem: object) -> str:
    """Return the text of a problem, cut to ``PROBLEM_CHARACTERS``."""
    return str(problem)[:PROBLEM_CHARACTERS]


def _readable_part(form: Any, value: Any, decode: ValueDecoder) -> tuple[Any, list[str]]:
    """Return the readable part of a value with its problems; None if it has none."""
    for each in _alternatives(form):
        origin = typing.get_origin(each)
        try:
            if _is_struct(each):
                # A snapshot keeps its trade if only the conditions of that have another form.
                return read_object(value, each, decode)
            if origin in (tuple, list):
                return _readable_items(origin, typing.get_args(each)[0], value, decode)
            if origin is dict:
                return _readable_values(typing.get_args(each)[1], value, decode)
        except _UNREADABLE:
            continue
    return None, []


def _readable_items(
    container: type, item: Any, value: Any, decode: ValueDecoder
) -> tuple[Any, list[str]]:
    # Option trades have one condition as text where stock trades have a list: nothing is lost.
    try:
        return container([decode(value, item)]), []
    except _UNREADABLE:
        items = decode(value, list[Any])
    if _is_struct(item):
        # The items of encoded data are objects by now.
        decode_item = strictly if isinstance(value, bytes | msgspec.Raw) else decode
        return _readable_structs(container, item, items, decode_item)
    good = [each for each in items if _is_readable(each, item)][:ITEMS_AT_MOST]
    return container(good), [f"{len(items) - len(good)} of {len(items)} items are left out"]


def _readable_structs(
    container: type, form: type[msgspec.Struct], items: Sequence[Any], decode: ValueDecoder
) -> tuple[Any, list[str]]:
    found, problems = list[msgspec.Struct](), list[str]()
    for index, each in enumerate(items[:ITEMS_AT_MOST]):
        try:
            part, lost = read_object(each, form, decode)
        except ValueError as error:
            problems.append(f"[{index}]: {error}")
            continue
        found.append(part)
        problems += [f"[{index}]: {problem}" for problem in lost]
    if (left_out := len(items) - ITEMS_AT_MOST) > 0:
        problems.append(f"[{ITEMS_AT_MOST}:]: {left_out} items are left out")
    return container(found), problems


def _readable_values(form: Any, value: Any, decode: ValueDecoder) -> tuple[Any, list[str]]:
    """Return the readable values of an object whose names are data, such as symbols."""
    found, problems = dict[str, Any](), list[str]()
    for name, each in decode(value, dict[str, Any]).items():
        try:
            found[name] = decode(each, form)
        except _UNREADABLE as error:
            problems.append(f"{bounded(name)}: {bounded(error)}")
    return found, problems


def _is_struct(form: Any) -> TypeGuard[type[msgspec.Struct]]:
    return isinstance(form, type) and issubclass(form, msgspec.Struct)


def _is_readable(value: Any, form: Any) -> bool:
    try:
        msgspec.convert(value, form)
    except _UNREADABLE:
        return False
    return True


def _alternatives(form: Any) -> Iterator[Any]:
    """Yield the types of a union, each without the bounds that annotate it."""
    origin = typing.get_origin(form)
    if origin is typing.Annotated:
        yield from _alternatives(typing.get_args(form)[0])
    elif origin in (typing.Union, types.UnionType):
        for each in typing.get_args(form):
            yield from _alternatives(each)
    else:
        yield form
