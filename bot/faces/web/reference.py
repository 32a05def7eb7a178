"""The API's reference as a page (``/docs``), drawn from its OpenAPI document: no script, nothing of another host.

It holds no answer and no secret, so like the document itself it needs no signing in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from bot.dispatch.command import Command
from bot.dispatch.grammar import ReadLine
from bot.faces.web.seen import HEADERS
from bot.faces.web.visitors import language_tag
from bot.presentation.words import Words, pick_language

if TYPE_CHECKING:
    from bot.faces.web.site import Site

PATH = "/docs"

Schema = Mapping[str, Any]
Addresses = Callable[[ReadLine, Sequence[str]], Sequence[str]]
"""The addresses of example lines; those that cannot be read today are left out."""


@dataclass(frozen=True, slots=True)
class Word:
    """A piece of a type in words; ``component``: the part of the document that it names."""

    text: str
    component: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """A parameter, or a member of a body or an answer."""

    name: str
    place: str
    kind: tuple[Word, ...]
    required: bool
    told: str
    more: str
    """its default and its limits, as the document writes them"""


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. ``verb``: the question's name, where there is a page of it."""

    anchor: str
    method: str
    path: str
    summary: str
    verb: str
    keyed: bool
    takes: tuple[Member, ...]
    answer: tuple[Word, ...]
    statuses: tuple[tuple[str, str], ...]
    lines: tuple[str, ...]
    """how it is asked in chat, where an address alone does not do it"""


@dataclass(frozen=True, slots=True)
class Component:
    """A part that answers are made of."""

    name: str
    told: str
    members: tuple[Member, ...]


def kind_of(schema: Schema) -> tuple[Word, ...]:
    """A schema as words: names of JSON's types, alternatives, and the components it refers to."""
    return tuple(_words(schema))


def _words(schema: Schema) -> Iterator[Word]:
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        yield Word(name, name)
    elif "anyOf" in schema:
        yield from _joined([kind_of(some) for some in schema["anyOf"]], " or ")
    elif "enum" in schema:
        yield from _joined([(Word(str(value)),) for value in schema["enum"]], " | ")
    elif "const" in schema:
        yield Word(str(schema["const"]))
    elif schema.get("type") == "array":
        yield Word("[")
        yield from _joined([kind_of(some) for some in schema.get("prefixItems", (schema.get("items", {}),))], ", ")
        yield Word("]" if "prefixItems" in schema else ", …]")
    elif isinstance(schema.get("additionalProperties"), Mapping):
        yield Word("{name: ")
        yield from _words(schema["additionalProperties"])
        yield Word(", …}")
    else:
        yield Word(str(schema.get("type", "any")))


def _joined(parts: Sequence[tuple[Word, ...]], between: str) -> Iterator[Word]:
    for n, part in enumerate(parts):
        if n:
            yield Word(between)
        yield from part


_LIMITS = ("default", "minimum", "maximum", "maxLength", "format")
"""What of a schema stands beside its type."""


def _more(schema: Schema) -> str:
    forms = [schema, *(form for form in schema.get("anyOf", ()) if form.get("type") != "null")]
    found = {name: form[name] for form in reversed(forms) for name in _LIMITS if form.get(name) is not None}
    return ", ".join(f"{name} {found[name]}" for name in _LIMITS if name in found)


def _member(name: str, schema: Schema, *, place: str, required: bool, told: str) -> Member:
    return Member(name, place, kind_of(schema), required, told, _more(schema))


def _properties(schema: Schema, place: str) -> tuple[Member, ...]:
    required = set(schema.get("required", ()))
    return tuple(
        _member(name, some, place=place, required=name in required, told=some.get("description", ""))
        for name, some in schema.get("properties", {}).items()
    )


def _body(described: Schema) -> Schema:
    schema: Schema = described.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    return schema


def _takes(described: Schema) -> tuple[Member, ...]:
    given = tuple(
        _member(one["name"], one["schema"], place=one["in"], required=one["required"], told=one.get("description", ""))
        for one in described.get("parameters", ())
    )
    return (*given, *_properties(_body(described), "body"))


def _answer(described: Schema) -> tuple[Word, ...]:
    content = described["responses"]["200"]["content"]
    return kind_of(next(iter(content.values()))["schema"])


def operations(document: Schema, commands: Mapping[tuple[str, str], Command]) -> Iterator[Operation]:
    """All methods of all paths, with the question behind each. ``commands``: by method, path."""
    for path, methods in document["paths"].items():
        for name, described in methods.items():
            method = name.upper()
            command = commands.get((method, path))
            yield Operation(
                anchor=described["operationId"],
                method=method,
                path=path,
                summary=described["summary"],
                verb="" if command is None or command.acts else command.name,
                keyed=bool(described["security"]),
                takes=_takes(described),
                answer=_answer(described),
                statuses=tuple((status, some["description"]) for status, some in described["responses"].items()),
                lines=command.examples if command is not None and command.acts else (),
            )


def components(document: Schema) -> tuple[Component, ...]:
    """The parts that answers are made of, by name."""
    return tuple(
        Component(name, schema.get("description", ""), _properties(schema, ""))
        for name, schema in sorted(document["components"]["schemas"].items())
    )


@dataclass(slots=True)
class Reference:
    """The page over one document. ``addresses`` makes addresses of a question's examples."""

    site: Site
    document: Schema
    addresses: Addresses

    async def page(self, request: Request) -> Response:
        """In the language of who reads it; with their menu where they signed in."""
        seen = await self.site.see(request)
        words = seen.words if seen else Words(pick_language(language_tag(request)), self.site.dispatcher.clock())
        commands = {(str(one.method), one.path): one for one in self.site.dispatcher.commands if one.path}
        read = await self.site.dispatcher.line_reader()
        shown = [
            (one, self.addresses(read, commands[one.method, one.path].examples) if one.verb else ())
            for one in operations(self.document, commands)
        ]
        text = self.site.shell(
            "reference.html",
            seen,
            words,
            title=words("API reference"),
            here=PATH,
            info=self.document["info"],
            operations=shown,
            components=components(self.document),
        )
        return Response(text, headers=HEADERS, media_type="text/html")


def add_reference(site: Site, document: Schema, addresses: Addresses) -> None:
    """Serve the page beside a site's own."""
    site.extra.append((PATH, ["GET"], site.guarded(Reference(site, document, addresses).page)))
