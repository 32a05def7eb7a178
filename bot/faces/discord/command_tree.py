"""The commands as Discord's tree: one group ``/spot``, typed options, descriptions in both languages."""

from __future__ import annotations

import inspect
import math
import re
import textwrap
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import discord
from discord import app_commands

from analytics.quantities import write_decimal
from bot.dispatch.command import Command, Param
from bot.dispatch.kinds import KINDS, Primitive
from bot.dispatch.offers import takes_models
from bot.presentation.words import LOCALES, Words

Interaction = discord.Interaction[Any]
Asked = Callable[[Interaction, Command, Mapping[str, str]], Awaitable[None]]
"""What is done with a command that somebody calls, and the texts of its parameters."""
Suggest = Callable[[Interaction, Param, str], Awaitable[list[str]]]
"""What to offer for a parameter of which this much is typed."""

ROOT = "spot"
SUMMARY = "What GPUs cost on the spot market now and next, how safe they are, and what to rent"
DESCRIPTION, NAME, OFFERED = 100, 32, 25
"""Discord's limits: characters of a description and of a name; choices of an option."""
ALL_TEXTS = 8000
"""Discord's limit for a command with all below it: characters of names, descriptions and choices together; of a
description in several languages the longest counts."""
LEAST_ROOM = 20
"""Characters of a parameter's description that say too little if there are fewer (ours)."""
LARGEST = 2**53 - 1
"""Discord takes no larger number."""

_TYPES: Mapping[Primitive, discord.AppCommandOptionType] = {
    "text": discord.AppCommandOptionType.string,
    "integer": discord.AppCommandOptionType.integer,
    "number": discord.AppCommandOptionType.number,
    "boolean": discord.AppCommandOptionType.boolean,
}
_KEYS = (
    *("type", "name", "description", "description_localizations", "options", "required", "choices", "value"),
    *("autocomplete", "min_value", "max_value", "contexts", "integration_types", "default_member_permissions", "nsfw"),
)
"""What of a registered command can differ from ours."""
_ENTRY_POINT = 4
"""The type of a command that Discord made itself, for apps that are activities."""


class Option(app_commands.Transformer[Any]):
    """A parameter as Discord's option: its type and limits there, and the text that the answer is asked with."""

    def __init__(self, param: Param) -> None:
        self.param = param

    @property
    def type(self) -> discord.AppCommandOptionType:
        """What Discord lets people type."""
        return _TYPES[KINDS[self.param.kind].primitive]

    @property
    def min_value(self) -> float | None:
        """The least number."""
        return self._edge(self.param.minimum, math.ceil)

    @property
    def max_value(self) -> float | None:
        """The largest number."""
        return self._edge(self.param.maximum, math.floor)

    @property
    def choices(self) -> list[app_commands.Choice[str]] | None:  # type: ignore[override]
        """What to choose from, where there are few."""
        few = 0 < len(self.param.choices) <= OFFERED
        return [app_commands.Choice(name=value, value=value) for value in self.param.choices] if few else None

    async def transform(self, interaction: Interaction, value: Any, /) -> str:
        """The value as text."""
        return as_text(value)

    def _edge(self, value: float | None, whole: Callable[[float], int]) -> float | None:
        if value is None or self.type not in (_TYPES["integer"], _TYPES["number"]):
            return None
        within = max(-LARGEST, min(LARGEST, value))
        return whole(within) if self.type is _TYPES["integer"] else float(within)


class Completed(Option):
    """An option for which Discord asks what to offer while somebody types."""

    def __init__(self, param: Param, suggest: Suggest) -> None:
        super().__init__(param)
        self.suggest = suggest

    async def autocomplete(self, interaction: Interaction, value: Any, /) -> list[app_commands.Choice[str]]:  # type: ignore[override]
        """What to offer."""
        found = await self.suggest(interaction, self.param, str(value))
        texts = dict.fromkeys(text for text in found if text.strip() and len(text) <= DESCRIPTION)
        return [app_commands.Choice(name=text, value=text) for text in list(texts)[:OFFERED]]


def as_text(value: Any) -> str:
    """An option's value in digits that are read alike in every language: Discord has read the number already."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return write_decimal(value)
    return str(value)


class Portuguese(app_commands.Translator):
    """Descriptions in Brazilian Portuguese; names and choices are the same in every language."""

    async def translate(self, string: app_commands.locale_str, locale: discord.Locale, context: Any) -> str | None:
        """The text behind a description, or None where Discord shows the English one."""
        if locale is not discord.Locale.brazil_portuguese or "text" not in string.extras:
            return None
        return _short(Words(locale.value, 0)(string.extras["text"]), string.extras["room"])


def spot_group(commands: Sequence[Command], asked: Asked, suggest: Suggest) -> app_commands.Group:
    """``/spot`` with every command below it; names of two words make groups."""
    contexts = app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=True)
    installs = app_commands.AppInstallationType(guild=True, user=True)
    root = app_commands.Group(
        name=ROOT,
        description=_describe(SUMMARY),
        allowed_contexts=contexts,
        allowed_installs=installs,
        auto_locale_strings=False,
    )
    groups: dict[str, app_commands.Group] = {}
    room = room_of(commands)
    for command in commands:
        head, *rest = command.name.split()
        if rest and head not in groups:
            members = [other.name.split()[1] for other in commands if other.name.startswith(f"{head} ")]
            groups[head] = app_commands.Group(
                name=valid_name(head),
                description=_of_group(head, members),
                parent=root,
                auto_locale_strings=False,
            )
    for command in commands:
        head, *rest = command.name.split()
        # a verb that is also a group's cannot be called on Discord, so it becomes a member
        name = valid_name("-".join(rest) or head)
        groups.get(head, root).add_command(_leaf(name, command, room, asked, suggest))
    return root


def room_of(commands: Sequence[Command]) -> int:
    """Characters for the description of each parameter, so that Discord takes all of them; "help" tells them whole."""
    return next(
        (room for room in range(DESCRIPTION, LEAST_ROOM, -1) if size_of(commands, room) <= ALL_TEXTS), LEAST_ROOM
    )


def size_of(commands: Sequence[Command], room: int) -> int:
    """Characters of all the commands as Discord counts them."""
    heads: dict[str, list[str]] = {}
    for command in commands:
        head, *rest = command.name.split()
        heads.setdefault(head, []).extend(rest)
    groups = sum(len(head) + len(_of_group(head, members)) for head, members in heads.items() if members)
    return len(ROOT) + _longest(SUMMARY, DESCRIPTION) + groups + sum(_size(command, room) for command in commands)


def _size(command: Command, room: int) -> int:
    params = sum(
        len(param.name)
        + _longest(param.help or param.name, room)
        + (2 * sum(map(len, param.choices)) if len(param.choices) <= OFFERED else 0)
        for param in command.params
    )
    return len(command.name.split()[-1]) + _longest(command.summary, DESCRIPTION) + params


def _longest(text: str, room: int) -> int:
    return max(len(_short(Words(language, 0)(text), room)) for language in LOCALES)


def _of_group(head: str, members: Sequence[str]) -> str:
    return _short(f"{head}: {', '.join(members)}", DESCRIPTION)


def valid_name(text: str) -> str:
    """A name as Discord takes it: lower case, letters, digits, ``-`` and ``_``, at most 32."""
    return re.sub(r"[^\w-]+", "-", text.lower()).strip("-")[:NAME] or "x"


def _leaf(
    name: str, command: Command, room: int, asked: Asked, suggest: Suggest
) -> app_commands.Command[Any, ..., None]:
    params = {f"p{n}": param for n, param in enumerate(command.params)}

    async def run(interaction: Interaction, **texts: str | None) -> None:
        given = {params[key].name: text for key, text in texts.items() if text is not None}
        await asked(interaction, command, given)

    first = inspect.Parameter("interaction", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=discord.Interaction)
    options = [_parameter(key, param, suggest) for key, param in params.items()]
    run.__signature__ = inspect.Signature([first, *options])  # type: ignore[attr-defined]
    app_commands.rename(**{key: valid_name(param.name) for key, param in params.items()})(run)
    app_commands.describe(**{key: _describe(param.help or param.name, room) for key, param in params.items()})(run)
    return app_commands.Command(
        name=name, description=_describe(command.summary), callback=run, auto_locale_strings=False
    )


def _parameter(key: str, param: Param, suggest: Suggest) -> inspect.Parameter:
    option = Option(param)
    offers = takes_models(param) or param.offers or param.suggest or param.choices
    if option.type is discord.AppCommandOptionType.string and offers and not option.choices:
        option = Completed(param, suggest)
    default = inspect.Parameter.empty if param.required else None
    return inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, annotation=option, default=default)


def _describe(text: str, room: int = DESCRIPTION) -> app_commands.locale_str:
    return app_commands.locale_str(_short(text, room), text=text, room=room)


def _short(text: str, room: int) -> str:
    """A text within its room: without its last clauses, or else without its last words."""
    if len(text) <= room:
        return text or "…"
    for sign in ("; ", ", "):
        if (end := text.rfind(sign, LEAST_ROOM // 2, room + 1)) > 0:
            return text[:end]
    return textwrap.shorten(text, room, placeholder="…") or "…"


async def register(client: discord.Client, tree: app_commands.CommandTree[Any]) -> bool:
    """Tell Discord our commands where they differ from those it has; whether that was so."""
    translator = tree.translator
    ours = [await command.get_translated_payload(tree, translator) for command in tree.get_commands()]  # type: ignore[arg-type]
    path = discord.http.Route("GET", "/applications/{application_id}/commands", application_id=client.application_id)
    theirs = await client.http.request(path, params={"with_localizations": "true"})
    if comparable(ours) == comparable(theirs):
        return False
    await tree.sync()
    return True


def comparable(commands: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Commands as they can be compared: without ids, versions and what is left at its default."""
    kept = [_plain(command) for command in commands if command.get("type", 1) != _ENTRY_POINT]
    return sorted(kept, key=lambda command: str(command["name"]))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping) and "name" in value:
        plain = {key: _plain(value[key]) for key in _KEYS if key in value}
        return {
            key: some for key, some in plain.items() if some is not None and some is not False and some not in ([], {})
        }
    if isinstance(value, list):
        items = [_plain(item) for item in value]
        return sorted(items) if all(isinstance(item, int) for item in items) else items
    return value
