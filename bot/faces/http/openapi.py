"""The OpenAPI document, made from the declared commands: parameters by kind, answers by their dataclasses' types."""

from __future__ import annotations

import enum
import types
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from analytics.evidence import Note
from bot.dispatch.command import Ask, Command, Kind, Param
from bot.dispatch.params import MAX_TEXT
from bot.faces.http.problems import MEDIA_TYPE as PROBLEM

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string", "maxLength": MAX_TEXT}
_MEASURE: Schema = {"anyOf": [{"type": "number"}, _TEXT]}
KINDS: dict[Kind, Schema] = {
    "gpu": _TEXT,
    "gpus": _TEXT,
    "text": _TEXT,
    "choice": {"type": "string"},
    "int": {"type": "integer"},
    "number": {"type": "number"},
    "percent": {"type": "number"},
    "money": {"type": "number"},
    "hours": _MEASURE,
    "gigabytes": _MEASURE,
    "flag": {"type": "boolean"},
}
"""The schema of a parameter by kind; hours and gigabytes may carry a unit ("3d", "50GB")."""

SCALARS: dict[Any, Schema] = {
    str: {"type": "string"},
    Note: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    type(None): {"type": "null"},
}

ERRORS = {
    "400": "The question does not fit; `suggestions` says what would",
    "401": "No key, or not a valid one",
    "403": "Refused, or the key lacks the scope of this operation",
    "404": "Names a thing that is not here; `suggestions` names the nearest",
    "409": "Not enough history: `have`, `need` and, where it is known, `ready_at`",
    "429": "The key's quota is spent; see Retry-After",
    "500": "A fault of ours; `id` finds it in the log",
    "503": "The market or the store cannot be read right now",
}

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


class Schemas:
    """JSON schemas of answers. Each dataclass becomes one named component, met as often as it is used."""

    def __init__(self) -> None:
        self.components: dict[str, Schema] = {}
        self._names: dict[type, str] = {}

    def of(self, kind: Any) -> Schema:
        """The schema of a type as :func:`analytics.evidence.plain` writes its values; ``{}``: anything may come."""
        if kind in SCALARS:
            return SCALARS[kind]
        if isinstance(kind, type) and is_dataclass(kind):
            return {"$ref": f"#/components/schemas/{self._component(kind)}"}
        if isinstance(kind, type) and issubclass(kind, enum.Enum):
            return {"enum": [member.value for member in kind]}
        return self._generic(get_origin(kind), get_args(kind))

    def returned_by(self, ask: Ask) -> Schema:
        """The schema of what a function promises to return; ``{}`` where its annotations do not say."""
        try:
            return self.of(get_type_hints(ask).get("return", Any))
        except NameError:  # names imported for the type checker only
            return {}

    def _generic(self, origin: Any, args: tuple[Any, ...]) -> Schema:
        if origin is Literal:
            return {"enum": list(args)}
        if origin in (Union, types.UnionType):
            return {"anyOf": [self.of(kind) for kind in args]}
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return {"type": "object", "additionalProperties": self.of(args[1])}
        if isinstance(origin, type) and issubclass(origin, Sequence):
            return {"type": "array", "items": self.of(args[0])}
        return {}

    def _component(self, kind: type) -> str:
        if kind not in self._names:
            plain = kind.__name__
            taken = plain in self.components
            name = self._names[kind] = f"{kind.__module__.rpartition('.')[2]}_{plain}" if taken else plain
            self.components[name] = {}  # holds the name while the fields are visited: they may come back here
            self.components[name] = self._object(kind)
        return self._names[kind]

    def _object(self, kind: Any) -> Schema:
        hints = get_type_hints(kind)
        return {
            "type": "object",
            "description": (kind.__doc__ or "").partition("\n")[0],
            "required": [f.name for f in fields(kind) if not f.metadata.get("omit_none")],
            "properties": {f.name: self.of(hints[f.name]) for f in fields(kind)},
        }


def parameter(param: Param, path: str) -> Schema:
    """One parameter of an operation; those with a place in the path are always required."""
    in_path = f"{{{param.name}}}" in path
    schema = dict(KINDS[param.kind])
    limits = {"minimum": param.minimum, "maximum": param.maximum} if schema.get("type") in ("integer", "number") else {}
    schema |= {name: limit for name, limit in limits.items() if limit is not None}
    if param.choices:
        schema["enum"] = list(param.choices)
    if param.default not in (None, ()):
        schema["default"] = list(param.default) if isinstance(param.default, tuple) else param.default
    if param.suggest:
        schema["examples"] = list(param.suggest)
    return {
        "name": param.name,
        "in": "path" if in_path else "query",
        "required": in_path or param.required,
        "description": param.help,
        "schema": schema,
    }


def _given(command: Command) -> Schema:
    """Where parameters go: those that are not in the path into the query, or the body of what has one."""
    described = [parameter(param, command.path or "") for param in command.params]
    if command.method not in ("POST", "PATCH"):
        return {"parameters": described}
    members = [param for param in described if param["in"] == "query"]
    schema = {
        "type": "object",
        "properties": {param["name"]: {**param["schema"], "description": param["description"]} for param in members},
        "required": [param["name"] for param in members if param["required"]],
    }
    body = {"content": {"application/json": {"schema": schema}}}
    return {"parameters": [param for param in described if param["in"] == "path"], "requestBody": body}


def operation(command: Command, schemas: Schemas, *, require_key: bool) -> Schema:
    """One command as an operation of its path."""
    answer = schemas.returned_by(command.ask)
    answered = {
        "description": "The answer, with its evidence",
        "headers": {"ETag": {"schema": {"type": "string"}}},
        "content": {"application/json": {"schema": answer}},
    }
    unchanged = {} if command.acts else {"304": {"description": "Unchanged since the ETag sent"}}
    problem = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    refused = {status: {"description": text, "content": problem} for status, text in ERRORS.items()}
    return {
        "operationId": command.name.replace(" ", "_"),
        "summary": command.summary,
        **_given(command),
        "responses": {"200": answered, **unchanged, **refused},
        "security": [{"key": []}] if require_key else [],
    }


def _open(name: str, summary: str, media: str, schema: Schema, *also: str) -> Schema:
    content = {media: {"schema": schema}}
    responses = {status: {"description": summary, "content": content} for status in ("200", *also)}
    return {"get": {"operationId": name, "summary": summary, "responses": responses, "security": []}}


def document(commands: Sequence[Command], version: str, *, require_key: bool) -> Schema:
    """The whole document: a path a command, the two open ones for machines, and the components."""
    schemas = Schemas()
    paths: dict[str, Schema] = defaultdict(dict)
    for command in commands:
        if command.path:
            paths[command.path][command.method.lower()] = operation(command, schemas, require_key=require_key)
    text = {"type": "string"}
    paths["/health"] = _open("health", "Whether polling is fresh", "application/json", {"type": "object"}, "503")
    paths["/metrics"] = _open("metrics", "Figures for Prometheus", "text/plain", text)
    return {
        "openapi": "3.1.0",
        "info": {"title": "spotbot", "version": version, "summary": "Questions to the GPU spot market"},
        "paths": paths,
        "components": {
            "schemas": {"Problem": _PROBLEM, **schemas.components},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "spotbot keys create"}},
        },
    }
