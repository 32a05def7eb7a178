"""Buttons under an answer. They know nothing but their name, so they work after a restart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import discord
from discord import ui

from bot.presentation.card import Action, Style

Interaction = discord.Interaction[Any]
Button = ui.Button[Any]

SHARE, REFRESH, RUN, FORM = "spot:share", "spot:refresh", "spot:run:", "spot:form:"

CUSTOM_ID, LABEL, MOST_BUTTONS = 100, 80, 25
"""What Discord takes: characters of a button's name and label, buttons of a message."""

_STYLES: dict[Style, discord.ButtonStyle] = {
    "plain": discord.ButtonStyle.secondary,
    "primary": discord.ButtonStyle.primary,
    "danger": discord.ButtonStyle.danger,
}


class Share(ui.DynamicItem[Button], template=SHARE):
    """Posts the answer for everybody."""

    @classmethod
    async def from_custom_id(cls, interaction: Interaction, item: ui.Item[Any], match: re.Match[str], /) -> Share:
        """The button that was pressed."""
        return cls(_button(SHARE))

    async def callback(self, interaction: Interaction) -> None:
        """Somebody pressed it."""
        await interaction.client.answers.share(interaction)


class Refresh(ui.DynamicItem[Button], template=REFRESH):
    """Asks again."""

    @classmethod
    async def from_custom_id(cls, interaction: Interaction, item: ui.Item[Any], match: re.Match[str], /) -> Refresh:
        """The button that was pressed."""
        return cls(_button(REFRESH))

    async def callback(self, interaction: Interaction) -> None:
        """Somebody pressed it."""
        await interaction.client.answers.again(interaction, 0)


class Page(ui.DynamicItem[Button], template=r"spot:page:(?P<number>\d{1,4})"):
    """Shows another page."""

    @classmethod
    async def from_custom_id(cls, interaction: Interaction, item: ui.Item[Any], match: re.Match[str], /) -> Page:
        """The button that was pressed."""
        return cls(_button(match.string))

    async def callback(self, interaction: Interaction) -> None:
        """Somebody pressed it."""
        await interaction.client.answers.again(interaction, int(self.custom_id.rpartition(":")[2]))


class Run(ui.DynamicItem[Button], template=r"spot:run:(?P<line>.+)"):
    """Runs the command line that is its name."""

    @classmethod
    async def from_custom_id(cls, interaction: Interaction, item: ui.Item[Any], match: re.Match[str], /) -> Run:
        """The button that was pressed."""
        return cls(_button(match.string))

    async def callback(self, interaction: Interaction) -> None:
        """Somebody pressed it."""
        await interaction.client.answers.run(interaction, self.custom_id.removeprefix(RUN))


class OpenForm(ui.DynamicItem[Button], template=r"spot:form:(?P<line>.+)"):
    """Shows the form of the command line that is its name."""

    @classmethod
    async def from_custom_id(cls, interaction: Interaction, item: ui.Item[Any], match: re.Match[str], /) -> OpenForm:
        """The button that was pressed."""
        return cls(_button(match.string))

    async def callback(self, interaction: Interaction) -> None:
        """Somebody pressed it."""
        await interaction.client.answers.open_form(interaction, self.custom_id.removeprefix(FORM))


ALL = (Share, Refresh, Page, Run, OpenForm)


def buttons(actions: Sequence[Action], *, number: int = 0) -> ui.View | None:
    """The buttons of a page of an answer; None where there is none. A line too long for a name has no button.

    Discord takes each name once: a second button that would refresh asks its own line, for who presses it.
    """
    view = ui.View(timeout=None)
    taken: set[str] = set()
    for action in actions:
        item = _item(action, number)
        if item.custom_id in taken:
            item = _item(replace(action, place="asker"), number)
        if item.custom_id not in taken and len(item.custom_id) <= CUSTOM_ID and len(view.children) < MOST_BUTTONS:
            view.add_item(item)
            taken.add(item.custom_id)
    return view if view.children else None


def _item(action: Action, here: int) -> Share | Refresh | Page | Run | OpenForm:
    style = _STYLES[action.style]
    if action.place == "everybody":
        return Share(_button(SHARE, action.label, style))
    if action.place == "form":
        return OpenForm(_button(f"{FORM}{action.line}"[: CUSTOM_ID + 1], action.label, style))
    if action.place == "asker":
        return Run(_button(f"{RUN}{action.line}"[: CUSTOM_ID + 1], action.label, style))
    if action.page == here:
        return Refresh(_button(REFRESH, action.label, style))
    return Page(_button(f"spot:page:{action.page}", action.label, style))


def _button(custom_id: str, label: str = "…", style: discord.ButtonStyle = discord.ButtonStyle.secondary) -> Button:
    return ui.Button(label=label[:LABEL], custom_id=custom_id, style=style)
