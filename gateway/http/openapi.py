"""The OpenAPI document, made once from the table of operations and the structs in it."""

from inspect import cleandoc
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.http import answers
from gateway.http.fields import properties_of, required_of
from gateway.http.json_response import json_response
from gateway.http.operations import JSON, OPERATIONS, Operation
from gateway.http.symbol_fields import UNDERLYING
from gateway.wire import stream_id, token_table

VERSION = "0.1.0"
"""That of the package; a test compares them."""

REJECTIONS = {
    400: "The query or the body is wrong: `bad_body` `bad_principal` `bad_symbol` `bad_topic` "
    "`bad_value` `missing` `misspelt` `no_symbols` `no_topics` `too_many_bars` `too_many_fields` "
    "`too_many_symbols` `too_many_topics`; `unsupported`: Alpaca or this installation has no such "
    "data",
    401: "`unauthorized`: no token, a wrong one, a used ticket",
    403: "`topic_denied`: the ticket is for other topics; `scope_denied`: the token lacks a scope",
    404: "`unknown_path`; `unknown_stream`: no stream of this id and of this principal",
    409: "`not_ready`: the stream has not started",
    408: "`request_timeout`: the body stayed incomplete",
    413: "`body_too_large`",
    415: "`unsupported_media_type`: the body is not JSON",
    429: "`busy`: the gateway is full; a client that accepts `text/event-stream` gets 200 and a "
    "`bye` instead. `too_many_failures`: the address has sent too many wrong tokens or tickets. "
    "`too_many_tickets`: the token has got too many. `ingest_busy`: too many requests wait for the "
    "ingest",
    502: "`upstream_failed`: Alpaca has not returned data that Redis does not have",
    503: "`redis_unavailable`, `redis_busy`; a client that accepts `text/event-stream` gets 200 "
    "and a `bye` instead. `no_ingest`: only an ingest can get the data, and none leads; "
    "`no_assets`: no ingest has read the list of assets",
    504: "`ingest_timeout`: the ingest has not replied in time",
}

DESCRIPTION = """\
Alpaca's market data as Server-Sent Events.

A stream starts with `hello`, then come the stored values of its topics, then `ready`, then live
events. The schema of a `text/event-stream` is that of each of its events. Unknown parameters are
ignored. HEAD is served like GET. If `API_TOKEN` is unset (on loopback only), no token is needed.
"""

SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "one of `API_TOKEN`"},
    "ticket": {
        "type": "apiKey",
        "in": "query",
        "name": "ticket",
        "description": "from `POST /api/stream/ticket`; for one stream, within 30 s",
    },
}

LAST_EVENT_ID = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "the id of the newest event received; EventSource sends it by itself",
    "schema": {"type": "string"},
}

PATH_FORMS = {
    "stream_id": {"pattern": f"^{stream_id.PATTERN}$"},
    "principal": {"pattern": f"^{token_table.NAME}$"},
    "underlying": {"pattern": f"^{UNDERLYING}$"},
}

LIMITED = ("symbols", "topics")

_SCHEMA = "#/components/schemas/{name}"
_RESPONSE = "#/components/responses/{}"

Json = dict[str, Any]


class OpenApi:
    """Serves the contract. ``limit`` is the most symbols or topics of one request."""

    def __init__(self, *, limit: int) -> None:
        self._document = msgspec.Raw(msgspec.json.encode(document(limit)))

    async def document(self, _: Request) -> Response:
        """``GET /openapi.json``."""
        return json_response(self._document)


def document(limit: int) -> Json:
    """Return the document; a request names at most ``limit`` symbols or topics."""
    paths: dict[str, Json] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(
            operation, limit
        )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tapecast",
            "version": VERSION,
            "description": DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "responses": {
                str(status): {"description": text, "content": _content(answers.Refused)}
                for status, text in REJECTIONS.items()
            },
            "securitySchemes": SECURITY_SCHEMES,
        },
    }


def _operation(operation: Operation, limit: int) -> Json:
    found: Json = {
        "operationId": "_".join((operation.method + operation.path).lower().split("/")),
        "summary": operation.summary,
        "parameters": _parameters(operation, limit),
        "responses": _responses(operation),
        # One entry for each scheme: either is enough. Schemes in one entry would all be needed.
        "security": [{scheme: []} for scheme in operation.security],
    }
    # The same struct describes the query of a GET and the body of a POST.
    if operation.fields is not None and operation.method in ("POST", "PATCH"):
        schema = _asked(operation.fields, limit)
        found["requestBody"] = {
            "content": {JSON: {"schema": schema}},
            "required": "required" in schema,
        }
    return found


def _parameters(operation: Operation, limit: int) -> list[Json]:
    parameters: list[Json] = []
    for part in operation.path.split("/"):
        if part.startswith("{"):
            name = part.strip("{}")
            schema = {"type": "string", **PATH_FORMS.get(name, {})}
            parameters.append({"name": name, "in": "path", "required": True, "schema": schema})
    if operation.fields is not None and operation.method == "GET":
        asked = _asked(operation.fields, limit)
        for name, schema in asked["properties"].items():
            parameter = {"name": name, "in": "query", "required": name in asked.get("required", ())}
            # Our lists are separated by commas: SPY,IBM and not symbols=SPY&symbols=IBM.
            if schema.get("type") == "array":
                parameter |= {"style": "form", "explode": False}
            text = schema.pop("description")
            parameters.append({**parameter, "description": text, "schema": schema})
    # Only a stream can be resumed.
    if operation.kinds:
        parameters.append(LAST_EVENT_ID)
    return parameters


def _asked(fields: type[msgspec.Struct], limit: int) -> Json:
    """Return the schema of the parameters: an empty list counts as none."""
    properties = {name: dict(schema) for name, schema in properties_of(fields).items()}
    required = list(required_of(fields))
    # A list that is empty by default has to be given: such a request is rejected with no_symbols
    # or no_topics. The default only lets the code name that error instead of msgspec's.
    for name, schema in properties.items():
        if schema.get("default") == []:
            required.append(name)
            del schema["default"]
    for name in properties.keys() & set(LIMITED):
        properties[name] |= {"minItems": 1, "maxItems": limit}
    whole: Json = {"type": "object", "properties": properties}
    # Bodies only: a misspelt member is an error there. Unknown parameters of a query are ignored.
    if fields.__struct_config__.forbid_unknown_fields:
        whole["additionalProperties"] = False
    return {**whole, "required": required} if required else whole


def _responses(operation: Operation) -> Json:
    rejections = {status: {"$ref": _RESPONSE.format(status)} for status in operation.rejections}
    documented = {
        status: {
            "description": operation.summary,
            "content": _content(struct, is_list=operation.is_list),
        }
        for status, struct in operation.answers.items()
    }
    # Not JSON: a stream, of which the events are described, or a file.
    if not documented:
        content: Json = {}
        if operation.kinds:
            events = answers.events_of(operation.kinds)
            content["schema"] = {"oneOf": [_reference(_event_name(name)) for name in events]}
        documented[200] = {
            "description": operation.summary,
            "content": {operation.media_type: content},
        }
    return {str(status): response for status, response in (documented | rejections).items()}


def _content(struct: type[msgspec.Struct], *, is_list: bool = False) -> Json:
    schema = _reference(struct.__name__)
    return {JSON: {"schema": {"type": "array", "items": schema} if is_list else schema}}


def _reference(name: str) -> Json:
    return {"$ref": _SCHEMA.format(name=name)}


def _event_name(event: str) -> str:
    return f"event.{event}"


def _event(event: str, struct: type[msgspec.Struct]) -> Json:
    """Return the schema of an event on the wire."""
    # OpenAPI 3.1 has no type for server-sent events: JSON inside a text is the nearest form.
    data = {"contentMediaType": JSON, "contentSchema": _reference(struct.__name__)}
    return {
        "type": "object",
        "properties": {
            "event": {"const": event},
            "data": {"type": "string", **data},
            "id": {"type": "string"},
            "retry": {"type": "integer"},
        },
        "required": ["event", "data"],
    }


def _schemas() -> dict[str, Json]:
    """Return the schemas of all answers. All members are present unless their struct omits some."""
    events = answers.events_of(answers.PUBLISHED)
    answered = [struct for operation in OPERATIONS for struct in operation.answers.values()]
    # A struct can be an event and an answer of REST as well; msgspec must get it once.
    structs = dict.fromkeys([*events.values(), *answered, answers.Refused])
    _, schemas = msgspec.json.schema_components(structs, ref_template=_SCHEMA)
    # msgspec describes the structs as input; readers of the document receive them as output.
    omitting = {
        struct.__name__
        for struct in (*events.values(), *answered)
        if struct.__struct_config__.omit_defaults
    }
    for title, schema in schemas.items():
        schema["description"] = cleandoc(schema["description"]).replace("``", "`")
        for name, form in schema["properties"].items():
            if "default" in form:  # it is for the code that makes the struct
                del form["default"]
                if title not in omitting:
                    schema["required"].append(name)
    for struct in events.values():
        schema = schemas[struct.__name__]
        if "event_id" not in schema["properties"]:  # it is added at the publication
            schema["properties"]["event_id"] = {"type": "string"}
            schema["required"].append("event_id")
    return schemas | {_event_name(name): _event(name, struct) for name, struct in events.items()}
