"""``dashboard``, ``digest`` and ``subscriptions`` as people type them: who may, where it goes, what they are told."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from bot.accounts import Asker
from bot.commands import COMMANDS
from bot.commands.schedules import owned
from bot.dispatch.dispatcher import Dispatcher
from bot.dispatch.reply import Reply, reply
from bot.presentation.text import plain
from bot.schedules.producing import REMOVED, topic_of
from bot.schedules.specs import DashboardSpec, DigestSpec, Spec, load
from bot.store.engine import Store, open_store
from bot.store.schedules import ScheduleRow
from tests.fakes.endpoints import public_endpoints
from tests.fakes.stored import NOW

ANA = Asker("slack", "T1", "UA", "C1", "member", "en-US", "America/New_York")
BO = replace(ANA, person="UB")
BOSS = replace(ANA, person="UM", role="manager")
ELSEWHERE = replace(ANA, channel="C2")
STRANGER = replace(ANA, team="T2")
DIRECT = replace(ANA, channel="D1")


@dataclass
class House:
    """Somebody asks, and what is stored then."""

    store: Store
    dispatcher: Dispatcher

    async def ask(self, line: str, asker: Asker = ANA) -> Reply:
        return await reply(self.dispatcher, asker, line, default="en")

    async def says(self, line: str, asker: Asker = ANA, *, ok: bool = True) -> str:
        found = await self.ask(line, asker)
        assert found.ok == ok, plain(found.card)
        return plain(found.card)

    async def rows(self, team: str = "T1") -> list[ScheduleRow]:
        async with self.store.reader() as reader:
            return await reader.schedules.of_team("slack", "", team)

    async def specs(self) -> list[Spec]:
        return [load(row) for row in await self.rows()]

    async def queued(self, id_: int) -> list[str]:
        async with self.store.reader() as reader:
            return [f"{one.action} {one.state}" for one in await reader.outbox.topic(topic_of(id_))]


@pytest.fixture
async def house(market_file: Path, tmp_path: Path) -> AsyncIterator[House]:
    shutil.copy(market_file, tmp_path / "schedules.db")
    store, endpoints = await open_store(f"sqlite:///{tmp_path / 'schedules.db'}", writer=True), public_endpoints()
    yield House(store, Dispatcher(store, COMMANDS, lambda: NOW + 60, endpoints=lambda: endpoints))
    await store.settled()
    await store.close()


NEW_YORK = {"zone": "America/New_York", "language": "en"}
MODELS, SP = ("RTX 4090",), "America/Sao_Paulo"


@pytest.mark.parametrize(
    ("line", "spec"),
    [
        ("dashboard market here", DashboardSpec("market", every=300, **NEW_YORK)),
        ("dashboard market", DashboardSpec("market", every=300, **NEW_YORK)),
        ("dashboard cost 4090 here", DashboardSpec("cost", MODELS, 3600, **NEW_YORK)),
        ("dashboard add view=cost gpus=4090", DashboardSpec("cost", MODELS, 3600, **NEW_YORK)),
        ("dashboard reliability", DashboardSpec("reliability", every=86_400, **NEW_YORK)),
        ("dashboard market daily 08:30 tz=UTC", DashboardSpec("market", (), 86_400, 510, "UTC", "en")),
        ("dashboard market 4090, l40s hourly", DashboardSpec("market", ("RTX 4090", "L40S"), 3600, **NEW_YORK)),
        ("digest daily 09:00", DigestSpec(**NEW_YORK)),
        ("digest daily", DigestSpec(**NEW_YORK)),
        ("digest daily 9h 4090 news", DigestSpec(gpus=MODELS, news_only=True, **NEW_YORK)),
        ("digest daily 4090 18h30", DigestSpec(at=1110, gpus=MODELS, **NEW_YORK)),
        ("digest daily 6pm", DigestSpec(at=1080, **NEW_YORK)),
        ("digest daily 12am", DigestSpec(at=0, **NEW_YORK)),
        ("digest daily 00:00", DigestSpec(at=0, **NEW_YORK)),
        ("digest weekly friday 17:00", DigestSpec("week", 1020, 4, **NEW_YORK)),
        ("digest weekly", DigestSpec("week", 540, 0, **NEW_YORK)),
        ("digest daily 09:00 language=pt-BR tz=America/Sao_Paulo", DigestSpec(zone=SP, language="pt-BR")),
    ],
)  # fmt: skip
async def test_what_is_typed_is_kept_as_it_is_meant(house: House, line: str, spec: Spec) -> None:
    await house.says(line)
    assert await house.specs() == [spec]
    (row,) = await house.rows()
    assert (row.destination.channel, row.owner.person) == ("C1", "UA")
    assert row.due_at == spec.next_after(NOW + 60, NOW + 60)


@pytest.mark.parametrize(
    ("line", "hears"),
    [
        ("dashboard add", "view"),
        ("dashboard prices here", "view"),
        ("dashboard market rtx4091 here", "No GPU model called"),
        ("dashboard market 4091 here", "“4091” was not understood"),
        ("digest daily 25:00", "give a time of day such as 09:00"),
        ("digest daily at=25:00", "give a time of day such as 09:00"),
        ("digest daily at=9:60", "give a time of day"),
        ("digest daily at=13pm", "give a time of day"),
        ("digest daily at=-1", "give a time of day"),
        ("digest daily 09:00 tz=Mars", "no time zone of that name"),
        ("digest weekly noday", "was not understood"),
        ("digest weekly day=someday", "choose one of those offered"),
        ("dashboard market every=1s", "choose one of those offered"),
        ("digest daily 09:00 language=xx", "choose one of those offered"),
        ("dashboard off", "no such dashboard"),
        ("dashboard off k3m4x7", "there is no dashboard of that name here"),
        ("digest off", "there is no digest in this channel"),
        ("digest off \x00", "there is no digest of that name here"),
        ("dashboard off ' OR 1=1 --", "there is no dashboard of that name"),
    ],
)
async def test_what_is_wrong_is_told_and_nothing_is_stored(house: House, line: str, hears: str) -> None:
    assert hears in await house.says(line, ok=False)
    assert await house.rows() == []


async def test_more_models_than_an_overview_holds_are_refused(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owned, "MOST_GPUS", 1)
    assert "at most 1 model" in await house.says("dashboard market 4090, l40s", ok=False)


async def test_a_dashboard_is_queued_at_once_and_a_channel_has_one_of_a_view(house: House) -> None:
    first = await house.says("dashboard market here")
    assert "pinned where that is permitted" in first
    (row,) = await house.rows()
    assert await house.queued(row.id) == ["post queued"]
    async with house.store.writer() as writer:
        await writer.schedules.change(row.id, NOW, message="m1")
    assert "takes the place of the one that was here" in await house.says("dashboard market 4090 hourly")
    assert await house.specs() == [DashboardSpec("market", MODELS, 3600, **NEW_YORK)]
    assert (await house.rows())[0].message == "m1"  # it stands until the new one is there
    await house.says("dashboard market here", ELSEWHERE)
    await house.says("dashboard cost here")
    assert len(await house.rows()) == 3


async def test_the_same_digest_again_is_a_change_of_its_time(house: House) -> None:
    await house.says("digest daily 09:00 4090")
    assert "takes the place" in await house.says("digest daily 18:00 4090")
    await house.says("digest daily 18:00 l40s")
    await house.says("digest weekly 18:00 4090")
    times = [(spec.period, spec.at) for spec in await house.specs() if isinstance(spec, DigestSpec)]
    assert times == [("day", 1080), ("day", 1080), ("week", 1080)]


async def test_the_digest_whose_time_it_is_comes_though_it_is_asked_for_again_at_that_moment(house: House) -> None:
    await house.says("digest daily 09:00")
    (row,) = await house.rows()
    nine = load(row).last_by(NOW + 60, row.created_at)
    async with house.store.writer() as writer:
        await writer.schedules.change(row.id, NOW, due_at=nine)  # nobody has looked since
    await house.says("digest daily 09:00 news")
    assert [one.due_at for one in await house.rows()] == [nine]
    await house.says("digest daily 10:00")
    assert [one.due_at for one in await house.rows()] == [load(row).next_after(NOW + 60, 0) + 3600]


async def test_only_who_made_it_or_a_manager_may_change_it_or_turn_it_off(house: House) -> None:
    await house.says("dashboard market here")
    await house.says("digest daily 09:00")
    for line in ("dashboard market 4090", "dashboard off market", "digest daily 18:00", "digest off all"):
        assert "only who made it, or a manager" in await house.says(line, BO, ok=False)
    assert [spec.gpus for spec in await house.specs()] == [(), ()]
    await house.says("dashboard off market", BOSS)
    await house.says("digest off last")
    assert await house.rows() == []


async def test_another_team_does_not_know_of_it(house: House) -> None:
    await house.says("dashboard market here")
    (row,) = await house.rows()
    assert "no dashboard of that name" in await house.says(f"dashboard off {row.public_id}", STRANGER, ok=False)
    assert "none yet" in await house.says("dashboard list", STRANGER)
    assert "Nothing is told here" in await house.says("subscriptions", STRANGER)
    assert len(await house.rows()) == 1


async def test_what_somebody_is_told_directly_others_do_not_see(house: House) -> None:
    await house.says("digest daily 09:00 to=dm")
    await house.says("dashboard market here", DIRECT)
    assert {(row.destination.channel, row.destination.person) for row in await house.rows()} == {("", "UA")}
    for line in ("digest list", "dashboard list"):
        assert "none yet" in await house.says(line, BOSS)
        assert "direct messages" in await house.says(line)
    for row in await house.rows():
        assert "of that name here" in await house.says(f"{row.kind} off {row.public_id}", BOSS, ok=False)


async def test_turned_off_its_message_is_taken_away_and_what_waits_is_not_sent(house: House) -> None:
    await house.says("dashboard market here")
    await house.says("dashboard cost here")
    market, cost = await house.rows()
    async with house.store.writer() as writer:
        await writer.schedules.change(market.id, NOW, message="dashboard/1/post/1")
    assert "several dashboards" in await house.says("dashboard off", ok=False)
    await house.says("dashboard off all")
    assert await house.rows() == []
    assert await house.queued(market.id) == await house.queued(cost.id) == ["post cancelled"]
    async with house.store.reader() as reader:
        (removed,) = await reader.outbox.topic(f"{REMOVED}/dashboard/1/post/1")
        acts = [act.action for act in await reader.audit.of("slack", "T1", f"dashboard/{market.public_id}")]
    assert (removed.action, removed.refers_to) == ("remove", "dashboard/1/post/1")
    assert acts == ["create", "delete"]


async def test_there_is_an_end_to_how_many(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owned, "MOST_OF_PERSON", 1)
    await house.says("digest daily 09:00 4090")
    assert "at most 1 a person" in await house.says("digest daily 09:00 l40s", ok=False)
    await house.says("digest daily 10:00 4090")  # a change is no more
    await house.says("digest daily 09:00 l40s", BO)


async def test_the_team_s_language_and_zone_hold_in_its_channels(house: House) -> None:
    await house.says("settings team language=pt-BR tz=America/Sao_Paulo", BOSS)
    await house.says("digest daily 09:00")
    (spec,) = await house.specs()
    assert (spec.zone, spec.language) == ("America/Sao_Paulo", None)


async def test_default_models_are_meant_where_none_are_named(house: House) -> None:
    await house.says("settings me gpus=l40s")
    await house.says("dashboard market here")
    await house.says("digest daily all 10:00")
    assert [spec.gpus for spec in await house.specs()] == [("L40S",), ()]


async def test_subscriptions_are_those_of_here_and_mine(house: House) -> None:
    for line in ("alert 4090 < 0.01", "dashboard market here", "digest daily 09:00", "digest daily 08:00 l40s to=dm"):
        await house.says(line)
    await house.says("alert l40s < 0.01", replace(BO, channel="C2"))
    await house.says("webhook add https://example.com/hook", replace(BOSS, channel="C2"))
    await house.says("alert l40s < 0.01 to=dm", BO)  # which is nobody else's business
    mine = await house.ask("subscriptions")
    text = plain(mine.card)
    assert "subscriptions: 4; yours: 4" in text
    assert "in other channels of this workspace: 1" in text
    assert [action.line.rsplit(" ", 1)[0] for action in mine.card.actions] == [
        "alert show", "dashboard off", "digest off", "digest off",
    ]  # fmt: skip
    for action in mine.card.actions:
        await house.says(action.line)
    assert "subscriptions: 1; yours: 1" in await house.says("subscriptions")
    theirs = await house.says("subscriptions", replace(BOSS, channel="C2"))
    assert "subscriptions: 2; yours: 1" in theirs
    assert "example.com" in theirs
    assert "example.com" not in await house.says("subscriptions", replace(BO, channel="C2"))


async def test_what_cannot_be_delivered_is_told_in_lists_and_tried_again_with_a_new_one(house: House) -> None:
    await house.says("dashboard market here")
    (row,) = await house.rows()
    async with house.store.writer() as writer:
        await writer.outbox_leases.disable(row.destination_id, "is_archived", NOW)
    for line in ("dashboard list", "subscriptions"):
        assert "not delivered" in await house.says(line)
    await house.says("digest daily 09:00")
    assert {row.stopped for row in await house.rows()} == {None}


async def test_programs_have_no_channel_for_them(house: House) -> None:
    key = replace(ANA, person="key:7", channel="")
    found: Any = await house.ask("digest daily 09:00", key)
    assert not found.ok


async def test_in_portuguese(house: House) -> None:
    ana = replace(ANA, locale="pt-BR")
    await house.says("dashboard market here", ana)
    told = await house.says("digest daily 9h", ana)
    assert "O primeiro vem em" in told
    for part in ("assinaturas: 2; suas: 2", "painel", "resumo", "Mercado de todos os modelos, editado a cada 5 min"):
        assert part in await house.says("subscriptions", ana)
