"""A command on a sheet: what it shows when it is opened, and what is given when it is sent back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from analytics.errors import AskError
from analytics.evidence import Note
from bot.dispatch.command import Command, Form, QueryContext
from bot.presentation.words import Words


@dataclass(frozen=True, slots=True)
class FormField:
    """A field of a sheet; ``text`` is what holds now."""

    name: str
    label: str
    hint: str
    text: str
    required: bool
    choices: tuple[str, ...] = ()
    """the only texts that it takes; empty: any"""

    def hint_in(self, words: Words) -> str:
        """What is said below it, with the texts that it takes."""
        hint = words(self.hint)
        return f"{hint} ({' · '.join(self.choices)})" if self.choices else hint


@dataclass(frozen=True, slots=True)
class OpenForm:
    """A sheet to be filled in. ``version`` names what it shows: it is sent back with the texts."""

    command: Command
    line: str
    fields: tuple[FormField, ...]
    version: str


@dataclass(frozen=True, slots=True)
class FilledForm:
    """A sheet that was sent back: the line that opened it, what it showed, and the texts of its fields."""

    line: str
    version: str
    texts: Mapping[str, str]


async def open_form(command: Command, line: str, given: Mapping[str, str], query: QueryContext) -> OpenForm:
    """The sheet of a command; raises AskError where it has none."""
    form = _form_of(command)
    texts = await form.current(query, given)
    params = {param.name: param for param in command.params}
    fields = tuple(
        FormField(name, label, params[name].help, texts[name], name not in form.cleared, params[name].choices)
        for name, label in form.labels.items()
    )
    shown = json.dumps([(field.name, field.text) for field in fields])
    return OpenForm(command, line, fields, hashlib.sha256(shown.encode()).hexdigest()[:8])


async def changed(
    command: Command, filled: FilledForm, given: Mapping[str, str], query: QueryContext
) -> Mapping[str, str]:
    """What a sheet gives: the texts that differ from what holds now.

    Raises AskError where that is no longer what the sheet showed: nobody's change is taken back unseen.
    """
    opened, sheet = await open_form(command, filled.line, given, query), _form_of(command)
    if opened.version != filled.version and not sheet.is_new:
        raise AskError(Note("this was changed meanwhile; open the form again"))
    said = dict(given)
    for field in opened.fields:
        text = filled.texts.get(field.name, "").strip()
        if sheet.is_new or text != field.text:
            said[field.name] = text or sheet.cleared.get(field.name, "")
    return said


def _form_of(command: Command) -> Form:
    if command.form is None:
        raise AskError(Note("{command} has no form", {"command": command.name}))
    return command.form
