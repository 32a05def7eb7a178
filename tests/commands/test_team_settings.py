"""What a team sets for all its members, from the command to what it changes, and where each value comes from."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from bot.accounts import Asker
from bot.alerts.codec import load_rule
from bot.alerts.engine import pass_time
from bot.alerts.quiet import Quiet
from bot.dispatch.reply import Reply, reply
from bot.presentation.text import plain
from tests.fakes.alert_market import Market, alert_in, alert_market

BOSS = Asker("slack", "T1", "UBOSS", "C1", role="manager")
ANA = Asker("slack", "T1", "UANA", "C1")
BEN = Asker("slack", "T1", "UBEN", "C1")
ALONE = replace(ANA, channel="D1")
OTHERS = replace(BOSS, team="T2")


@dataclass
class Team:
    """People who ask on a market that can be moved."""

    market: Market

    async def say(self, line: str, who: Asker = BOSS) -> Reply:
        return await reply(self.market.dispatcher, who, line, default="en")

    async def good(self, line: str, who: Asker = BOSS) -> Reply:
        said = await self.say(line, who)
        assert said.ok, plain(said.card)
        return said

    async def bad(self, line: str, who: Asker = BOSS) -> str:
        said = await self.say(line, who)
        assert not said.ok, plain(said.card)
        return plain(said.card)

    async def add(self, line: str, who: Asker = ANA) -> str:
        return alert_in((await self.good(line, who)).card.title)

    async def held(self, who: Asker = BOSS) -> dict[str, Any]:
        return {one.name: one for one in (await self.good("settings", who)).answer.of_team}

    async def quiet(self, name: str, team: str = "T1") -> tuple[Quiet | None, bool]:
        async with self.market.store.reader() as reader:
            row = await reader.alerts.find("slack", "", team, name)
        assert row is not None
        rule = load_rule(row.rule)
        return rule.quiet, rule.loud

    async def channels(self) -> list[tuple[str, str]]:
        async with self.market.store.reader() as reader:
            rows = [*await reader.alerts.of_team("slack", "", "T1"), *await reader.schedules.of_team("slack", "", "T1")]
        return [(row.destination.channel, row.destination.person) for row in rows]


@pytest.fixture
async def team(market_file: Path, tmp_path: Path) -> AsyncIterator[Team]:
    async with alert_market(market_file, tmp_path) as market:
        yield Team(market)


async def test_each_setting_is_shown_with_where_it_comes_from(team: Team) -> None:
    held = await team.held(ANA)
    assert {name: (one.value, one.said_by) for name, one in held.items()} == {
        **dict.fromkeys(("quiet", "channel", "managers"), (None, "the default")),
        "alerts_per_person": ("50", "the default"),
        "alerts_per_team": ("500", "the default"),
        **dict.fromkeys(("dashboards", "digests"), ("100", "the default")),
    }
    saved = await team.good("settings team tz=America/Sao_Paulo quiet=22:00-07:00 channel=here managers=UANA digests=3")
    assert saved.card.lead == "Saved."
    shown = (await team.good("settings", ANA)).card
    rows = {row[0]: row[1:] for row in shown.tables[1].rows}
    by = "the workspace (by UBOSS, 2026-09-21)"
    assert rows["quiet"] == ("22:00-07:00 America/Sao_Paulo", by)
    assert (rows["channel"], rows["managers"], rows["digests"]) == (("C1", by), ("UANA", by), ("3", by))
    assert rows["dashboards"] == ("100", "the default")
    assert {one.value for one in (await team.held(OTHERS)).values()} == {None, "50", "500", "100"}
    in_portuguese = await reply(team.market.dispatcher, replace(ANA, locale="pt-BR"), "settings", default="en")
    assert "o workspace (por UBOSS, 2026-09-21)" in plain(in_portuguese.card)
    await team.good("settings team quiet=none channel=none managers=off digests=default")
    assert {one.said_by for one in (await team.held()).values()} == {"the default"}


async def test_who_changed_what_is_written_down(team: Team) -> None:
    await team.good("settings team language=en digests=3")
    await team.good("settings team digests=none")
    async with team.market.store.reader() as reader:
        acts = await reader.audit.of("slack", "T1", "settings/team")
    assert [(act.actor, dict(act.details)) for act in acts] == [
        ("UBOSS", {"language": "en", "digests": "3"}),
        ("UBOSS", {"digests": None}),
    ]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("quiet=soon", "say from when to when"),
        ("quiet=25:00-07:00", "say from when to when"),
        ("quiet=07:00-07:00", "cannot last all day"),
        ("quiet=22:00-07:00 tz=Mars/Phobos", "no time zone of that name"),
        ("channel=general", "channel=here"),
        ("channel=<#D012345>", "channel=here"),
        ("channel=123456789012345678", "channel=here"),
        ("managers=Ana", "no id of a role or a person"),
        ("managers=<!channel>", "no id of a role or a person"),
        ("managers=S0123ABCD", "does not tell who is in a user group"),
        ("managers=<!subteam^S0123ABCD|ops>", "does not tell who is in a user group"),
        ("managers=,", "with commas between them"),
        ("managers=" + ",".join(f"U{n}A" for n in range(21)), "at most 20"),
        ("managers=key:abc", "no id of a role or a person"),
        ("alerts_per_person=51", "from 0 to 50"),
        ("alerts_per_team=501", "from 0 to 500"),
        ("dashboards=-1", "from 0 to 100"),
        ("digests=1e9", "from 0 to 100"),
        ("digests=²", "from 0 to 100"),
        ("digests=99999999999999999999", "from 0 to 100"),
    ],
)
async def test_what_cannot_be_is_refused_and_changes_nothing(team: Team, said: str, told: str) -> None:
    before = await team.held()
    assert told in await team.bad(f"settings team language=pt-BR {said}")
    assert await team.held() == before
    assert (await team.good("settings")).answer.team.language is None


async def test_a_team_has_fewer_than_ours(team: Team) -> None:
    await team.good("settings team alerts_per_person=1 alerts_per_team=2 dashboards=1 digests=0")
    await team.add("alert 4090 < 0.01", ANA)
    assert "alerts at most: 1 a person, 2 a team" in await team.bad("alert 4090 < 0.02", ANA)
    await team.add("alert 4090 < 0.01", BEN)
    assert "2 a team" in await team.bad("alert 4090 < 0.02", BOSS)
    await team.good("dashboard market here", ANA)
    assert "1 a team" in await team.bad("dashboard cost here", BEN)
    assert "0 a team" in await team.bad("digest daily 09:00", ANA)
    await team.good("digest daily 09:00", OTHERS)
    await team.add("alert 4090 < 0.02", OTHERS)
    await team.add("alert 4090 < 0.03", OTHERS)
    await team.good("settings team alerts_per_person=none alerts_per_team=none digests=none")
    await team.add("alert 4090 < 0.02", ANA)
    await team.good("digest daily 09:00", ANA)


LINES = ("alert 4090 < 0.01 to={}", "digest daily 09:00 to={}", "dashboard market to={}")


async def test_the_default_channel_is_where_things_go_that_are_made_where_none_is(team: Team) -> None:
    for line in LINES:
        assert "no default channel" in await team.bad(line.format("channel"), ALONE)
    assert "this is no channel" in await team.bad("settings team channel=here", replace(BOSS, channel="D9"))
    assert "this is no channel" in await team.bad("settings team channel=here", replace(BOSS, channel=""))
    await team.good("settings team channel=here", replace(BOSS, channel="C7"))
    told = [plain((await team.good(line.format("channel"), ALONE)).card) for line in LINES]
    assert "It is told in the team's channel C7." in told[0]
    assert await team.channels() == [("C7", "")] * 3
    await team.good("alert 4090 < 0.01 to=channel", replace(ANA, channel="C3"))  # where one is, that one is meant
    await team.good("alert 4090 < 0.01", ALONE)
    await team.good("alert 4090 < 0.01 to=dm", ALONE)
    assert (await team.channels())[1:4] == [("C3", ""), ("", "UANA"), ("", "UANA")]
    assert "no default channel" in await team.bad(LINES[0].format("channel"), replace(ALONE, team="T2"))
    await team.good("settings team channel=<#C0123ABCD|general>")
    assert (await team.held())["channel"].value == "C0123ABCD"


async def test_what_goes_to_the_default_channel_from_elsewhere_says_so(team: Team) -> None:
    await team.good("settings team channel=here", replace(BOSS, channel="C7"))
    lines = ("alert 4090 < 0.01", "dashboard market", "digest daily 09:00", "digest weekly 09:00")
    for line in lines:
        assert "It is told in the team's channel C7." in plain((await team.good(f"{line} to=channel", ALONE)).card)
        assert "the team's channel" not in plain((await team.good(f"{line} to=dm", ALONE)).card)


async def test_quiet_hours_are_by_the_zone_that_holds_with_them(team: Team) -> None:
    await team.good("settings team tz=Asia/Tokyo")
    await team.good("settings team tz=none quiet=22:00-07:00", replace(BOSS, tz="America/Sao_Paulo"))
    assert (await team.held())["quiet"].value == "22:00-07:00 America/Sao_Paulo"


async def test_on_discord_a_channel_is_named_only_by_being_there(team: Team) -> None:
    boss = Asker("discord", "900000000000000001", "1", "900000000000000777", role="manager")
    for other in ("<#900000000000000999>", "900000000000000999", "C0123ABCD"):
        assert "channel=here" in await team.bad(f"settings team channel={other}", boss)
    await team.good("settings team channel=here", boss)
    assert (await team.held(boss))["channel"].value == "900000000000000777"


async def test_who_is_named_counts_as_a_manager_of_this_team_alone(team: Team) -> None:
    made = await team.add("alert 4090 < 0.01", BEN)
    assert "manager" in await team.bad("settings team language=en", ANA)
    assert "manager" in await team.bad(f"alert edit {made} < 0.02", ANA)
    await team.good("settings team managers=<@UANA|ana>")
    await team.good("settings team language=en", ANA)
    await team.good(f"alert edit {made} < 0.02", ANA)
    assert (await team.say("home", ANA)).answer is not None
    assert "manager" in await team.bad("settings team language=en", BEN)
    assert "manager" in await team.bad("settings team language=en", replace(ANA, team="T2"))
    assert "manager" in await team.bad("settings team language=en", replace(ANA, platform="discord"))
    await team.good("settings team managers=none")
    assert "manager" in await team.bad("settings team language=en", ANA)


async def test_who_is_raised_names_no_managers_and_no_key_does(team: Team) -> None:
    await team.good("settings team managers=UANA")
    for line in (
        "settings team managers=UANA,UBEN",
        "settings team managers=none",
        "settings team digests=1 managers=UBEN",
    ):
        assert "managers of the chat itself" in await team.bad(line, ANA)
    assert "managers of the chat itself" in await team.bad(
        "settings team managers=UBEN", replace(BOSS, person="key:ab")
    )
    held = await team.held()
    assert (held["managers"].value, held["digests"].value) == ("UANA", "100")
    async with team.market.dispatcher.query_context(ANA) as query:
        assert query.asker is not None
        assert (query.asker.role, query.asker.is_raised) == ("manager", True)
        taken = query.asker
    await team.good("settings team managers=none")
    assert "manager" in await team.bad("settings team language=en", taken)  # what a face kept of them holds no longer


async def test_a_link_to_the_pages_keeps_the_role_of_the_platform(team: Team) -> None:
    team.market.dispatcher.site = lambda: "https://spot.example.com"
    await team.good("settings team managers=UANA")
    found = (await team.good("dashboard link", ANA)).answer
    (secret,) = re.findall(r"[0-9a-f]{64}", found.url)
    async with team.market.store.reader() as reader:
        signed_in = await reader.browser_sessions.link(secret, team.market.clock())
    assert signed_in is not None
    assert (signed_in.person, signed_in.role) == ("UANA", "member")


async def test_quiet_hours_hold_for_alerts_that_say_nothing_of_their_own(team: Team) -> None:
    follows, own, off = [
        await team.add(f"alert 4090 < 0.01 {more}") for more in ("", "quiet=01:00-02:00 tz=UTC", "quiet=off")
    ]
    theirs = await team.add("alert 4090 < 0.01", OTHERS)
    await team.good("settings team quiet=22h-7h tz=America/Sao_Paulo")
    quiet = Quiet(22 * 60, 7 * 60, "America/Sao_Paulo", of_team=True)
    later = await team.add("alert 4090 < 0.02")
    for name in (follows, later):
        assert await team.quiet(name) == (quiet, False)
        assert "Quiet hours: 22:00–07:00 (America/Sao_Paulo), the team's" in plain(
            (await team.good(f"alert show {name}")).card
        )
    assert await team.quiet(own) == (Quiet(60, 120, "UTC"), False)
    assert await team.quiet(off) == (None, True)
    assert "No quiet hours, whatever the team's are" in plain((await team.good(f"alert show {off}")).card)
    assert await team.quiet(theirs, "T2") == (None, False)
    await team.good(f"alert edit {off} quiet=team", ANA)
    await team.good(f"alert edit {own} quiet=equipe", ANA)
    await team.good("settings team tz=Europe/Paris")  # they are of the team's clock, and move with it
    moved = replace(quiet, zone="Europe/Paris")
    assert [await team.quiet(name) for name in (follows, later, own, off)] == [(moved, False)] * 4
    await team.good(f"alert edit {later} quiet=off", ANA)
    await team.good("settings team quiet=none")
    assert [await team.quiet(name) for name in (follows, later)] == [(None, False), (None, True)]


async def test_a_rule_of_an_older_version_follows_the_team_where_it_has_no_quiet_hours(team: Team) -> None:
    plain_one, own = [await team.add(f"alert 4090 < 0.01 {more}") for more in ("", "quiet=01:00-02:00 tz=UTC")]
    async with team.market.store.writer() as writer:
        for row in await writer.alerts.of_team("slack", "", "T1"):
            stored = json.loads(row.rule)
            del stored["loud"]
            if stored["quiet"]:
                del stored["quiet"]["of_team"]
            await writer._conn.exec_driver_sql("UPDATE alert SET rule = ? WHERE id = ?", (json.dumps(stored), row.id))
    await team.good("settings team quiet=22:00-07:00 tz=UTC")
    assert await team.quiet(plain_one) == (Quiet(22 * 60, 7 * 60, "UTC", of_team=True), False)
    assert await team.quiet(own) == (Quiet(60, 120, "UTC"), False)


async def _queued(team: Team) -> int:
    async with team.market.store.reader() as reader:
        rows = await reader.alerts.of_team("slack", "", "T1")
        return sum([len(await reader.outbox.topic(f"alert/{row.id}")) for row in rows])


async def test_a_fire_waits_for_the_end_of_the_team_s_quiet_hours_or_for_their_being_taken_back(team: Team) -> None:
    minute = team.market.clock() // 60 % 1440
    hours = f"{(minute - 5) % 1440 // 60:02}:{(minute - 5) % 60:02}-{(minute + 240) % 1440 // 60:02}:{minute % 60:02}"
    await team.add(f"alert 4090 < {team.market.mark(0.9)}")
    await team.good(f"settings team quiet={hours} tz=UTC")
    await _polls(team, 0.85, 3)
    assert await _queued(team) == 0
    await team.good("settings team quiet=none")
    async with team.market.store.writer() as writer:
        await pass_time(writer, team.market.clock())
    assert await _queued(team) == 1


async def _polls(team: Team, factor: float, times: int) -> None:
    team.market.outbox = _Nothing()  # type: ignore[assignment]
    await team.market.poll(factor, times=times)


class _Nothing:
    """Sends nothing: what is queued stays."""

    async def drain(self) -> None:
        return None
