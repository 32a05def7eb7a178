"""News that a server removed the Discord app, and what those hear who ask there nevertheless."""

from __future__ import annotations

from structlog.testing import capture_logs

from bot.accounts import NO_PREFERENCES, Asker
from tests.fakes.discord import GUILD, until
from tests.fakes.discord_house import Guild, plain

ADMIN = 0x8


async def language(server: Guild) -> str | None:
    async with server.dispatcher.store.reader() as reader:
        return (await reader.preferences(Asker("discord", GUILD, "x")))[1].language


async def test_a_removal_older_than_the_joining_removes_nothing(server: Guild) -> None:
    await server.ask("settings team language=pt-BR", permissions=ADMIN)
    server.discord.members.add(GUILD)
    with capture_logs() as logs:
        await server.discord.dispatch("GUILD_DELETE", {"id": GUILD})
        await until(lambda: any(entry["event"] == "a server has the app" for entry in logs))
    assert not server.face.answers.has_left(GUILD)
    assert await language(server) == "pt-BR"


async def test_a_removal_waits_until_discord_can_say_whether_it_holds(server: Guild) -> None:
    await server.ask("settings team language=pt-BR", permissions=ADMIN)
    server.discord.members.add(GUILD)
    server.discord.fail(f"/guilds/{GUILD}$", status=503, times=1)
    with capture_logs() as logs:
        await server.discord.dispatch("GUILD_DELETE", {"id": GUILD})
        await until(lambda: any(entry["event"] == "server not forgotten" for entry in logs))
        assert server.face.answers.has_left(GUILD)
        await until(lambda: any(entry["event"] == "a server has the app" for entry in logs))
    assert await language(server) == "pt-BR"


async def test_who_asks_in_a_server_that_was_taken_to_have_left_is_answered(server: Guild) -> None:
    with capture_logs():
        await server.discord.dispatch("GUILD_DELETE", {"id": GUILD})
        await until(lambda: server.face.answers.has_left(GUILD))
        await server.idle()
        asked = await server.ask("monitor 4090")
    assert asked.original is not None
    assert "RTX 4090" in plain(asked.original)
    assert not server.face.answers.has_left(GUILD)
    async with server.dispatcher.store.reader() as reader:
        assert await reader.preferences(Asker("discord", GUILD, "x")) == (NO_PREFERENCES, NO_PREFERENCES)


async def test_ones_own_app_answers_in_a_server_that_removed_it(server: Guild) -> None:
    with capture_logs():
        await server.discord.dispatch("GUILD_DELETE", {"id": GUILD})
        await until(lambda: server.face.answers.has_left(GUILD))
        await server.idle()
        asked = await server.ask("monitor 4090", owners={"1": "600000000000000001"})
    assert asked.original is not None
    assert "RTX 4090" in plain(asked.original)
