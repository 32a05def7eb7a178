"""From an interaction to what is shown: acknowledge, ask, answer; and whatever goes wrong on the way."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol, cast

import discord
import structlog
from discord import app_commands, ui

from bot.dispatch.command import Command
from bot.dispatch.deduplicator import Deduplicator
from bot.dispatch.dispatcher import Dispatcher, Question
from bot.dispatch.forms import FilledForm
from bot.dispatch.reply import Reply, actions, form, reply
from bot.faces.burst_gate import BurstGate
from bot.faces.discord.buttons import SHARE, buttons
from bot.faces.discord.embeds import Message, Picture, can_ask_again, escape, line_of, message
from bot.faces.discord.form_modals import form_modal
from bot.faces.discord.members import PLATFORM, asker_of, may_post, serves_guild
from bot.faces.discord.replies import acknowledge, edit, edit_buttons, is_lost, one_line, post, tell
from bot.faces.discord.sdk import NETWORK
from bot.fair_queue import Waiter
from bot.presentation.card import Card, Chart
from bot.presentation.error_cards import fault_card
from bot.presentation.text import page, pages
from bot.presentation.words import Words, pick_language
from bot.store.errors import StoreError

log = structlog.get_logger()

Interaction = discord.Interaction[Any]
Work = Callable[[], Awaitable[None]]

KEPT_SECONDS = 3600
"""How long an interaction is remembered; Discord forgets it after 15 minutes."""

PICTURES = 4
"""Pictures of an answer at most."""

PICTURE_PATIENCE = 8.0
"""Seconds after which an answer goes out without its picture."""

FORGET_PAUSES = (1.0, 10.0, 60.0)
"""Seconds before a busy store is asked again to forget a server."""


class ChartRenderer(Protocol):
    """Draws charts."""

    async def png(self, chart: Chart, *, language: str, waiter: Waiter) -> bytes | None:
        """The picture, or None where there is none."""


class DiscordResponder:
    """Answers interactions. What is under way is known, so that it can be waited for."""

    def __init__(self, dispatcher: Dispatcher, pictures: ChartRenderer, locale: str) -> None:
        self._dispatcher, self._pictures, self._locale = dispatcher, pictures, locale
        self._once, self._shared = Deduplicator(KEPT_SECONDS), Deduplicator(KEPT_SECONDS)
        self._under_way: set[asyncio.Task[Any]] = set()
        self._left: set[int] = set()
        self._rush = BurstGate()

    async def asked(self, interaction: Interaction, command: Command, given: Mapping[str, str]) -> None:
        """Answer a command."""

        async def work() -> None:
            await self._show(interaction, await self._reply(interaction, (command, given)))

        await self._handle(interaction, work)

    async def again(self, interaction: Interaction, number: int) -> None:
        """Ask again what the message says, and show that page of it in place."""

        async def work() -> None:
            line, public = line_of(interaction.message), not _is_private(interaction)
            if not line:
                return
            answer = await self._reply(interaction, line, public=public)
            if answer.ok:
                await self._show(interaction, answer, number, public=public)
            else:  # what is there stays: it may be everybody's
                await tell(interaction, answer.card, answer.words)

        await self._handle(interaction, work)

    async def run(self, interaction: Interaction, line: str) -> None:
        """Run the command line of a button, and tell who pressed it what came of it."""

        async def work() -> None:
            answer = await self._reply(interaction, line)
            await tell(interaction, answer.card, answer.words)

        await self._handle(interaction, work)

    async def open_form(self, interaction: Interaction, line: str) -> None:
        """Show the form of a command line: the modal itself is the acknowledgement."""
        with self._tracked():
            self._evidently_there(interaction)
            if not self._once.first(str(interaction.id)):
                return
            try:
                await self._open_form(interaction, line)
            except Exception as error:  # the edge of a face: a person must hear something, and the log must hold it
                await self.failed(interaction, error)

    async def _open_form(self, interaction: Interaction, line: str) -> None:
        opened = await form(self._dispatcher, asker_of(interaction), line, default=self._locale)
        modal = None if isinstance(opened, Reply) else form_modal(*opened)
        if modal is not None:
            await interaction.response.send_modal(modal)
        elif await acknowledge(interaction):
            words = self._words(interaction)
            card = opened.card if isinstance(opened, Reply) else _not_opened(words)
            await tell(interaction, card, words)

    async def form_sent(self, interaction: Interaction, filled: FilledForm) -> None:
        """Do what a form says, and tell who filled it in what came of it."""

        async def work() -> None:
            answer = await self._reply(interaction, filled)
            await tell(interaction, answer.card, answer.words)

        await self._handle(interaction, work)

    async def share(self, interaction: Interaction) -> None:
        """Post the answer to the same question for everybody, once."""

        async def work() -> None:
            line, key = line_of(interaction.message), _content(interaction.message)
            if not may_post(interaction):
                await self._not_shared(interaction, "You may not write in this channel.")
            elif line and self._shared.first(key):
                try:
                    await self._post(interaction, line)
                except BaseException:
                    self._shared.forget(key)
                    raise

        await self._handle(interaction, work)

    async def failed(self, interaction: Interaction, error: BaseException) -> None:
        """Log what went wrong, and tell the person where that can still be done."""
        identity, outdated = secrets.token_hex(4), isinstance(error, _OUTDATED)
        if is_lost(error) or outdated:
            log.warning("not answered", id=identity, interaction=interaction.id, error=one_line(error))
        else:
            log.error("answer failed", id=identity, interaction=interaction.id, exc_info=error)
        if is_lost(error) or interaction.type is discord.InteractionType.autocomplete:
            return
        words = self._words(interaction)
        card = _outdated_card(words) if outdated else fault_card(identity, words)
        try:
            if interaction.response.is_done() or await acknowledge(interaction):
                await tell(interaction, card, words)
        except (*NETWORK, discord.DiscordException) as second:
            log.warning("not told", id=identity, interaction=interaction.id, error=one_line(second))

    async def forget(self, guild_id: int, is_member: Callable[[], Awaitable[bool]]) -> None:
        """A server removed the app: send nothing there any more, and remove what is known of it.

        Unless Discord says that it has the app (``is_member``): the news is of before it was added again.
        """
        self._left.add(guild_id)
        with self._tracked():
            for pause in (*FORGET_PAUSES, None):
                try:
                    if await is_member():
                        self.joined(guild_id)
                    async with self._dispatcher.store.writer(beside=True) as writer:
                        if guild_id not in self._left:
                            log.info("a server has the app", guild=guild_id)
                            return
                        await writer.forget_team(PLATFORM, str(guild_id))
                    log.info("forgot a server", guild=guild_id)
                    return
                except (StoreError, *NETWORK, discord.DiscordException) as error:
                    log.warning("server not forgotten", guild=guild_id, error=one_line(error), again_in=pause)
                if pause is not None:
                    await asyncio.sleep(pause)

    def joined(self, guild_id: int) -> None:
        """A server has the app (again)."""
        self._left.discard(guild_id)

    def has_left(self, team: str) -> bool:
        """Whether a server removed the app."""
        return team.isdigit() and int(team) in self._left

    async def drain(self, seconds: float) -> None:
        """Wait for the answers under way, but not longer than that."""
        if self._under_way:
            await asyncio.wait(set(self._under_way), timeout=seconds)

    async def _handle(self, interaction: Interaction, work: Work) -> None:
        """Acknowledge, then do the work; once, although a dropped connection may deliver an interaction twice."""
        with self._tracked():
            self._evidently_there(interaction)
            if not self._once.first(str(interaction.id)) or not await self._acknowledged(interaction):
                return
            try:
                await work()
            except Exception as error:  # the edge of a face: a person must hear something, and the log must hold it
                await self.failed(interaction, error)

    def _evidently_there(self, interaction: Interaction) -> None:
        """Whoever asks through a server's app has it there, whatever was heard before."""
        if interaction.guild_id is not None and serves_guild(interaction):
            self.joined(interaction.guild_id)

    async def _acknowledged(self, interaction: Interaction) -> bool:
        """Acknowledge, and let others do so: an answer that is computed keeps them waiting."""
        in_rush = self._rush.goes_on()
        with self._rush.acknowledging():
            if not await acknowledge(interaction):
                return False
        if in_rush:
            await self._rush.over()
        return True

    async def _reply(self, interaction: Interaction, question: Question, *, public: bool = False) -> Reply:
        default, public = self._locale, public and serves_guild(interaction)
        if public and interaction.guild_locale is not None:
            default = pick_language(interaction.guild_locale.value, default)
        return await reply(self._dispatcher, asker_of(interaction), question, default=default, public=public)

    async def _show(self, interaction: Interaction, answer: Reply, number: int = 0, *, public: bool = False) -> None:
        shown, view = await self._page(interaction, answer, number, public=public)
        await edit(interaction, shown, view)

    async def _post(self, interaction: Interaction, line: str) -> None:
        answer = await self._reply(interaction, line, public=True)
        if not answer.ok:
            await tell(interaction, answer.card, answer.words)
            self._shared.forget(_content(interaction.message))
            return
        shown, view = await self._page(interaction, answer, 0, public=True)
        who = answer.words("shared by {who}", who=interaction.user.display_name)
        if view is None:
            return
        try:
            await post(interaction, shown, view, f"-# {escape(who)}")
        except discord.Forbidden as error:
            log.warning("not shared", interaction=interaction.id, error=one_line(error))
            self._shared.forget(_content(interaction.message))
            await self._not_shared(interaction, "spotbot may not write in this channel.")
        except (*NETWORK, discord.DiscordServerError) as error:  # it may be there: not again, and not in silence
            log.warning("perhaps not shared", interaction=interaction.id, error=one_line(error))
            self._shared.forget(_content(interaction.message))
            await tell(interaction, _perhaps_shared(answer.words), answer.words)
        else:
            await edit_buttons(interaction, _without_share(interaction.message))

    async def _page(
        self, interaction: Interaction, answer: Reply, number: int, *, public: bool
    ) -> tuple[Message, ui.View | None]:
        count = pages(answer.card)
        number = min(number, count - 1)
        shown = page(answer.card, number)
        may_attach, waiter = interaction.app_permissions.attach_files, asker_of(interaction).waiter
        pictures = await self.draw(shown, answer.words.language, waiter) if may_attach else []
        built = message(shown, answer.words, line=answer.line, number=number, count=count, pictures=pictures)
        line = answer.line if can_ask_again(answer.line) else ""
        common = actions(answer.words, line, number=number, count=count, shared=public)
        return built, buttons((*common, *shown.actions), number=number)

    async def draw(self, card: Card, language: str, waiter: Waiter) -> list[Picture]:
        """The pictures of a card that can be drawn in time."""

        async def one(chart: Chart) -> Picture | None:
            try:
                drawing = self._pictures.png(chart, language=language, waiter=waiter)
                png = await asyncio.wait_for(drawing, PICTURE_PATIENCE)
            except TimeoutError:
                return None
            return Picture(png, chart.alt) if png else None

        drawn = await asyncio.gather(*(one(chart) for chart in card.charts[:PICTURES]))
        return [picture for picture in drawn if picture is not None]

    async def _not_shared(self, interaction: Interaction, why: str) -> None:
        words = self._words(interaction)
        await tell(interaction, Card(words("Not shared"), words(why)), words)

    def _words(self, interaction: Interaction) -> Words:
        return Words(pick_language(interaction.locale.value, self._locale), self._dispatcher.clock())

    @contextmanager
    def _tracked(self) -> Iterator[None]:
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._under_way.add(task)
        try:
            yield
        finally:
            self._under_way.discard(task)


_OUTDATED = (app_commands.CommandNotFound, app_commands.CommandSignatureMismatch)
"""Somebody's Discord still shows commands of an earlier release."""


def _outdated_card(words: Words) -> Card:
    return Card(
        words("This command has changed"),
        words("Discord still shows you an older one. Reload Discord and ask again."),
    )


def _perhaps_shared(words: Words) -> Card:
    return Card(
        words("It is not known whether that was shared"),
        words("Discord's answer was lost. Look into the channel; if it is not there, share it again."),
    )


def _not_opened(words: Words) -> Card:
    return Card(words("The form could not be shown"), words("Please type the command instead."))


def _is_private(interaction: Interaction) -> bool:
    return interaction.message is not None and interaction.message.flags.ephemeral


def _content(found: discord.Message | None) -> str:
    """Stands for a message and what it shows: refreshed, it is something else to share."""
    texts = [str(embed.to_dict()) for embed in found.embeds] if found else []
    return f"{found.id if found else ''}:{hashlib.sha256(''.join(texts).encode()).hexdigest()}"


def _without_share(found: discord.Message | None) -> ui.View:
    """A message's buttons as they are, but the one to share with."""
    view = ui.View.from_message(found, timeout=None) if found else ui.View(timeout=None)
    for item in view.children:
        if isinstance(item, ui.Button) and item.custom_id == SHARE:
            item.disabled = True
    view.stop()  # or the SDK would keep it, and call these buttons beside ours
    return view
