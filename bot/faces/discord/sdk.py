"""How the SDK is wired: which server it speaks to, what it logs, and how an interaction is acknowledged in time."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import aiohttp
import discord
import discord.gateway
import discord.http
import yarl
from discord.http import json_or_text
from discord.webhook.async_ import AsyncWebhookAdapter, async_context

from bot.config import DISCORD_API_URL

ACKNOWLEDGE_SECONDS = 2.5
"""Discord forgets an interaction that nobody acknowledged after 3 s; the way back takes some of them."""

FIRST_PAUSE = 0.2
"""Seconds before a failed acknowledgement is tried again; each further pause is twice as long."""

CALLBACK = "/interactions/{webhook_id}/{webhook_token}/callback"
UNKNOWN_INTERACTION, ALREADY_ACKNOWLEDGED = 10062, 40060
SUGGESTIONS = discord.InteractionResponseType.autocomplete_result.value

NETWORK = (OSError, aiohttp.ClientError, TimeoutError)
"""What the network does to a request."""


def point_sdk(api_url: str) -> None:
    """Make the SDK speak to another server than Discord's own."""
    if api_url == DISCORD_API_URL:
        return
    discord.http.Route.BASE = f"{api_url}/api/v10"
    discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(f"ws{api_url.removeprefix('http')}/gateway")


def quiet_sdk() -> None:
    """Keep voice, tracebacks of network trouble and (at DEBUG) interaction tokens out of the log."""
    discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
    logger = logging.getLogger("discord")
    logger.setLevel(max(logging.INFO, logger.getEffectiveLevel()))
    for name in ("discord.shard", "discord.client"):
        logging.getLogger(name).addFilter(_one_line)


def _one_line(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, (*NETWORK, discord.DiscordException)):
        record.msg, record.args, record.exc_info = f"{record.getMessage()} ({type(error).__name__}: {error})", (), None
    return True


def acknowledge_quickly() -> None:
    """Use :class:`QuickCallbacks` in this task and those it starts."""
    async_context.set(QuickCallbacks())  # type: ignore[no-untyped-call]


class QuickCallbacks(AsyncWebhookAdapter):
    """Tries a failed acknowledgement again while it is of use; the SDK would first wait a second, then three."""

    async def request(self, route: discord.http.Route, session: aiohttp.ClientSession, **options: Any) -> Any:
        """What Discord answers; raises as the SDK does."""
        if route.path != CALLBACK:
            return await super().request(route, session, **options)
        end, pause, tried = asyncio.get_running_loop().time() + ACKNOWLEDGE_SECONDS, FIRST_PAUSE, False
        while True:
            try:
                async with asyncio.timeout_at(end):
                    return await _callback(route, session, options, tried=tried)
            except (*NETWORK, discord.HTTPException) as error:
                wait = _wait(error, pause)
                if wait is None or asyncio.get_running_loop().time() + wait >= end:
                    raise
            await asyncio.sleep(wait)
            pause, tried = 2 * pause, True


async def _callback(
    route: discord.http.Route, session: aiohttp.ClientSession, options: dict[str, Any], *, tried: bool
) -> Any:
    payload = options.get("payload")
    async with session.request(route.method, route.url, json=payload, params=options.get("params")) as response:
        data = await json_or_text(response)
    if response.status < 300:
        return data
    known = data.get("code") if isinstance(data, dict) else None
    late = (
        payload is not None and payload["type"] == SUGGESTIONS and known in (UNKNOWN_INTERACTION, ALREADY_ACKNOWLEDGED)
    )
    if late or (tried and known == ALREADY_ACKNOWLEDGED):  # suggestions for who typed on; a try that did arrive
        return {"interaction": {"id": str(route.webhook_id), "type": 0}}
    kinds = {403: discord.Forbidden, 404: discord.NotFound}
    kind = discord.DiscordServerError if response.status >= 500 else kinds.get(response.status, discord.HTTPException)
    raise kind(response, data)


def _wait(error: BaseException, pause: float) -> float | None:
    """Seconds after which to try again; None: do not."""
    if not isinstance(error, discord.HTTPException):
        return pause
    if error.status == 429:
        headers = error.response.headers
        return max(pause, float(headers.get("X-RateLimit-Reset-After") or headers.get("Retry-After") or pause))
    return pause if error.status >= 500 else None
