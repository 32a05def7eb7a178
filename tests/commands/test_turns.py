"""Whose question is computed next: nobody waits behind all that somebody else has asked."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot.accounts import Asker
from bot.dispatch.command import Command, QueryContext
from bot.dispatch.dispatcher import AT_ONCE, Dispatcher
from bot.presentation.card import Card
from bot.presentation.words import Words
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

    async def ask(self, query: QueryContext) -> str:
        self.by.append(query.asker)
        await self.go.wait()
        return "answer"


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.mark.parametrize(
    "other", [Asker("slack", "T2", "U2"), Asker("discord", "T1", "U1"), Asker("slack", "T1", "U2")]
)
async def test_somebody_behind_300_questions_of_another_is_among_the_next(
    dispatcher: Dispatcher, asked: Asked, other: Asker
) -> None:
    many = [asyncio.create_task(dispatcher.ask(asked.command, {}, BUSY)) for _ in range(300)]
    await until(lambda: len(asked.by) == AT_ONCE)
    one = asyncio.create_task(dispatcher.ask(asked.command, {}, other))
    await asyncio.sleep(0)
    asked.go.set()
    assert await one == "answer"
    assert asked.by.index(other) <= AT_ONCE + 1
    await asyncio.gather(*many)
    assert len(asked.by) == 301
