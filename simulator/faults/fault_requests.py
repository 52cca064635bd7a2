"""The body of `POST /simulator/faults`: a fault and its arguments.

The methods of `Faults` define the form: `{"fault": "refuse_upgrade", "feed": "iex", "count": 2}`
calls `refuse_upgrade("iex", count=2)`.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Final, get_type_hints

import msgspec

from simulator.faults.catalogue import Faults

NAMES: Final = (
    "refuse_upgrade",
    "mute_after_connect",
    "mute_after_auth",
    "refuse_auth",
    "refuse_subscribe",
    "ignore_subscribe",
    "rest",
    "adjustment",
    "stale_positions",
    "late_updates",
    "lost_updates",
    "swapped_updates",
    "torn_report",
    "second_row",
    "activity",
    "no_streams",
    "lost_bars",
    "late_bars",
    "updated_bar",
    "counted_bars",
    "clear",
    "mute",
    "withhold",
    "half_open",
    "reset",
    "fin",
    "close",
    "error",
    "send",
    "send_text",
    "send_messages",
    "garbage",
    "no_array",
    "malformed",
    "unknown_type",
    "odd_frame",
    "huge",
)


def strike(faults: Faults, body: bytes) -> dict[str, object]:
    """Inject the requested fault; return it with the number of connections that it struck.

    Raises:
        ValueError: the request is invalid; the text names the value and the allowed ones.
    """
    given = _read(body)
    name = given.pop("fault", None)
    if not isinstance(name, str) or name not in NAMES:
        raise ValueError(f"fault is {name!r}, expected one of {', '.join(NAMES)}")
    method: Callable[..., int | None] = getattr(faults, name)
    done = method(**_arguments(method, name, given))
    return {"fault": name, **given, "connections": done}


def _read(body: bytes) -> dict[str, object]:
    try:
        return msgspec.json.decode(body, type=dict[str, object])
    except msgspec.DecodeError as error:
        raise ValueError(f"the body is not a JSON object: {error}") from error


def _arguments(
    method: Callable[..., object], name: str, given: Mapping[str, object]
) -> dict[str, object]:
    parameters = inspect.signature(method).parameters
    unknown = given.keys() - parameters.keys()
    if unknown:
        allowed = ", ".join(parameters)
        raise ValueError(f"{name} has no {', '.join(sorted(unknown))}, expected any of {allowed}")
    hints = get_type_hints(method)
    arguments: dict[str, object] = {"feed": None} if "feed" in parameters else {}
    for key, value in given.items():
        try:
            arguments[key] = msgspec.convert(value, hints[key])
        except msgspec.ValidationError as error:
            raise ValueError(f"{key} is {value!r}: {error}") from error
    for key, parameter in parameters.items():
        if parameter.default is parameter.empty and key not in arguments:
            raise ValueError(f"{name} lacks {key}")
    return arguments
