"""What dashboards and digests show: short, in both languages, with their age; rendered as the outbox does."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.accounts import Asker
from bot.dispatch.dispatcher import Dispatcher
from bot.outbox.drafts import Draft, Event, Rendered
from bot.outbox.sender import Address
from bot.presentation.text import plain
from bot.scheduled_messages import NOTHING_HAPPENED, Messages
from bot.schedules.descriptions import local_clock, wall_clock
from tests.fakes.alert_market import Market, alert_market
from tests.fakes.sending import ScriptedSender

ANA = Asker("slack", "T1", "UA", "C1", tz="America/Sao_Paulo")


@pytest.fixture
async def alert_house(market_file: Path, tmp_path: Path) -> AsyncIterator[Market]:
    """The stored market, moved by hand."""
    async with alert_market(market_file, tmp_path) as made:
        made.send_through("slack", ScriptedSender())
        yield made


async def rendered(dispatcher: Dispatcher, line: str, kind: str) -> Rendered:
    """The message of a dashboard or digest that is asked for."""
    asked = await dispatcher.answer(line, ANA)
    async with dispatcher.store.reader() as reader:
        rows = await reader.schedules.of_team("slack", "", "T1")
    (row,) = (row for row in rows if row.public_id == asked.answer.id)
    payload = {"schedule": row.id, "since": None, "at": dispatcher.clock()}
    event = Event("one", kind, payload, dispatcher.clock())
    draft = Draft(Address("slack", "T1", channel="C1"), "post", (event,), late=False)
    return await Messages(dispatcher, "en").render(draft)


@pytest.mark.parametrize("models", ["", " 4090", " 4090,l40s,3090"])
@pytest.mark.parametrize("view", ["market", "reliability", "cost"])
async def test_a_dashboard_is_one_table_and_one_chart_in_both_languages(
    alert_house: Market, view: str, models: str
) -> None:
    texts = []
    for language in ("en", "pt-BR"):
        line = f"dashboard {view}{models} here language={language}"
        card = (await rendered(alert_house.dispatcher, line, "dashboard")).card
        assert card is not None
        assert len(card.tables) <= 1
        assert len(card.charts) <= 1
        assert len(card.notes) <= 3
        for table in card.tables:
            assert 1 <= len(table.rows) <= 5
            assert len(table.columns) <= 4
        assert not re.search(r"[{}]|\b(None|nan|inf)\b", plain(card))
        assert "(America/Sao_Paulo)" in card.footer
        assert "dashboard off" in card.footer
        texts.append(card)
    ours, theirs = texts
    assert ours.title != theirs.title
    assert ours.lead != theirs.lead
    assert [t.caption for t in ours.tables] != [t.caption for t in theirs.tables] or not ours.tables


async def test_a_digest_of_news_comes_only_where_more_happened(alert_house: Market) -> None:
    quiet = await rendered(alert_house.dispatcher, "digest daily 09:00 news", "digest")
    assert (quiet.card, quiet.withheld) == (None, NOTHING_HAPPENED)
    await alert_house.poll(2.0)
    told = await rendered(alert_house.dispatcher, "digest daily 09:00 news", "digest")
    assert told.card is not None
    assert not told.card.lead.startswith("Little news")
    assert len(told.card.notes) <= 2
    assert [action.line for action in told.card.actions] == ["why digest now period=day"]
    why = await alert_house.dispatcher.answer(told.card.actions[0].line, ANA)
    assert why.command.name == "digest now"


@pytest.mark.parametrize(
    ("zone", "clock"),
    [
        ("America/Sao_Paulo", "2027-01-15 05:00 UTC-3"),
        ("Asia/Kathmandu", "2027-01-15 13:45 UTC+5:45"),
        ("America/New_York", "2027-01-15 03:00 EST"),
        ("UTC", "2027-01-15 08:00 UTC"),
    ],
)
def test_a_time_has_a_zone_that_people_can_read(zone: str, clock: str) -> None:
    assert local_clock(1_800_000_000, zone) == clock
    assert wall_clock(1_800_000_000, zone, since=1_800_000_000) == clock.split()[1]
    assert wall_clock(1_800_086_400, zone, since=1_800_000_000).startswith("2027-01-16 ")
