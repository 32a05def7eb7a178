"""A sheet as a Discord modal: what it looks like, and what comes back.

It works after a restart: its name holds its line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import discord
from discord import ui

from bot.dispatch.forms import FilledForm, FormField, OpenForm
from bot.presentation.words import Words

SENT = "spot:sent:"
"""What the names of modals begin with; then come the version and the line."""

CUSTOM_ID, TITLE, LABEL, HINT, TEXT = 100, 45, 45, 100, 4000
"""Characters that Discord takes: of a name, a title, a label, a placeholder, a text."""

KEPT_SECONDS = 900.0
"""How long the SDK remembers a modal; ours is answered by its name, remembered or not."""


def form_modal(opened: OpenForm, words: Words) -> ui.Modal | None:
    """The modal of a sheet; None where its line is too long for a name."""
    name = f"{SENT}{opened.version}:{opened.line}"
    if len(name) > CUSTOM_ID:
        return None
    modal = ui.Modal(title=opened.command.name[:TITLE], timeout=KEPT_SECONDS, custom_id=name)
    for field in opened.fields:
        modal.add_item(_input(field, words))
    return modal


def read_modal(data: Mapping[str, Any]) -> FilledForm | None:
    """What came back, None where it is no modal of ours."""
    name = str(data.get("custom_id", ""))
    version, separator, line = name.removeprefix(SENT).partition(":")
    if not (name.startswith(SENT) and separator):
        return None
    return FilledForm(line, version, dict(_texts(data.get("components") or ())))


def _input(field: FormField, words: Words) -> ui.TextInput[Any]:
    return ui.TextInput(
        label=words(field.label)[:LABEL],
        placeholder=field.hint_in(words)[:HINT],
        custom_id=field.name,
        default=field.text[:TEXT] or None,
        required=field.required,
        max_length=TEXT,
    )


def _texts(components: Any) -> Iterator[tuple[str, str]]:
    for component in components:
        inside = component.get("components") or ([component["component"]] if component.get("component") else ())
        yield from _texts(inside)
        if component.get("type") == discord.ComponentType.text_input.value:
            yield str(component.get("custom_id", "")), str(component.get("value") or "")
