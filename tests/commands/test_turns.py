"""Whose question is computed next: nobody waits behind all that somebody else has asked."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot.commands.base import Command, Desk
from bot.commands.counter import AT_ONCE, Counter
from bot.people import Asker
from bot.show.card import Card
from bot.show.words import Words
from tests.fakes.slack import until

BUSY = Asker("slack", "T1", "U1")


def no_card(answer: Any, words: Words) -> Card:
    return Card(words(""), words(""))


class Asked:
    """A question that is answered when ``go`` is set, and who asked it, in the order of computing."""

    def __init__(self) -> None:
        self.by: list[Asker | None] = []
        self.go = asyncio.Event()
        self.command = Command("who", "Who asks", "/api/spot/who", (), self.ask, no_card, ("who",), role="member")

    async def ask(self, desk: Desk) -> str:
        self.by.append(desk.asker)
        await self.go.wait()
        return "answer"


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.mark.parametrize(
    "other", [Asker("slack", "T2", "U2"), Asker("discord", "T1", "U1"), Asker("slack", "T1", "U2")]
)
async def test_somebody_behind_300_questions_of_another_is_among_the_next(
    counter: Counter, asked: Asked, other: Asker
) -> None:
    many = [asyncio.create_task(counter.ask(asked.command, {}, BUSY)) for _ in range(300)]
    await until(lambda: len(asked.by) == AT_ONCE)
    one = asyncio.create_task(counter.ask(asked.command, {}, other))
    await asyncio.sleep(0)
    asked.go.set()
    assert await one == "answer"
    assert asked.by.index(other) <= AT_ONCE + 1
    await asyncio.gather(*many)
    assert len(asked.by) == 301
