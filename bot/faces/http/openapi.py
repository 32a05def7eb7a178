"""The OpenAPI document, made from the declared commands: parameters by kind, answers by their dataclasses' types."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import lru_cache
from typing import Any, get_type_hints

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

from analytics.evidence import Note
from bot.dispatch.command import Ask, Command, Param
from bot.dispatch.kinds import KINDS
from bot.faces.http.parameters import MAX_ADDRESS, MAX_BODY, MAX_REQUEST_NAME
from bot.faces.http.problems import MEDIA_TYPE as PROBLEM
from bot.webhooks.events import MODELS

Schema = dict[str, Any]

FAULTS = {
    "500": "A fault of ours; `id` finds it in the log",
    "503": "The market or the store cannot be read right now, or every connection is in use",
}

ERRORS = {
    "400": "The question does not fit; `suggestions` says what would",
    "403": "Refused, or the key lacks the scope of this operation",
    "404": "Names a thing that is not here; `suggestions` names the nearest",
    "409": "Not enough history: `have`, `need` and, where it is known, `ready_at`",
    "414": f"Path and query together have more than {MAX_ADDRESS} bytes",
    **FAULTS,
}

ERRORS_OF_KEYS = {"401": "No key, or not a valid one", "429": "The key's quota is spent; see Retry-After"}
"""Where a key is asked for."""

ERRORS_OF_BODIES = {
    "413": f"The body has more than {MAX_BODY} bytes",
    "415": "The body is not said to be application/json",
}
"""Where there is a body."""

BESIDE = (
    "A path has no other methods than those below, and HEAD where it has GET: all others are answered 405, with "
    "`Allow`; other paths are answered 404, with `suggestions`. What is no HTTP/1.1, or has a head of over 64 KiB, "
    "is answered 400 in plain text, and the connection is closed."
)
"""What no operation can say."""

_NUMBER, _TEXT = {"schema": {"type": "integer", "minimum": 0}}, {"schema": {"type": "string"}}
QUOTA_HEADERS = {f"RateLimit-{name}": _NUMBER for name in ("Limit", "Remaining", "Reset")}
HEADERS_OF_STATUS: dict[str, Schema] = {
    "304": {"ETag": {**_TEXT, "required": True}},
    "401": {"WWW-Authenticate": {**_TEXT, "required": True}},
    "429": {"Retry-After": {**_NUMBER, "required": True}, **QUOTA_HEADERS},
    "503": {"Retry-After": _NUMBER},
}
"""Headers worth reading beside the document of an error."""

SIGNED = {
    "webhook-id": "names the event: the same at each attempt",
    "webhook-timestamp": "the UTC second of this attempt",
    "webhook-signature": "one signature a secret, newest first, by the Standard Webhooks scheme",
}
"""Headers of an event."""

_PROBLEM: Schema = {
    "type": "object",
    "description": "RFC 9457 problem details",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "suggestions": {"type": "array", "items": {"type": "string"}},
        "have": {"type": "string"},
        "need": {"type": "string"},
        "ready_at": {"type": "string", "format": "date-time"},
        "id": {"type": "string"},
    },
}


IDEMPOTENCY_KEY: Schema = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same request with the same key within 24 hours acts once and is answered with what it made",
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_REQUEST_NAME, "pattern": "^[!-~]+$"},
}


class _AnswerSchema(GenerateJsonSchema):
    """Dataclasses as :func:`analytics.evidence.plain` writes them: notes as texts, every key but those it omits."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Names say enough."""
        return False

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> Schema:
        """One component."""
        kind = schema["cls"]
        if kind is Note:
            return {"type": "string"}
        made = super().dataclass_schema(schema)
        del made["title"]
        made["description"] = (kind.__doc__ or "").partition("\n")[0]
        made["required"] = [f.name for f in fields(kind) if not f.metadata.get("omit_none")]
        return made


def answer_schemas(kinds: Mapping[str, Any]) -> tuple[dict[str, Schema], dict[str, Schema]]:
    """The schemas of types by name, and the components that they refer to."""
    schemas, components = json.loads(_answer_schemas(tuple(kinds.items())))
    return schemas, components


@lru_cache(maxsize=4)
def _answer_schemas(kinds: tuple[tuple[str, Any], ...]) -> str:
    # Made once for the same types: it takes a third of a second. As text, which no caller can change for the next.
    made, rest = TypeAdapter.json_schemas(
        ((name, "serialization", TypeAdapter(kind)) for name, kind in kinds),
        ref_template="#/components/schemas/{model}",
        schema_generator=_AnswerSchema,
    )
    return json.dumps([{name: schema for (name, _), schema in made.items()}, rest.get("$defs", {})])


def returned_by(ask: Ask) -> Any:
    """The type that a function promises to return; Any where its annotations do not say."""
    try:
        return get_type_hints(ask).get("return", Any)
    except NameError:  # names imported for the type checker only
        return Any


def parameter(param: Param, path: str) -> Schema:
    """One parameter of an operation; those with a place in the path are always required."""
    in_path = f"{{{param.name}}}" in path
    required = in_path or param.required
    schema = KINDS[param.kind].schema
    for form in schema.get("anyOf", [schema]):
        form |= _limits(param, form["type"], required=required)
    if param.choices:
        schema["enum"] = list(param.choices)
    if param.default not in (None, ()):
        schema["default"] = list(param.default) if isinstance(param.default, tuple) else param.default
    if param.suggest:
        schema["examples"] = list(param.suggest)
    empty = {} if required else {"allowEmptyValue": True}
    return {
        "name": param.name,
        "in": "path" if in_path else "query",
        "required": required,
        **empty,
        "description": param.help,
        "schema": schema,
    }


def _limits(param: Param, primitive: str, *, required: bool) -> Schema:
    """What a parameter's declaration says of values of this JSON type: an empty text is as none."""
    if primitive == "string":
        return {"minLength": 1} if required and not param.choices else {}
    limits = {"minimum": param.minimum, "maximum": param.maximum} if primitive in ("integer", "number") else {}
    return {name: limit for name, limit in limits.items() if limit is not None}


def _or_null(schema: Schema) -> Schema:
    """The schema of a member that may be null as well, which is as not given."""
    beside: Schema = {name: schema[name] for name in ("default", "examples") if name in schema}
    form = {name: value for name, value in schema.items() if name not in beside}
    return {"anyOf": [*form.get("anyOf", [form]), {"type": "null"}], **beside}


def _given(command: Command) -> Schema:
    """Where parameters go: those that are not in the path into the query, or the body of what has one."""
    described = [parameter(param, command.path or "") for param in command.params]
    headers = [IDEMPOTENCY_KEY] if command.idempotency else []
    if not _has_body(command):
        return {"parameters": described}
    members = [param for param in described if param["in"] == "query"]
    forms = {param["name"]: param["schema"] if param["required"] else _or_null(param["schema"]) for param in members}
    schema = {
        "type": "object",
        "properties": {
            param["name"]: {**forms[param["name"]], "description": param["description"]} for param in members
        },
        "required": [param["name"] for param in members if param["required"]],
        "additionalProperties": False,
    }
    body = {"required": bool(schema["required"]), "content": {"application/json": {"schema": schema}}}
    return {"parameters": [*(param for param in described if param["in"] == "path"), *headers], "requestBody": body}


def _has_body(command: Command) -> bool:
    return command.method in ("POST", "PATCH")


def refusal(status: str, text: str) -> Schema:
    """One status that comes with a problem document."""
    content = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    headers = HEADERS_OF_STATUS.get(status)
    return {"description": text, **({"headers": headers} if headers else {}), "content": content}


def operation(command: Command, answer: Schema, *, require_key: bool) -> Schema:
    """One command as an operation of its path."""
    headers = {} if command.acts else HEADERS_OF_STATUS["304"]
    answered = {
        "description": "The answer, with its evidence",
        "headers": headers | (QUOTA_HEADERS if require_key else {}),
        "content": {"application/json": {"schema": answer}},
    }
    unchanged = {} if command.acts else {"304": {"description": "Unchanged since the ETag sent", "headers": headers}}
    errors = {
        **ERRORS,
        **(ERRORS_OF_KEYS if require_key else {}),
        **(ERRORS_OF_BODIES if _has_body(command) else {}),
    }
    refused = {status: refusal(status, text) for status, text in sorted(errors.items())}
    return {
        "operationId": command.name.replace(" ", "_"),
        "summary": command.summary,
        **_given(command),
        "responses": {"200": answered, **unchanged, **refused},
        "security": [{"key": []}] if require_key else [],
    }


def _open(name: str, summary: str, media: str, schema: Schema, *also: str) -> Schema:
    content = {media: {"schema": schema}}
    responses = {status: refusal(status, text) for status, text in FAULTS.items()}
    for status in ("200", *also):
        said = responses.get(status, {"description": summary, "content": {}})
        responses[status] = {**said, "content": {**said["content"], **content}}
    return {"get": {"operationId": name, "summary": summary, "responses": responses, "security": []}}


def _event(name: str, schema: Schema) -> Schema:
    """What is posted to an endpoint; headers and signatures are described in docs/webhooks.md."""
    headers = [
        {"name": header, "in": "header", "required": True, "description": text, "schema": {"type": "string"}}
        for header, text in SIGNED.items()
    ]
    return {
        "operationId": f"on_{name.replace('.', '_')}",
        "summary": MODELS[name].__doc__,
        "parameters": headers,
        "requestBody": {"content": {"application/json": {"schema": schema}}},
        "responses": {"2XX": {"description": "taken; everything else is sent again"}},
        "security": [],
    }


def document(commands: Sequence[Command], version: str, *, require_key: bool) -> Schema:
    """The whole document: a path a command, the two open ones for machines, and the components."""
    asked = [command for command in commands if command.path]
    answers, components = answer_schemas({command.name: returned_by(command.ask) for command in asked} | dict(MODELS))
    paths: dict[str, Schema] = defaultdict(dict)
    for command in asked:
        described = operation(command, answers[command.name], require_key=require_key)
        paths[command.path or ""][command.method.lower()] = described
    text = {"type": "string"}
    paths["/health"] = _open("health", "Whether polling is fresh", "application/json", {"type": "object"}, "503")
    paths["/metrics"] = _open("metrics", "Figures for Prometheus", "text/plain", text)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "spotbot",
            "version": version,
            "summary": "Questions to the GPU spot market",
            "description": BESIDE,
        },
        "paths": paths,
        "webhooks": {name: {"post": _event(name, answers[name])} for name in MODELS},
        "components": {
            "schemas": {"Problem": _PROBLEM, **components},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "spotbot keys create"}},
        },
    }
