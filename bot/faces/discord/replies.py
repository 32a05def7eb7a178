"""Sending to Discord: in time, again where it failed and nothing can be doubled, and never a mention."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import discord
import structlog
from discord import ui

from bot.faces.discord.embeds import Message, message
from bot.faces.discord.outcomes import NO_PICTURE
from bot.faces.discord.sdk import NETWORK
from bot.presentation.card import Card
from bot.presentation.words import Words

log = structlog.get_logger()

Interaction = discord.Interaction[Any]

PATIENCE = 60.0
"""Seconds that sending may take, waiting for rate limits included."""

PAUSES = (0.5, 1.0, 2.0, 4.0)
"""Seconds before what the network lost is sent again."""

TOO_LARGE_STATUS = 413
"""What Discord's edge answers, without a code, to more than it lets through."""

NOBODY = discord.AllowedMentions.none()


_SECRET = re.compile(r"(/(?:webhooks|interactions)/\d+/)[^/\s]+")


async def acknowledge(interaction: Interaction) -> bool:
    """Tell Discord that an answer will come, only to who asked; False where nobody waits for it any more."""
    try:
        await interaction.response.defer(
            ephemeral=True, thinking=interaction.type is discord.InteractionType.application_command
        )
    except (*NETWORK, discord.DiscordException) as error:
        log.warning("not acknowledged", interaction=interaction.id, error=one_line(error))
        return False
    return True


async def edit(interaction: Interaction, shown: Message, view: ui.View | None) -> None:
    """Put an answer in the place of what is there, without its pictures where Discord refuses them."""

    async def send(shown: Message) -> None:
        await _persistently(
            lambda: interaction.edit_original_response(
                embeds=shown.embeds, attachments=shown.files(), view=view, allowed_mentions=NOBODY
            )
        )

    await _at_least_text(shown, send)


async def edit_buttons(interaction: Interaction, view: ui.View) -> None:
    """Change only the buttons."""
    await _persistently(lambda: interaction.edit_original_response(view=view, allowed_mentions=NOBODY))


async def post(interaction: Interaction, shown: Message, view: ui.View, content: str) -> None:
    """Send an answer for everybody. Only once: who does not know whether it arrived must not send it again."""

    async def send(shown: Message) -> None:
        await interaction.followup.send(
            content, embeds=shown.embeds, files=shown.files(), view=view, allowed_mentions=NOBODY, ephemeral=False
        )

    async with asyncio.timeout(PATIENCE):
        await _at_least_text(shown, send)


async def tell(interaction: Interaction, card: Card, words: Words) -> None:
    """Show a card to the person alone: as the answer, or below the message whose button was pressed."""
    shown = message(card, words)
    if interaction.type is discord.InteractionType.application_command:
        await edit(interaction, shown, None)
        return
    # twice costs a person less than nothing
    await _persistently(lambda: interaction.followup.send(embeds=shown.embeds, allowed_mentions=NOBODY, ephemeral=True))


def is_lost(error: BaseException) -> bool:
    """Whether nothing can be shown any more, so that there is nobody to tell: gone, forgotten, or no way through."""
    if isinstance(error, discord.HTTPException):
        return error.status in (401, 404, 429) or error.status >= 500
    return isinstance(error, (*NETWORK, discord.RateLimited))


def one_line(error: BaseException) -> str:
    """An error for the log, on one line; addresses of answers hold the right to answer."""
    text = _SECRET.sub(r"\1…", str(error))
    return f"{type(error).__name__}: {text}"


async def _at_least_text(shown: Message, send: Callable[[Message], Awaitable[None]]) -> None:
    """What was refused was not shown, so another form of it doubles nothing."""
    try:
        await send(shown)
    except discord.HTTPException as error:
        if shown.plain is None or not (error.code in NO_PICTURE or error.status == TOO_LARGE_STATUS):
            raise
        log.warning("sent without pictures", error=one_line(error))
        await send(shown.plain)


async def _persistently(send: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(PATIENCE):
        for pause in PAUSES:
            try:
                await send()
            except NETWORK as error:
                log.info("sending again", error=one_line(error))
                await asyncio.sleep(pause)
            else:
                return
        await send()
