"""The home: one screen whose figures are those of the questions that it is made of, read in few statements."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from analytics.interruptions.weekly_hazard import WEEK, HazardProfile
from bot.accounts import Asker
from bot.commands import COMMANDS, home
from bot.commands.home_sections.section import MOST_GPUS, Ground, Section, Shown
from bot.dispatch.dispatcher import Dispatcher
from bot.dispatch.reply import Reply, reply
from bot.presentation.text import plain
from bot.presentation.words import Words
from tests.commands.conftest import NAMES, NOW
from tests.fakes.alert_market import Market, alert_in, alert_market
from tests.fakes.polling import HandClock

ANA = Asker("slack", "T1", "UA", "C1", "member", "en-US", "America/Sao_Paulo")
OWN_STATEMENTS = 11
"""Beside those that find out who asks."""

SAFE = HazardProfile(
    tuple(0.2 if hour % 24 < 6 else 1.27 for hour in range(WEEK)), 6.0, 5.0, 0.1, 9.0, 3, 5.0, 900, True, 0.2, 0.3
)


@pytest.fixture
async def market(market_file: Path, tmp_path: Path) -> AsyncIterator[Market]:
    async with alert_market(market_file, tmp_path) as market:
        yield market


async def ask(dispatcher: Dispatcher, line: str = "home", asker: Asker = ANA) -> Reply:
    found = await reply(dispatcher, asker, line, default="en")
    assert found.ok, found.card
    return found


@contextmanager
def statements() -> Iterator[list[str]]:
    seen: list[str] = []

    def hear(conn: Any, cursor: Any, statement: str, *more: Any) -> None:
        if statement != "BEGIN":
            seen.append(statement)

    event.listen(Engine, "before_cursor_execute", hear)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", hear)


async def test_its_figures_are_those_of_the_questions(market: Market) -> None:
    async with market.store.writer() as writer:
        await writer.save_hazard_profiles({"RTX 4090": SAFE, "L40S": replace(SAFE, published=False)}, NOW)
    name = alert_in((await ask(market.dispatcher, "alert 4090 floor < 0.05")).card.title)
    for gpu in NAMES:
        sections = (await ask(market.dispatcher, f'home gpu="{gpu}"')).answer.sections
        (line,), (hours,) = sections["gpus"].gpus, sections["safe_hours"].gpus
        (trend,) = (board := (await ask(market.dispatcher, f'monitor "{gpu}"')).answer).price_trends
        usual = {"trend": None, "usual_low_percent": None, "usual_high_percent": None, "why": None}
        assert replace(line.trend, **usual) == replace(trend, **usual)
        assert line.cheapest == board.offers_now[0]
        assert line.risk_level == (await ask(market.dispatcher, f'reliability "{gpu}"')).answer.risk_level
        windows = await reply(market.dispatcher, ANA, f'windows "{gpu}"', default="en")
        if not windows.ok:
            assert (hours.windows, str(hours.why)) == ((), windows.card.lead)
            continue
        told = [replace(one, avg_price=None) for one in windows.answer.safe_windows]
        assert all(one in told for one in hours.windows)
        assert bool(hours.windows) == bool(told) == (gpu == "RTX 4090")
        assert hours.why == (None if told else windows.answer.conclusion)
    (alert,) = sections["alerts"].alerts
    assert (alert.id, alert.status, alert.read_at) == (name, "ok", NOW)
    shown = (await ask(market.dispatcher, f"alert show {name}")).card.lead
    assert shown.startswith(f"waiting: {Words('en', NOW)(alert.value)}:")


async def test_the_next_safe_hours_are_on_the_askers_clock(market: Market) -> None:
    async with market.store.writer() as writer:
        await writer.save_hazard_profiles({"RTX 4090": SAFE}, NOW)
    for zone, hour in (("America/Sao_Paulo", "21:00"), ("Asia/Tokyo", "09:00")):
        card = (await ask(market.dispatcher, "home 4090", replace(ANA, tz=zone))).card
        (table,) = (one for one in card.tables if zone in one.caption)
        assert hour in table.rows[0][1]


@pytest.mark.parametrize("gpus", [(), NAMES])
async def test_it_reads_in_few_statements(market: Market, gpus: tuple[str, ...]) -> None:
    if gpus:
        await ask(market.dispatcher, f'settings me gpus="{",".join(gpus)}"')
    for _ in range(12):
        await ask(market.dispatcher, "alert 4090 < 0.05")
    with statements() as who_asks:
        await ask(market.dispatcher, "settings show")
    await ask(market.dispatcher)  # what is asked for is noted once
    market.store._books.clear()
    with statements() as all_of_it:
        await ask(market.dispatcher)
    assert len(all_of_it) - len(who_asks) <= OWN_STATEMENTS, all_of_it


async def test_the_newest_alerts_are_listed_and_fewer_have_buttons(market: Market) -> None:
    made = [alert_in((await ask(market.dispatcher, f"alert 4090 < 0.0{n}")).card.title) for n in range(1, 10)]
    made += [alert_in((await ask(market.dispatcher, "alert l40s floor < 0.05 in EU")).card.title) for _ in range(3)]
    other = alert_in((await ask(market.dispatcher, "alert 4090 < 0.05", replace(ANA, person="UB"))).card.title)
    card = (await ask(market.dispatcher)).card
    (table,) = (one for one in card.tables if one.caption == "My alerts")
    assert [row[0] for row in table.rows] == made[:1:-1]
    assert "your alerts beyond these: 2; alert list shows them" in card.notes
    assert other not in plain(card)
    lines = [action.line for action in card.actions]
    assert lines[:4] == ["alert add", *(f"alert {verb}" for verb in (
        f"snooze {made[-1]} 1h", f"edit {made[-1]}", f"delete {made[-1]}"))]  # fmt: skip
    assert len(lines) == 1 + 2 * 3
    assert table.rows[0][2:4] == ("–", "–")  # of a region: nothing was read since it was made
    assert table.rows[-1][2].startswith("$")


async def test_what_was_chosen_is_shown_and_the_rest_is_counted(market: Market) -> None:
    await ask(market.dispatcher, f'settings me gpus="{",".join(NAMES)}"')
    card = (await ask(market.dispatcher)).card
    assert card.tables[0].caption == "My GPUs, USD per GPU-hour, 60 s ago"
    assert len(card.tables[0].rows) == MOST_GPUS
    assert f"your GPUs beyond these: {len(NAMES) - MOST_GPUS}; monitor shows them" in card.notes


async def test_old_data_say_their_age_everywhere(market: Market) -> None:
    await ask(market.dispatcher, "alert 4090 < 0.05")
    market.clock.pass_(5 * 3600)
    card = (await ask(market.dispatcher)).card
    assert card.lead.startswith("As of 5 h ago: ")
    assert "STALE" in card.footer
    assert card.tables[0].caption.endswith(", 5 h ago")
    assert all(row[0].endswith(" (5 h ago, stale)") for row in card.tables[0].rows)
    assert card.tables[1].rows[0][3] == "5 h ago"


async def test_an_empty_store_has_a_home_without_numbers(empty_dispatcher: Dispatcher) -> None:
    for language in ("en-US", "pt-BR"):
        text = plain((await ask(empty_dispatcher, asker=replace(ANA, locale=language))).card)
        assert "$" not in text
        assert ("never polled" if language == "en-US" else "nunca consultado") in text


async def test_what_holds_here_is_told_with_who_said_so(market: Market) -> None:
    await ask(market.dispatcher, "settings me tz=Asia/Tokyo")
    rows = dict((await ask(market.dispatcher)).card.tables[-1].rows)
    assert rows["time zone"] == "Asia/Tokyo (you)"
    assert rows["language"] == "en (your chat profile)"
    assert rows["your role"] == "member"
    assert rows["for managers"] == "others' alerts, webhook, settings team"
    assert "post in this channel" in rows["messages"]
    for alone in (replace(ANA, channel=""), replace(ANA, channel="D7"), replace(ANA, team="UA")):
        rows = dict((await ask(market.dispatcher, asker=alone)).card.tables[-1].rows)
        assert rows["messages"] == "it writes to you directly"


async def test_every_text_is_in_the_readers_language(market: Market) -> None:
    await ask(market.dispatcher, "alert 4090 < 0.05")
    english = (await ask(market.dispatcher)).card
    theirs = (await ask(market.dispatcher, asker=replace(ANA, locale="pt-BR"))).card
    same = {"GPU", "Status", "manager"}
    pairs = [(english.title, theirs.title), *zip(english.notes, theirs.notes, strict=True)]
    for ours, other in zip(english.tables, theirs.tables, strict=True):
        pairs += [(ours.caption, other.caption)]
        pairs += [(a.title, b.title) for a, b in zip(ours.columns, other.columns, strict=True)]
    pairs += [(a.label, b.label) for a, b in zip(english.actions, theirs.actions, strict=True)]
    heads = (zip(a.rows, b.rows, strict=True) for a, b in zip(english.tables[-2:], theirs.tables[-2:], strict=True))
    pairs += [(a[0], b[0]) for rows in heads for a, b in rows]
    assert [ours for ours, other in pairs if ours == other and ours not in same] == []
    assert not re.search(r"\b(None|nan)\b|[{}]", plain(english) + plain(theirs))


async def test_one_more_section_is_one_more_name(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    async def read(ground: Ground) -> int:
        return len(ground.alerts)

    more = Section("more", read, lambda answer, words: Shown(notes=(f"alerts counted: {answer}",)))
    monkeypatch.setattr(home, "SECTIONS", (*home.SECTIONS, more))
    assert "alerts counted: 0" in (await ask(market.dispatcher)).card.notes


async def test_a_home_is_somebodys(market: Market) -> None:
    clock = HandClock(NOW)
    with pytest.raises(Exception, match="people in chat"):
        await Dispatcher(market.store, COMMANDS, clock).ask_line("home")


async def test_it_tells_what_comes_by_itself_where_and_when(market: Market) -> None:
    assert "No digest comes to you yet" in plain((await ask(market.dispatcher)).card)
    for line in ("dashboard market here", "digest daily 09:00", "digest weekly 08:00 to=dm"):
        await ask(market.dispatcher, line)
    await ask(market.dispatcher, "digest daily 07:00 l40s", replace(ANA, person="UB", channel="C2"))
    told = (await ask(market.dispatcher)).answer.sections["told"]
    assert [(one.where, one.told_at) for one in told.schedules] == [("dm", None), ("C1", None), ("C1", None)]
    text = plain((await ask(market.dispatcher)).card)
    assert "Dashboards and digests" in text
    assert "Digest of all models, daily at 09:00 (America/Sao_Paulo)" in text
    assert "L40S, daily" not in text
