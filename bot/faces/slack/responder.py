"""What happens after the acknowledgement: who asks, what the answer is, and bringing it to them."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.accounts import Asker, permits
from bot.dispatch.dispatcher import Dispatcher
from bot.dispatch.forms import FilledForm
from bot.dispatch.reply import Reply, form, reply
from bot.faces.burst_gate import BurstGate
from bot.faces.slack.app_home import AppHome
from bot.faces.slack.blocks import RUN, SHARE, Picture, Sheet, asked_again, message, sheet
from bot.faces.slack.calls import Call
from bot.faces.slack.chart_uploads import LOOKED_AT, ChartUploads
from bot.faces.slack.form_views import Submission, answer_view, error_text, form_view, is_sealed
from bot.faces.slack.installations import NotInstalled
from bot.faces.slack.presence import Presence
from bot.faces.slack.retries import Sleep
from bot.faces.slack.web_api import NOBODY, UNREACHED, Members, Refusal, error_of, post
from bot.presentation.card import Card
from bot.presentation.error_cards import busy_card, fault_card
from bot.presentation.words import Words
from bot.store.engine import StoreError

log = structlog.get_logger()

Came = TypeVar("Came")

FORM_PATIENCE = 2.0
"""Seconds that a modal waits to hear what is wrong with it: Slack takes an answer within three."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What a modal that was sent back is told while it waits: what is wrong, or the view that takes its place."""

    wrong: str = ""
    view: dict[str, Any] | None = None


class Tasks:
    """Work that goes on after its acknowledgement, and is finished before the process ends."""

    def __init__(self, rush: BurstGate | None = None) -> None:
        self._running: set[asyncio.Task[None]] = set()
        self._rush = rush or BurstGate()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Go on with this beside everything else; with the first of a rush at once."""
        task = asyncio.create_task(self._after_rush(work) if self._rush.goes_on() else work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _after_rush(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await self._rush.over()
        except asyncio.CancelledError:
            work.close()
            raise
        await work

    async def finish(self, seconds: float) -> None:
        """Wait for what is under way, and stop what takes longer."""
        if not self._running:
            return
        _, late = await asyncio.wait(self._running, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)


@dataclass(slots=True)
class SlackResponder:
    """Answers commands, buttons and the opening of the App Home."""

    dispatcher: Dispatcher
    presence: Presence
    people: Members
    pictures: ChartUploads
    client: AsyncWebClient
    locale: str
    sleep: Sleep = asyncio.sleep
    _late: set[asyncio.Task[Any]] = field(default_factory=set)
    """sheets that are still being answered, and homes to be published after them"""
    app_home: AppHome = field(init=False)

    def __post_init__(self) -> None:
        self.app_home = AppHome(self.dispatcher, self.presence, self.client, self.locale, self._asker, sleep=self.sleep)

    async def command(self, call: Call, text: str) -> None:
        """Answer what was typed behind ``/spot``."""
        await self._guarded(call, lambda token: self._ask(call, token, text))

    async def again(self, call: Call, value: str, action: str) -> None:
        """Answer a button: its line asked anew, in place of the message, for everybody, or for who pressed it."""
        number, line = asked_again(value)
        if call.from_home:
            await self._at_home(call, line, action)
        elif action.startswith(SHARE):
            await self._guarded(call, lambda token: self._share(call, token, line, number))
        else:
            here = not action.startswith(RUN)
            await self._guarded(call, lambda token: self._ask(call, token, line, number, replace=here))

    async def open_form(self, call: Call, value: str, trigger: str) -> None:
        """Show the sheet of a button's line; Slack takes it for three seconds after the click."""
        await self._guarded(call, lambda token: self._open_form(call, token, asked_again(value)[1], trigger))

    async def _at_home(self, call: Call, line: str, action: str) -> None:
        if action.startswith(RUN):
            await self._guarded(call, lambda token: self.app_home.run(call, token, line))
        else:
            await self.home(call)

    async def form_sent(self, call: Call, sent: Submission) -> Sent:
        """Do what a sheet says. Gives what is known of it while the modal waits.

        What it carries was sealed when it was opened: an answer goes nowhere else.
        """
        words = Words(self.locale, self.dispatcher.clock())
        try:
            token = await self.presence.asked_of(call.team)
        except (NotInstalled, StoreError) as error:
            log.warning("slack_form_not_answered", team=call.team, reason=type(error).__name__)
            return Sent(_shown(_not_installed(words) if isinstance(error, NotInstalled) else busy_card(words)))
        if not is_sealed(sent, token):
            log.warning("slack_form_changed", team=call.team)
            return Sent(error_text(words("This form is no longer good. Close it, and open it again with its button.")))
        answering = self._go_on(self._answer_form(call, sent.filled))
        done, _ = await asyncio.wait([answering], timeout=FORM_PATIENCE)
        if call.from_home:
            self._go_on(self._home_after(call, answering, late=not done))
        found = answering.result() if done else None
        if found is None:
            return Sent()
        if not found.ok:
            return Sent(_shown(found.card))
        return Sent(view=answer_view(found.card, found.words) if call.from_home else None)

    def _go_on(self, work: Coroutine[Any, Any, Came]) -> asyncio.Task[Came]:
        """Do it to the end, whoever waits for it."""
        task = asyncio.create_task(work)
        self._late.add(task)
        task.add_done_callback(self._late.discard)
        return task

    async def _home_after(self, call: Call, answering: asyncio.Task[Reply | None], *, late: bool) -> None:
        """Publish the home after a form, with its answer where the modal did not wait for it."""
        found = await answering
        await self.app_home.show(call, found.card if late and found is not None else None)

    async def home(self, call: Call) -> None:
        """Show the App Home to whoever opened it."""
        await self.app_home.show(call)

    def left(self, team: str) -> None:
        """A workspace removed the app: nothing that is remembered of it holds for those who install it again."""
        self.people.forget(team)
        self.pictures.forget(team)

    async def _guarded(self, call: Call, work: Callable[[str], Awaitable[None]]) -> None:
        """Do it; whatever happens, whoever waits hears a sentence."""
        words = Words(self.locale, self.dispatcher.clock())
        try:
            await work(await self.presence.asked_of(call.team))
        except NotInstalled:
            log.warning("slack_not_installed", team=call.team)
            await self._tell(call, _not_installed(words), words)
        except StoreError as error:
            log.warning("store refused", error=str(error))
            await self._tell(call, busy_card(words), words)
        except Exception:  # the edge of the face: a person must hear something, and the log must hold it all
            identity = secrets.token_hex(4)
            log.exception("slack_answer_failed", id=identity, team=call.team)
            await self._tell(call, fault_card(identity, words), words)

    async def _asker(self, call: Call, token: str) -> Asker:
        who = await self.people.who(call.team, call.person, token) if call.person else NOBODY
        may_call = None if permits(who.role, "manager") else ()  # Slack does not tell more
        asker = Asker("slack", call.team, call.person, call.channel, who.role, who.locale, who.tz)
        return replace(asker, mentionable=may_call)

    async def _ask(self, call: Call, token: str, line: str, number: int = 0, *, replace: bool = False) -> None:
        asker = await self._asker(call, token)
        found = await reply(self.dispatcher, asker, line, default=self.locale)
        # an answer that failed does not take the place of one that did not
        how = {"response_type": "ephemeral", "replace_original": replace and found.ok}
        await self._send(call, token, sheet(found.card, found.words, line=found.line, number=number), how)

    async def _open_form(self, call: Call, token: str, line: str, trigger: str) -> None:
        asker = await self._asker(call, token)
        opened = await form(self.dispatcher, asker, line, default=self.locale)
        if isinstance(opened, Reply):
            await self._tell(call, opened.card, opened.words)
            return
        sheet_of, words = opened
        view = form_view(sheet_of, words, channel=call.channel, answer_to=call.answer_to, key=token)
        try:
            if view is None:
                raise ValueError("the form is too large")
            await self.client.views_open(trigger_id=trigger, view=view, token=token)
        except (SlackApiError, ValueError, *UNREACHED) as error:
            reason = error_of(error) if isinstance(error, SlackApiError) else f"{type(error).__name__}: {error}"
            log.warning("slack_form_not_opened", team=call.team, reason=reason)
            await self._tell(call, _not_opened(words, line), words)

    async def _answer_form(self, call: Call, filled: FilledForm) -> Reply | None:
        """What a sheet came to, brought to who has a message to answer; None where that was told already."""
        found: list[Reply] = []

        async def work(token: str) -> None:
            asker = await self._asker(call, token)
            found.append(await reply(self.dispatcher, asker, filled, default=self.locale))
            how = {"response_type": "ephemeral", "replace_original": False}
            if found[0].ok and not call.from_home:
                await self._send(call, token, sheet(found[0].card, found[0].words), how)

        await self._guarded(call, work)
        return found[0] if found else None

    async def _share(self, call: Call, token: str, line: str, number: int) -> None:
        asker = await self._asker(call, token)
        found = await reply(self.dispatcher, asker, line, default=self.locale, public=True)
        if not found.ok:
            await self._tell(call, found.card, found.words)
            return
        who = (await self.people.who(call.team, call.person, token)).name or call.name or call.person
        shared = sheet(found.card, found.words, line=found.line, number=number, by=who)
        wrong = await self._send(call, token, shared, {"response_type": "in_channel", "replace_original": False})
        if wrong is not None:
            await self._tell(call, _perhaps_shared(found) if wrong.unsure else _not_shared(found), found.words)

    async def _tell(self, call: Call, card: Card, words: Words) -> None:
        """Say something of which nothing can be made that might fail."""
        if call.from_home:
            await self.app_home.tell(call, card, words)
            return
        how = {"response_type": "ephemeral", "replace_original": False}
        await self._post(call, {**message(sheet(card, words), plainly=True), **how})

    async def _send(self, call: Call, token: str, found: Sheet, how: Mapping[str, Any]) -> Refusal | None:
        """Bring an answer, in simpler blocks where Slack refuses the better ones; gives what is wrong, or nothing."""
        if await self.presence.has_left(call.team):
            return GONE
        pictures: Sequence[Picture] = await self.pictures.of(
            found.card.charts, team=call.team, language=found.words.language, token=token, person=call.person
        )
        forms = [message(found, pictures=pictures), message(found, plainly=True)]
        if any(picture.fresh for picture in pictures):
            forms.insert(0, forms[0])
        wrong: Refusal | None = None
        for body in forms:
            if wrong is not None and body is forms[0]:
                await self.sleep(LOOKED_AT)
            if await self.presence.has_left(call.team):
                return GONE
            wrong = await self._post(call, {**body, **how})
            if wrong is None or not wrong.of_message:
                break
        return wrong

    async def _post(self, call: Call, body: Mapping[str, Any]) -> Refusal | None:
        wrong = await post(call.answer_to, body, sleep=self.sleep)
        if wrong is not None:
            log.warning("slack_answer_refused", team=call.team, reason=wrong.reason)
        return wrong


GONE = Refusal("the app was removed")


def _shown(card: Card) -> str:
    """A card where there is room for a sentence."""
    return error_text(" ".join((card.lead, *card.notes)))


def _not_installed(words: Words) -> Card:
    return Card(
        words("spotbot is not installed in this workspace"),
        words("Ask whoever manages your apps to install it again; then ask once more."),
    )


def _not_opened(words: Words, line: str) -> Card:
    return Card(
        words("The form could not be shown"),
        words("Press the button again, or type what should change: {example}", example=f"/spot {line} …"),
    )


def _perhaps_shared(found: Reply) -> Card:
    return Card(
        found.words("It is not known whether that was shared"),
        found.words(
            "Slack's answer was lost. Look into the channel; if it is not there, ask again and share that answer."
        ),
    )


def _not_shared(found: Reply) -> Card:
    return Card(
        found.words("That could not be shared"),
        found.words("Slack did not take the message. Please ask again and share that answer."),
    )
