"""Which workspaces have the app: what is heard of their leaving and coming back, and the removal of those that left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import structlog
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from bot.faces.slack.installations import NotInstalled, Workspaces
from bot.faces.slack.retries import Sleep
from bot.faces.slack.web_api import REFUSALS, UNREACHED, error_of
from bot.store.engine import Store, StoreError

log = structlog.get_logger()

FORGET_AGAIN = (5.0, 30.0, 120.0, 600.0)
"""Pauses between tries to remove a workspace from the store."""


@dataclass(slots=True)
class Presence:
    """Tokens of the workspaces that have the app. ``on_leave`` is told of each that removes it."""

    store: Store
    workspaces: Workspaces
    client: AsyncWebClient
    clock: Callable[[], int]
    sleep: Sleep = asyncio.sleep
    on_leave: Callable[[str], None] = field(default=lambda team: None)
    gone: dict[str, str | None] = field(default_factory=dict)
    """workspaces that removed the app, with the token they had: nothing is sent there until they have another"""
    _deciding: dict[str, asyncio.Event] = field(default_factory=dict)
    """workspaces of which we were told that they removed the app, until it is known whether that is old news"""

    def removed(self, team: str, at: int | None) -> Coroutine[Any, Any, None]:
        """The rest of hearing, from now on, that a workspace removed the app at a second, where that is told.

        Slack tells it again for minutes: it may be older than the installation that holds.
        """
        self._deciding[team] = decided = asyncio.Event()
        return self._removed(team, at, decided)

    async def _removed(self, team: str, at: int | None, decided: asyncio.Event) -> None:
        try:
            ended = await self._ended(team, at)
            if ended is None:
                log.info("slack_removal_is_old", team=team, at=at)
            else:
                self.leave(team)
        finally:
            decided.set()
            if self._deciding.get(team) is decided:
                del self._deciding[team]
        if ended is not None:
            await self.forget(team, ended)

    async def _ended(self, team: str, at: int | None) -> int | None:
        """Installations up to which second a removal has ended; None: none that is left."""
        try:
            since = await self.workspaces.since(team)
        except StoreError as error:  # it is looked at again before anything is removed
            log.warning("slack_installation_unread", team=team, reason=str(error))
            return self.clock() if at is None else at - 1
        if since is not None and (at is None or since < at):
            return since
        if await self._works(team):  # our clock and Slack's need not agree; the token tells
            return None
        return max(since or 0, at or self.clock())

    async def _works(self, team: str) -> bool:
        """Whether Slack takes our token of a workspace; also where nobody can say so now."""
        try:
            await self.client.auth_test(token=await self.token(team))
        except NotInstalled:
            return False
        except SlackApiError as error:
            return error_of(error) not in REFUSALS
        except (SlackClientError, StoreError, *UNREACHED):
            return True
        return True

    def leave(self, team: str) -> None:
        """Stop sending to a workspace at once."""
        self.gone[team] = None
        self.on_leave(team)

    async def forget(self, team: str, ended: int) -> None:
        """Remove what is stored of a workspace that left, unless it installed the app after the second ``ended``."""
        for pause in (*FORGET_AGAIN, 0.0):
            try:
                had = await self._had(team)
                async with self.store.writer(beside=True) as writer:
                    if team not in self.gone:  # it has installed the app again meanwhile
                        return
                    found = await writer.read.installation("slack", team)
                    if found is not None and found[1] > ended:  # another process saw it do so
                        del self.gone[team]
                        return
                    await writer.forget_team("slack", team)
                self.gone[team] = had
                log.info("slack_workspace_forgotten", team=team)
                return
            except StoreError as error:
                log.warning("slack_workspace_not_forgotten", team=team, reason=str(error), again_in=pause)
            await self.sleep(pause)

    def arrived(self, team: str) -> None:
        """A workspace installed the app."""
        self.gone.pop(team, None)

    async def token(self, team: str) -> str:
        """The bot token of a workspace, also of one that has come back; raises NotInstalled."""
        if not team:  # asked in an organisation, and in no workspace of it
            raise NotInstalled
        token = await self.workspaces.token(team)
        if self.gone.get(team) not in (None, token):  # another process saw it install the app again
            del self.gone[team]
        return token

    async def asked_of(self, team: str) -> str:
        """The token for somebody who asks now: Slack brings no question from where the app is not. Raises NotInstalled.

        A workspace that is taken to have left is so no more where its token works.
        """
        asks_after = team in self.gone or team in self._deciding
        token = await self.token(team)
        if asks_after and await self.has_left(team):
            if not await self._works(team):
                raise NotInstalled
            self.gone.pop(team, None)
        return token

    async def has_left(self, team: str) -> bool:
        """Whether it is taken to have removed the app."""
        if (deciding := self._deciding.get(team)) is not None:
            await deciding.wait()
        return team in self.gone

    async def _had(self, team: str) -> str:
        try:
            return await self.workspaces.token(team)
        except NotInstalled:
            return ""
