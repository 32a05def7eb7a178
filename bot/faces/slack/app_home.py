"""The App Home: the asker's home as a view. It has no response_url, so what its buttons answer is shown in a modal."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import structlog
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from bot.accounts import Asker
from bot.dispatch.dispatcher import Dispatcher
from bot.dispatch.reply import Reply, reply
from bot.faces.slack.blocks import home
from bot.faces.slack.calls import Call
from bot.faces.slack.form_views import answer_view
from bot.faces.slack.installations import NotInstalled
from bot.faces.slack.presence import Presence
from bot.faces.slack.retries import Sleep
from bot.faces.slack.web_api import AGAIN, UNREACHED, error_of
from bot.presentation.card import Card
from bot.presentation.words import Words, pick_language

log = structlog.get_logger()

LINE = "home"
"""What is asked for it."""

MODAL_PATIENCE = 1.5
"""Seconds after which a modal says that the answer is coming: Slack opens one for three seconds after the click."""


@dataclass(slots=True)
class AppHome:
    """Publishes the home, and shows beside it what its buttons and forms came to."""

    dispatcher: Dispatcher
    presence: Presence
    client: AsyncWebClient
    locale: str
    asker_of: Callable[[Call, str], Awaitable[Asker]]
    sleep: Sleep = asyncio.sleep

    async def show(self, call: Call, told: Card | None = None) -> None:
        """Publish it to who opened it or acted on it. ``told``: what no modal could tell, to stand on top."""
        try:
            token = await self.presence.asked_of(call.team)
            asker = await self.asker_of(call, token)
            found = await reply(self.dispatcher, asker, LINE, default=self.locale)
            view = home(found.words, self.dispatcher.commands, found.card, LINE, told=told)
            if not await self.presence.has_left(call.team):
                await self._publish(call, view, token)
        except NotInstalled:
            log.warning("slack_not_installed", team=call.team)
        except (SlackClientError, *UNREACHED) as error:
            log.warning("slack_home_lost", team=call.team, reason=_reason(error))
        except Exception:  # the edge of the face
            log.exception("slack_home_failed", team=call.team)

    async def run(self, call: Call, token: str, line: str) -> None:
        """Run the line of a button, show in a modal what came of it, and publish the home anew."""
        who: list[Asker] = []

        async def answer() -> Reply:
            who.append(await self.asker_of(call, token))
            return await reply(self.dispatcher, who[0], line, default=self.locale)

        answering = asyncio.create_task(answer())
        try:
            done, _ = await asyncio.wait([answering], timeout=MODAL_PATIENCE)
            waiting = "" if done else await self._open(call, token, self._soon(who))
            found = await answering
        finally:
            answering.cancel()
        shown = await self._tell(call, token, found, waiting)
        await self.show(call, None if shown else found.card)

    async def tell(self, call: Call, card: Card, words: Words) -> None:
        """Say what went wrong, and publish the home anew: it may show what is no more."""
        try:
            token = await self.presence.token(call.team)
        except NotInstalled:
            return
        shown = await self._open(call, token, answer_view(card, words))
        await self.show(call, None if shown else card)

    async def _tell(self, call: Call, token: str, found: Reply, waiting: str) -> bool:
        """Whether the answer could be shown: in the modal that waits for it, or in one of its own."""
        view = answer_view(found.card, found.words)
        if not waiting:
            return bool(await self._open(call, token, view))
        try:
            await self.client.views_update(view_id=waiting, view=view, token=token)
        except (SlackClientError, *UNREACHED) as error:  # it may have been closed
            log.warning("slack_modal_not_updated", team=call.team, reason=_reason(error))
            return False
        return True

    async def _open(self, call: Call, token: str, view: dict[str, Any]) -> str:
        """The id of the modal; empty where Slack did not open it."""
        try:
            opened = await self.client.views_open(trigger_id=call.trigger, view=view, token=token)
        except (SlackClientError, *UNREACHED) as error:
            log.warning("slack_modal_not_opened", team=call.team, reason=_reason(error))
            return ""
        return str((opened.get("view") or {}).get("id") or "")

    def _soon(self, who: list[Asker]) -> dict[str, Any]:
        language = pick_language(who[0].locale if who else None, self.locale)
        words = Words(language, self.dispatcher.clock())
        return answer_view(Card(words("One moment …"), words("The answer is on its way.")), words)

    async def _publish(self, call: Call, view: dict[str, Any], token: str) -> None:
        """Twice is once: what the network loses goes again."""
        for pause in (*AGAIN, None):
            try:
                await self.client.views_publish(user_id=call.person, view=view, token=token)
            except UNREACHED:
                if pause is None:
                    raise
                await self.sleep(pause)
            else:
                return


def _reason(error: Exception) -> str:
    return error_of(error) if isinstance(error, SlackApiError) else type(error).__name__
