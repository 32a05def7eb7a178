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
    """A question that is answered once ``go`` is released for it, and who asked it, in the order of computing."""

    def __init__(self) -> None:
        self.by: list[Asker | None] = []
        self.go = asyncio.Semaphore(0)
        self.command = Command("who", "Who asks", "/api/spot/who", (), self.ask, no_card, ("who",), role="member")

    async def ask(self, query: QueryContext) -> str:
        self.by.append(query.asker)
        await self.go.acquire()
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
    for computed in (AT_ONCE + 1, AT_ONCE + 2):  # one at a time: two that are let go at once may overtake each other
        asked.go.release()
        await until(lambda computed=computed: len(asked.by) == computed)
    assert other in asked.by
    for _ in range(301):
        asked.go.release()
    assert await one == "answer"
    await asyncio.gather(*many)
    assert len(asked.by) == 301
