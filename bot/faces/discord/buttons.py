"""Buttons under an answer. They know nothing but their name, so they work after a restart."""

from __future__ import annotations

import re
from typing import Any

import discord
from discord import ui

from bot.presentation.words import Words

Interaction = discord.Interaction[Any]
Button = ui.Button[Any]

SHARE, REFRESH = "spot:share", "spot:refresh"


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


ALL = (Share, Refresh, Page)


def buttons(words: Words, *, number: int, count: int, public: bool) -> ui.View:
    """The buttons of a page. A public answer cannot be shared."""
    view = ui.View(timeout=None)
    if not public:
        view.add_item(Share(_button(SHARE, words("Share to channel"))))
    view.add_item(Refresh(_button(REFRESH, words("Refresh"))))
    if number > 0:
        view.add_item(Page(_button(f"spot:page:{number - 1}", words("Previous"))))
    if number + 1 < count:
        view.add_item(Page(_button(f"spot:page:{number + 1}", words("Next"))))
    return view


def _button(custom_id: str, label: str = "…") -> Button:
    return ui.Button(label=label, custom_id=custom_id, style=discord.ButtonStyle.secondary)
