"""Pictures in Slack: uploaded once to each workspace that sees them, and shown by their file's id."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog
from cachetools import LRUCache
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from bot.accounts import Asker
from bot.faces.slack.blocks import ALT, Picture, cut
from bot.faces.slack.retries import retry_after
from bot.faces.slack.web_api import UNREACHED, error_of
from bot.fair_queue import ANYBODY, Waiter
from bot.presentation.card import Chart

log = structlog.get_logger()

PATIENCE = 10.0
"""Seconds after which an answer goes out without its picture."""

KEPT = 1000
"""Uploaded pictures that are remembered."""

MOST = 2
"""Pictures of one answer."""

LOOKED_AT = 1.5
"""Seconds that Slack may need to look at a new picture before it can be shown."""

NOT_ALLOWED_PAUSE = 600
"""Seconds until a workspace that allows no uploads is asked again."""


class Draws(Protocol):
    """Who draws."""

    async def png(self, chart: Chart, *, language: str = "en", waiter: Waiter = ANYBODY) -> bytes | None:
        """The picture, or None where there is none."""


_Key = tuple[str, str, Chart]


class ChartUploads:
    """Draws and uploads; where anything is in the way there is no picture, and the answer goes on without."""

    def __init__(self, draws: Draws, client: AsyncWebClient, *, timer: Callable[[], float] = time.monotonic) -> None:
        self.patience = PATIENCE
        self._draws, self._client, self._timer = draws, client, timer
        self._files: LRUCache[_Key, str] = LRUCache(KEPT)
        self._under_way: dict[_Key, asyncio.Task[str | None]] = {}
        self._closed_until: dict[str, float] = {}

    async def of(
        self, charts: Sequence[Chart], *, team: str, language: str, token: str, person: str = ""
    ) -> tuple[Picture, ...]:
        """The pictures of an answer to a person; none at all unless all can be shown."""
        if not charts or self._timer() < self._closed_until.get(team, 0.0):
            return ()
        keys = [(team, language, chart) for chart in charts[:MOST]]
        fresh = [key not in self._files for key in keys]
        try:
            async with asyncio.timeout(self.patience):
                files = [await self._file(key, token, person) for key in keys]
        except TimeoutError:
            log.warning("slack_picture_lost", team=team, reason="it took too long")
            return ()
        pairs = zip(keys, files, fresh, strict=True)
        found = tuple(Picture(file, key[2].alt, new) for key, file, new in pairs if file)
        return found if len(found) == len(keys) else ()

    def forget(self, team: str) -> None:
        """Of a whole workspace."""
        for key in [key for key in self._files if key[0] == team]:
            del self._files[key]
        self._closed_until.pop(team, None)

    async def close(self) -> None:
        """Stop uploading."""
        for task in list(self._under_way.values()):
            task.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    async def _file(self, key: _Key, token: str, person: str) -> str | None:
        if key in self._files:
            return self._files[key]
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.create_task(self._make(key, token, person))
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        # whoever stops waiting must not take the picture from the others
        return await asyncio.shield(task)

    async def _make(self, key: _Key, token: str, person: str) -> str | None:
        team, language, chart = key
        try:
            png = await self._draws.png(chart, language=language, waiter=Asker("slack", team, person).waiter)
            if png is None:
                return None
            # without a channel: it is seen where a message shows it, which also works where the bot is no member
            done = await self._client.files_upload_v2(
                content=png,
                filename="chart.png",
                title=cut(chart.title, 100) or "chart",
                alt_txt=cut(chart.alt, ALT) or "chart",
                token=token,
            )
            file = str(done["files"][0]["id"])
        except (SlackClientError, *UNREACHED, KeyError, IndexError, TypeError) as error:
            self._refused(team, error)
            return None
        self._files[key] = file
        return file

    def _refused(self, team: str, error: Exception) -> None:
        """Leave a workspace alone for a while that allows no upload, or none now."""
        reason = type(error).__name__
        if isinstance(error, SlackApiError):
            reason = error_of(error)
            limited = error.response.status_code == 429
            pause = retry_after(error.response.headers) if limited else NOT_ALLOWED_PAUSE
            if limited or reason in ("missing_scope", "not_allowed_token_type", "file_uploads_disabled"):
                self._closed_until[team] = self._timer() + pause
        log.warning("slack_picture_lost", team=team, reason=reason)
