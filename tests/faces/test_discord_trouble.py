"""Discord when things go wrong: doubles, limits, lost connections, refused tokens, faults, and people who mean harm."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.config import Settings
from bot.dispatch.dispatcher import Dispatcher
from bot.faces.burst_gate import THICK, BurstGate
from bot.faces.discord.face import check
from bot.faces.discord.sdk import point_sdk
from bot.faces.errors import AccessRefused
from tests.fakes.discord import EPHEMERAL, FakeDiscord, until
from tests.fakes.discord_house import Guild, guild, new_face, plain
from tests.fakes.slack_house import Gallery

HOSTILE = (
    *("<@1>", "<@&1>", "<#1>", "@everyone", "@here", "<https://evil|ok>", "[a](http://b)", "```", "``` @everyone ```"),
    *("**b** __u__ ~~s~~ ||x||", "# h", "> q", "<t:1:R>", "</spot:1>", "=HYPERLINK(1)", "{{7*7}}", "\u202eRTL"),
    *("\x00\x1b[31m", "a\nb", "'\"\\`", "x" * 3000),
)
MARKS = re.compile(r"@everyone|@here|(?<!\\)<(?:@|#|t:|/|:)[^>]*>|(?<!\\)\[[^]]*\]\(")


async def test_an_interaction_that_comes_twice_has_one_effect(server: Guild) -> None:
    asked = await server.ask("monitor 4090")
    calls = len(server.discord.calls)
    await server.discord.deliver(asked)
    await server.ask("status")
    assert len(asked.acknowledged) == 1
    assert len(server.discord.calls) == calls + 2


@pytest.mark.parametrize("fault", [{"status": 429, "retry_after": 0.01}, {"status": 503, "times": 2}])
async def test_an_acknowledgement_is_tried_again(server: Guild, fault: dict[str, Any]) -> None:
    server.discord.fail("/callback", **fault)
    asked = await server.ask("monitor 4090")
    assert asked.original is not None
    assert "RTX 4090" in plain(asked.original)


@pytest.mark.parametrize("fault", [{"status": 429, "retry_after": 0.05}, {"status": 502}])
async def test_an_answer_waits_as_long_as_discord_says(server: Guild, fault: dict[str, Any]) -> None:
    server.discord.fail("@original", method="PATCH", **fault)
    asked = await server.ask("monitor 4090")
    first, second = server.discord.sent("@original", "PATCH")
    assert (first.status, second.status) == (fault["status"], 200)
    assert second.at - first.at >= fault.get("retry_after", 0.0)
    assert asked.answered


async def test_a_fault_is_told_with_an_id_and_no_traceback(server: Guild) -> None:
    with capture_logs() as logs:
        asked = await server.discord.slash("boom")
    assert asked.original is not None
    text = plain(asked.original)
    [identity] = re.findall(r"\b[0-9a-f]{8}\b", text)
    assert identity in json.dumps(logs, default=str)
    assert "Traceback" not in text
    assert asked.original["components"] == []


async def test_what_is_asked_while_the_connection_is_lost_is_answered_after_it(server: Guild) -> None:
    with capture_logs():
        await server.discord.drop()
        asked = await server.discord.call("monitor")
        await until(lambda: asked.answered)
    assert server.discord.gateway_log.count("resume") == 1


async def test_a_refused_token_says_which_variable_to_mend(
    discord: FakeDiscord, discord_dispatcher: Dispatcher
) -> None:
    with pytest.raises(AccessRefused, match="DISCORD_TOKEN"):
        async with guild(discord, discord_dispatcher, token="another.discord.token"):
            pass


async def test_a_token_that_is_revoked_later_ends_the_face(
    discord: FakeDiscord, discord_dispatcher: Dispatcher
) -> None:
    async def revoked() -> None:
        async with guild(discord, discord_dispatcher) as home:
            discord.token = "new.discord.token"
            await discord.drop(4004)
            assert home.running is not None
            await home.running

    with capture_logs(), pytest.raises(AccessRefused, match="Reset Token"):
        await revoked()


async def test_an_unreachable_discord_is_tried_until_it_is_there(
    discord: FakeDiscord, discord_dispatcher: Dispatcher
) -> None:
    point_sdk("http://127.0.0.1:9")
    with capture_logs() as logs:
        face = new_face(discord_dispatcher, Gallery(), discord.token)
        stop = asyncio.Event()
        running = asyncio.create_task(face.run(stop))
        await until(lambda: sum(entry["event"] == "no connection to Discord" for entry in logs) > 1)
        point_sdk(discord.url)
        await until(lambda: discord.commands)
        stop.set()
        await running


async def test_a_stop_waits_for_answers_under_way(discord: FakeDiscord, discord_dispatcher: Dispatcher) -> None:
    async with guild(discord, discord_dispatcher) as home:
        asked = await discord.call("monitor")
        await until(lambda: asked.acknowledged)
        await home.end()
        assert asked.answered


@pytest.mark.parametrize("text", HOSTILE)
async def test_what_people_type_is_never_markup_or_a_mention(server: Guild, text: str) -> None:
    with capture_logs():
        for name, option in (("predict", "gpu_name"), ("windows", "tz"), ("cost", "model"), ("llm", "model_size")):
            given = {"gpu_name": "4090", "model": "llama2-7b", "dataset_size": "50GB", "model_size": "7B"}
            node = next(o for o in server.discord.commands[0]["options"] if o["name"] == name)
            known = {o["name"] for o in node["options"]}
            needed = {o["name"]: given[o["name"]] for o in node["options"] if o.get("required")}
            assert option in known
            await server.discord.slash(name, {**needed, option: text})
    for call in server.discord.sent("/webhooks/"):
        for embed in call.body.get("embeds", []):
            for part in (embed.get("title", ""), embed.get("description", "")):
                outside = re.sub(r"```.*?```", "", part, flags=re.DOTALL)
                assert not MARKS.search(outside), outside
                assert "```" not in outside
            assert not re.search(r"[\x00\x1b\u202e]", json.dumps(embed, ensure_ascii=False))


async def test_a_forged_line_asks_nothing_that_its_presser_may_not(server: Guild) -> None:
    asked = await server.ask("monitor 4090")
    message = json.loads(json.dumps(asked.original))
    message["embeds"][0]["author"]["name"] = "/spot boom"
    with capture_logs():
        clicked = await server.press(message, "spot:refresh")
    [told] = clicked.followups
    assert told["flags"] & EPHEMERAL


@pytest.mark.parametrize(
    ("spoil", "line", "well"),
    [
        (lambda fake: None, "DISCORD_TOKEN of spotbot", True),
        (lambda fake: setattr(fake, "token", "b.other.token"), "DISCORD_TOKEN", False),
        (lambda fake: setattr(fake, "endpoint", "https://x.test"), "Discord sends commands to this bot", False),
        (lambda fake: setattr(fake, "guilds", []), "Discord servers", False),
    ],
)
async def test_the_doctor_says_what_to_mend(discord: FakeDiscord, spoil: Any, line: str, well: bool) -> None:
    settings = Settings(_env_file=None, discord_token=discord.token, discord_api_url=discord.url)  # type: ignore[call-arg]
    spoil(discord)
    found = {what: (ok, advice) for what, ok, advice in await check(settings)}
    ok, advice = found[line]
    assert ok is well
    assert well or advice


async def test_a_rush_ends_only_when_all_are_acknowledged() -> None:
    rush = BurstGate(lull=0.001, longest=3600)
    assert [rush.goes_on(), rush.goes_on()] == [False, True]
    waiting = asyncio.create_task(rush.over())
    with rush.acknowledging():
        await asyncio.sleep(0.02)
        assert not waiting.done()
    await waiting
    assert not rush.goes_on()


async def _steps_of_a_rush(each: int) -> bool:
    """Whether a rush ends in which so many ask within each lull; a lull is one step of the event loop here."""
    rush = BurstGate(lull=0, longest=3600)
    over = asyncio.create_task(rush.over())
    for _ in range(50):
        for _ in range(each):
            rush.goes_on()
        await asyncio.sleep(0)
    ended = over.done()
    over.cancel()
    return ended


async def test_somebody_who_asks_without_a_pause_does_not_prolong_a_rush() -> None:
    assert await _steps_of_a_rush(1)


async def test_a_rush_goes_on_while_many_come_at_once() -> None:
    assert not await _steps_of_a_rush(THICK)
