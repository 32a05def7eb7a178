"""The Discord face: ``/spot`` on servers and in direct messages, over the gateway."""

from __future__ import annotations

import asyncio

import aiohttp
import discord
import structlog
from discord import app_commands

from bot.config import Settings
from bot.dispatch.dispatcher import Dispatcher
from bot.faces.discord.attempts import InvalidRequests, watching
from bot.faces.discord.autocomplete import Suggestions
from bot.faces.discord.buttons import ALL
from bot.faces.discord.command_tree import Portuguese, register, spot_group
from bot.faces.discord.form_modals import read_modal
from bot.faces.discord.replies import one_line
from bot.faces.discord.responder import ChartRenderer, DiscordResponder
from bot.faces.discord.sdk import NETWORK, acknowledge_quickly, point_sdk, quiet_sdk
from bot.faces.discord.sender import DiscordSender
from bot.faces.errors import AccessRefused

__all__ = ["AccessRefused", "DiscordFace", "build_discord", "check", "invite"]

log = structlog.get_logger()

GRACE_SECONDS = 5.0
"""How long answers under way may take after a stop was asked for."""

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0
"""Seconds before connecting again; each pause is twice the one before it."""

SERVERS_WAIT = 2.0
"""Seconds without one more server until all have been told and the connection counts as made; the SDK's default."""

CHECK_SECONDS = 20.0
RATE_LIMIT_SECONDS = 60.0
"""The longest wait for a rate limit."""

CONNECTIONS = 32
"""Connections to Discord at a time: kept open, they answer a rush sooner than as many new ones as people ask."""

AUTHENTICATION_FAILED = 4004
"""Discord closes the gateway with this when the token is no longer good."""

REFUSED = (
    "DISCORD_TOKEN is refused by Discord. Copy the bot's token again (Developer Portal, your application, Bot, "
    "Reset Token); it is neither the client secret nor the application id."
)


def build_discord(settings: Settings, dispatcher: Dispatcher, pictures: ChartRenderer) -> DiscordFace | None:
    """The face that the settings ask for: none without DISCORD_TOKEN."""
    if settings.discord_token is None:
        return None
    point_sdk(settings.discord_api_url)
    quiet_sdk()
    return DiscordFace(
        settings.discord_token.get_secret_value(), dispatcher, DiscordResponder(dispatcher, pictures, settings.locale)
    )


def invite(application_id: int) -> str:
    """The page where the app is added to a server or to oneself."""
    rights = discord.Permissions(
        view_channel=True,
        send_messages=True,
        embed_links=True,
        attach_files=True,
        read_message_history=True,  # without it Discord takes no reply
        create_public_threads=True,
        send_messages_in_threads=True,
        pin_messages=True,  # its dashboards; without it they are not pinned
    )
    return discord.utils.oauth_url(application_id, permissions=rights, scopes=("bot", "applications.commands"))


class DiscordFace:
    """One connection to Discord, made again for as long as it takes."""

    platform = "discord"
    routes: tuple[()] = ()
    """no page of the web server: everything comes over the gateway"""

    def __init__(
        self,
        token: str,
        dispatcher: Dispatcher,
        answers: DiscordResponder,
        *,
        first_pause: float = FIRST_PAUSE,
        servers_wait: float = SERVERS_WAIT,
    ) -> None:
        self.dispatcher, self.answers = dispatcher, answers
        self.client: SpotClient | None = None
        """the present connection"""
        self._token, self._first_pause, self._servers_wait = token, first_pause, servers_wait
        self._invalid = InvalidRequests()
        self._sender = DiscordSender(
            lambda: self.client, answers.draw, answers.has_left, dispatcher.clock, self._invalid
        )

    @property
    def sender(self) -> DiscordSender:
        """Sends messages that nobody asked for."""
        return self._sender

    async def run(self, stop: asyncio.Event) -> None:
        """Answer until ``stop`` is set; raises AccessRefused where the token is not good."""
        acknowledge_quickly()
        stopping = asyncio.create_task(stop.wait())
        pause = self._first_pause
        try:
            while not stop.is_set():
                error, was_ready = await self._connected(stopping)
                if stop.is_set():
                    return
                pause = self._first_pause if was_ready else pause
                log.warning("no connection to Discord", error=one_line(error) if error else "closed", again_in=pause)
                await asyncio.wait([stopping], timeout=pause)
                pause = min(2 * pause, LONGEST_PAUSE)
        finally:
            stopping.cancel()

    async def _connected(self, stopping: asyncio.Task[bool]) -> tuple[BaseException | None, bool]:
        """Stay connected until told to stop or the connection cannot be kept; why, and whether there was one."""
        async with SpotClient(self.dispatcher, self.answers, self._invalid, self._servers_wait) as client:
            self.client = client
            connection = asyncio.create_task(client.start(self._token))
            try:
                await asyncio.wait([connection, stopping], return_when=asyncio.FIRST_COMPLETED)
                if stopping.done():
                    await self.answers.drain(GRACE_SECONDS)
                    await client.close()
            finally:
                connection.cancel()
                await asyncio.gather(connection, return_exceptions=True)
        error = None if connection.cancelled() else connection.exception()
        if _is_refusal(error):
            raise AccessRefused(REFUSED) from error
        return error, client.was_ready


def _is_refusal(error: BaseException | None) -> bool:
    closed = isinstance(error, discord.ConnectionClosed) and error.code == AUTHENTICATION_FAILED
    return closed or isinstance(error, discord.LoginFailure)


class SpotTree(app_commands.CommandTree["SpotClient"]):
    """The commands; what fails before one is found is told to who asked."""

    async def on_error(
        self, interaction: discord.Interaction[SpotClient], error: app_commands.AppCommandError, /
    ) -> None:
        """Log it and tell the person."""
        await self.client.answers.failed(interaction, error)


class SpotClient(discord.AutoShardedClient):
    """The SDK's client. It sees servers and interactions, no messages and no members."""

    def __init__(
        self, dispatcher: Dispatcher, answers: DiscordResponder, invalid: InvalidRequests, servers_wait: float
    ) -> None:
        super().__init__(
            http_trace=watching(invalid),
            connector=aiohttp.TCPConnector(limit=CONNECTIONS),
            intents=discord.Intents(guilds=True),
            allowed_mentions=discord.AllowedMentions.none(),
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            max_messages=None,
            guild_ready_timeout=servers_wait,
            max_ratelimit_timeout=RATE_LIMIT_SECONDS,
        )
        self.answers = answers
        self.was_ready = False
        self.tree = SpotTree(self)
        self.tree.add_command(spot_group(dispatcher.commands, answers.asked, Suggestions(dispatcher)))
        self._registering: asyncio.Task[None] | None = None

    async def setup_hook(self) -> None:
        """Before the gateway: the commands may need a while to be told, and questions need not wait for that."""
        await self.tree.set_translator(Portuguese())
        self.add_dynamic_items(*ALL)
        self._registering = asyncio.create_task(self._register())

    async def close(self) -> None:
        """Let go of the connection."""
        if self._registering is not None:
            self._registering.cancel()
        await super().close()

    async def on_ready(self) -> None:
        """Connected."""
        self.was_ready = True
        log.info("Discord is connected", servers=len(self.guilds), invite=invite(self.application_id or 0))

    async def on_interaction(self, interaction: discord.Interaction[SpotClient]) -> None:
        """A form that was sent back, also one that was opened before a restart."""
        if interaction.type is discord.InteractionType.modal_submit:
            filled = read_modal(interaction.data or {})
            if filled is not None:
                await self.answers.form_sent(interaction, filled)

    async def on_guild_join(self, guild: discord.Guild) -> None:
        """A server added the app."""
        self.answers.joined(guild.id)

    async def on_guild_remove(self, guild: discord.Guild) -> None:
        """A server removed the app, now or before it added it again."""

        async def is_member() -> bool:
            try:
                await self.fetch_guild(guild.id, with_counts=False)
            except (discord.NotFound, discord.Forbidden):
                return False
            return True

        await self.answers.forget(guild.id, is_member)

    async def _register(self) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                changed = await register(self, self.tree)
            except (*NETWORK, discord.DiscordException) as error:
                if isinstance(error, discord.HTTPException) and error.status < 500 and error.status != 429:
                    log.error("Discord does not take the commands", error=one_line(error))
                    return
                log.warning("commands not told to Discord", error=one_line(error), again_in=pause)
            else:
                log.info("commands told to Discord" if changed else "Discord knows the commands")
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)


async def check(settings: Settings) -> list[tuple[str, bool, str]]:
    """What the doctor should know: (what was looked at, whether it is well, what to do)."""
    if settings.discord_token is None:
        return []
    point_sdk(settings.discord_api_url)
    quiet_sdk()
    client = discord.Client(intents=discord.Intents.none())
    try:
        async with asyncio.timeout(CHECK_SECONDS), client:
            await client.login(settings.discord_token.get_secret_value())
            return await _look(client)
    except discord.LoginFailure:
        return [("DISCORD_TOKEN", False, REFUSED)]
    except (*NETWORK, discord.DiscordException) as error:
        return [(f"DISCORD_API_URL {settings.discord_api_url}", False, f"cannot be reached: {one_line(error)}")]


async def _look(client: discord.Client) -> list[tuple[str, bool, str]]:
    application = await client.application_info()
    _, _, sessions = await client.http.get_bot_gateway()
    servers = [guild async for guild in client.fetch_guilds(limit=1)]
    elsewhere = application.interactions_endpoint_url is not None
    endpoint = "remove the Interactions Endpoint URL in the Developer Portal: commands go there instead of here"
    left = f"{sessions['remaining']} of {sessions['total']} connections left today"
    return [
        (f"DISCORD_TOKEN of {application.name}", True, ""),
        ("Discord sends commands to this bot", not elsewhere, endpoint if elsewhere else ""),
        ("Discord gateway", sessions["remaining"] > 0, left),
        ("Discord servers", bool(servers), "" if servers else f"none yet; open {invite(application.id)}"),
    ]
