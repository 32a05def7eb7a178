"""Socket Mode: a connection to Slack that is always there.

Written here rather than taken from slack_sdk, whose client closes the old connection before it opens the new one (in
between, commands fail), tries a refused token for ever, and logs each failure with its traceback at a steady pace.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any

import aiohttp
import structlog
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from bot.faces.errors import AccessRefused
from bot.faces.slack.retries import Sleep
from bot.faces.slack.web_api import REFUSALS, UNREACHED, error_of, pause_after

log = structlog.get_logger()

HEARTBEAT = 10.0
"""Seconds between pings; a peer that is silent for half as long again is dead."""

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds between two tries to connect: doubled each time."""

STEADY = 30.0
"""Seconds after which a connection counts as one that held; the next follows it at once."""

Dispatch = Callable[[dict[str, Any]], Awaitable[BoltResponse]]


def pauses() -> Iterator[float]:
    """Growing pauses, for ever."""
    pause = FIRST_PAUSE
    while True:
        yield pause
        pause = min(2 * pause, LONGEST_PAUSE)


class SocketModeConnection:
    """Keeps one connection open and hands on what comes over it. ``connected`` is set while there is one."""

    def __init__(
        self,
        client: AsyncWebClient,
        dispatch: Dispatch,
        *,
        sleep: Sleep = asyncio.sleep,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self.connected = asyncio.Event()
        self._client, self._dispatch, self._sleep, self._timer = client, dispatch, sleep, timer
        self._readers: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until cancelled. Raises AccessRefused when Slack does not know the token."""
        rests = itertools.chain((0.0,), pauses())
        async with aiohttp.ClientSession() as session:
            try:
                while True:
                    begun = self._timer()
                    await self._hold(await self._connect(session))
                    if self._timer() - begun > STEADY:
                        rests = itertools.chain((0.0,), pauses())
                    await self._sleep(next(rests))
            finally:
                self.connected.clear()
                for reader in self._readers:
                    reader.cancel()
                await asyncio.gather(*self._readers, return_exceptions=True)

    async def _hold(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Until the connection ends, or Slack says that it soon will: then the next is opened beside it."""
        ending = asyncio.Event()
        reader = asyncio.create_task(self._read(socket, ending))
        self._readers.add(reader)
        reader.add_done_callback(self._readers.discard)
        reader.add_done_callback(lambda _: ending.set())
        await ending.wait()
        self.connected.clear()

    async def _connect(self, session: aiohttp.ClientSession) -> aiohttp.ClientWebSocketResponse:
        for pause in pauses():
            try:
                socket = await self._open(session)
            except SlackApiError as error:
                reason = error_of(error)
                if reason in REFUSALS:
                    raise AccessRefused(refused("SLACK_APP_TOKEN", reason)) from None
                pause = pause_after(error, pause)
            except (SlackClientError, *UNREACHED, TypeError, ValueError, KeyError) as error:
                reason = type(error).__name__  # its text may hold the address, which is a secret
            else:
                self.connected.set()
                log.info("slack_connected")
                return socket
            log.warning("slack_unreachable", reason=reason, pause=pause)
            await self._sleep(pause)
        raise AssertionError("the pauses never end")

    async def _open(self, session: aiohttp.ClientSession) -> aiohttp.ClientWebSocketResponse:
        """A connection on which Slack has said hello."""
        answer = await self._client.apps_connections_open(app_token=self._client.token or "")
        socket = await session.ws_connect(answer["url"], heartbeat=HEARTBEAT, proxy=self._client.proxy)
        try:
            hello = await socket.receive_json(timeout=HEARTBEAT)
            if hello["type"] != "hello":
                raise ValueError("no greeting")
        except BaseException:
            await socket.close()
            raise
        return socket

    async def _read(self, socket: aiohttp.ClientWebSocketResponse, ending: asyncio.Event) -> None:
        try:
            async for frame in socket:
                if frame.type is not aiohttp.WSMsgType.TEXT:
                    continue
                try:
                    await self._heard(socket, json.loads(frame.data), ending)
                except ConnectionError:  # Slack sends again what was not acknowledged
                    break
                except Exception:  # one bad envelope must not end the line
                    log.exception("slack_envelope_failed")
        finally:
            await socket.close()

    async def _heard(
        self, socket: aiohttp.ClientWebSocketResponse, envelope: dict[str, Any], ending: asyncio.Event
    ) -> None:
        if envelope.get("type") == "disconnect":
            log.info("slack_reconnecting", reason=str(envelope.get("reason")))
            ending.set()
            return
        identity, payload = envelope.get("envelope_id"), envelope.get("payload")
        if not isinstance(identity, str) or not isinstance(payload, dict):
            return
        if payload.get("type") == "view_submission":  # its answer may take a while, and others must not wait for it
            answering = asyncio.create_task(self._answer(socket, identity, payload))
            self._readers.add(answering)
            answering.add_done_callback(self._readers.discard)
        else:
            await self._answer(socket, identity, payload)

    async def _answer(self, socket: aiohttp.ClientWebSocketResponse, identity: str, payload: dict[str, Any]) -> None:
        response = await self._dispatch(payload)
        if response.status != 200:
            return
        said = {"payload": json.loads(response.body)} if response.body else {}
        with suppress(ConnectionError):  # what is not acknowledged is sent again
            await socket.send_json({"envelope_id": identity, **said})


def refused(variable: str, reason: str) -> str:
    """The sentence about a token that Slack does not accept."""
    kind, place = {
        "SLACK_APP_TOKEN": ("xapp-…, scope connections:write", "Basic Information › App-Level Tokens"),
        "SLACK_BOT_TOKEN": ("xoxb-…", "OAuth & Permissions"),
    }[variable]
    return f"Slack refuses {variable} ({reason}). Copy it anew ({kind}) from {place} of your app at api.slack.com/apps."
