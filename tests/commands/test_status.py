"""``status``: which models are followed, and how their polls went."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator

import pytest

from analytics.market import DAY, Poll, Quality
from bot.alerts.noticing import Noticing
from bot.commands import COMMANDS
from bot.commands.status import Probes, Status, _every
from bot.dispatch.dispatcher import Dispatcher
from bot.presentation.card import Card
from bot.presentation.words import Words
from bot.store.engine import Store, open_store
from bot.store.probes import StoredProbe
from bot.store.writer import Entry

NOW = 1_790_000_000


@pytest.fixture
async def store(sqlite_tables: str) -> AsyncIterator[Store]:
    """Three models, of which the last in the alphabet is followed; a poll of each quality."""
    opened = await open_store(sqlite_tables, writer=True)
    polls = [
        Poll(model, NOW - ago, quality, interval=300)
        for model, ago, quality in (
            ("A10", 3, Quality.COMPLETE),
            ("B200", 2, Quality.FAILED),
            ("RTX 4090", 2, Quality.CAPPED),
            ("RTX 4090", 1, Quality.SUSPECT),
        )
    ]
    async with opened.writer() as writer:
        await writer.save_round(NOW, [Entry(poll, rows=10) for poll in polls])
    yield opened
    await opened.close()


async def _status(store: Store, *followed: str, now: int = NOW) -> Status:
    async with store.writer() as writer:
        await writer.set_followed(dict.fromkeys(followed, 300))
    _, answer = await Dispatcher(store, COMMANDS, lambda: now).ask_line("status")
    assert isinstance(answer, Status)
    return answer


def _card(answer: Status, language: str = "en") -> Card:
    command = next(command for command in COMMANDS if command.name == "status")
    card = command.card(answer, Words(language, NOW))
    assert isinstance(card, Card)
    return card


async def test_what_is_not_followed_is_said_to_be_so_and_comes_last(store: Store) -> None:
    card = _card(await _status(store, "RTX 4090"))
    (table,) = card.tables
    rows = [(row[0], row[1], row[-1]) for row in table.rows]
    assert rows == [
        ("RTX 4090", "5 min", "never polled"),
        ("A10", "–", "not followed"),
        ("B200", "–", "not followed"),
    ]
    assert card.lead.startswith("1 model followed")


async def test_spent_rows_are_said_with_the_time_they_return_in_both_languages(store: Store) -> None:
    async with store.writer() as writer:
        await writer.note_spent(NOW // 86_400, NOW + 3600)
    answer = await _status(store, "A10", now=NOW + 2000)
    assert answer.models[0].freshness == "quota_spent"
    assert answer.evidence.freshness == "quota_spent"
    time = (answer.polls_resume_at or "")[11:16]
    for language, word in (("en", "late, rows spent"), ("pt-BR", "atrasado, linhas gastas")):
        card = _card(answer, language)
        assert card.tables[0].rows[0][-1] == word
        assert any(f"{time} UTC" in note for note in card.notes)


async def test_where_nothing_is_followed_nothing_is_planned(store: Store) -> None:
    answer = await _status(store)
    assert answer.planned_rows_a_day == 0
    assert {row[-1] for row in _card(answer).tables[0].rows} == {"not followed"}


async def test_how_polls_went_is_said_in_the_readers_language(store: Store) -> None:
    answer = await _status(store, "RTX 4090")
    assert answer.polls_24h == {"complete": 1, "capped": 1, "suspect": 1, "failed": 1}
    assert "complete 1, capped 1, suspect 1, failed 1" in "".join(_card(answer).notes)
    notes = "".join(_card(answer, "pt-BR").notes)
    assert "completas 1" in notes
    assert not any(word in notes for word in ("complete ", "capped", "suspect ", "failed"))


async def test_who_polls_is_said_and_in_sqlite_left_open(store: Store, postgres_tables: str) -> None:
    unknown = await _status(store)
    assert (unknown.leader, unknown.leader_since, unknown.leader_last) == (None, None, None)
    assert not any("leads" in note for note in _card(unknown).notes)
    leader = await open_store(postgres_tables, writer=True)
    reading = await open_store(postgres_tables, writer=False)
    _, led = await Dispatcher(reading, COMMANDS, lambda: NOW).ask_line("status")
    holder = f"{socket.gethostname()}:{os.getpid()}"
    assert (led.leader, led.leader_last) == (holder, None)
    assert f"the process {holder} leads, since {led.leader_since}" in _card(led).notes
    assert f"o processo {holder} lidera, desde {led.leader_since}" in _card(led, "pt-BR").notes
    await leader.close()
    _, after = await Dispatcher(reading, COMMANDS, lambda: NOW).ask_line("status")
    assert (after.leader, after.leader_since, after.leader_last) == (None, None, holder)
    assert f"no process leads now, so nothing is polled; {holder} was the last" in _card(after).notes
    await reading.close()


async def test_what_probes_cost_and_how_soon_rules_notice_come_from_the_store(store: Store) -> None:
    assert (await _status(store, "A10")).probes.rows_share is None
    async with store.writer() as writer:
        await writer.save_round(NOW, [Entry(Poll("A10", NOW - 603, Quality.COMPLETE, interval=300), rows=1)])
        await writer.probes.spend(NOW // DAY, requests=12, rows=34, share=900)
        await writer.probes.save(StoredProbe("A10", "floor", 1, NOW - 20, 0, 95))
        await writer.probes.save(StoredProbe("A10", "floor", 2, NOW - 180, 0, 95))
        await writer.probes.save(StoredProbe("A10", "current", 2, NOW - 20, 0, None))
    answer = await _status(store, "A10")
    assert answer.probes == Probes(requests_today=12, rows_today=34, rows_share=900)
    assert answer.noticing == Noticing(180, None, None, None, 600)
    notes = "\n".join(_card(answer).notes)
    assert "probes today, requests: 12; rows: 34 of 900" in notes
    assert "alerts on the floor are looked at every" in notes
    assert "availability" not in notes
    assert "sondagens hoje, pedidos: 12; linhas: 34 de 900" in "\n".join(_card(answer, "pt-BR").notes)


def test_how_often_is_said_in_seconds_below_a_minute() -> None:
    assert [_every(seconds, Words("en", 0)) for seconds in (20, 60, 300)] == ["20 s", "1 min", "5 min"]
