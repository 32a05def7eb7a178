"""Nobody changes or removes what was done, but by age or with a whole team; on both databases."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from analytics.market import DAY
from bot.store.audit import AuditEntry, erasure
from bot.store.engine import Store
from tests.fakes.rounds import AT, entry


def act(team: str = "T1", at: int = AT) -> AuditEntry:
    return AuditEntry(at, "slack", team, "U1", "created", "alert/17", {"threshold": 350_000})


async def add(store: Store, *acts: AuditEntry) -> None:
    async with store.writer() as writer:
        for one in acts:
            await writer.audit.add(one)


async def stored(store: Store, team: str = "T1") -> list[AuditEntry]:
    async with store.reader() as reader:
        return await reader.audit.of("slack", team, "alert/17")


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'U2'", "DELETE FROM audit"])
async def test_it_is_append_only(store: Store, statement: str) -> None:
    await add(store, act())
    with pytest.raises(IntegrityError, match="append-only"):
        async with store.writer() as writer:
            await writer._conn.execute(text(statement))
    assert await stored(store) == [act()]


async def test_an_erasure_covers_what_it_names_and_ends_with_its_block(store: Store) -> None:
    await add(store, act(), act("T2"))
    with pytest.raises(IntegrityError, match="append-only"):
        async with store.writer() as writer, erasure(writer._conn, platform="slack", team="T2", before=AT):
            await writer._conn.execute(text("DELETE FROM audit"))
    async with store.writer() as writer:
        await writer.audit.forget_team("slack", "T1")
    assert (await stored(store), await stored(store, "T2")) == ([], [act("T2")])
    with pytest.raises(IntegrityError, match="append-only"):
        async with store.writer() as writer:
            await writer._conn.execute(text("DELETE FROM audit"))


async def test_what_is_older_than_it_is_kept_goes(store: Store) -> None:
    old, new = act(at=AT - 398 * DAY), act(at=AT - 390 * DAY)
    await add(store, old, new)
    async with store.writer() as writer:
        await writer.save_round(AT, [entry(AT)])
        assert (await writer.prune(AT))["audit"] == 1
    assert await stored(store) == [new]
