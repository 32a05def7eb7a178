"""Wishes and installations, on both databases."""

from __future__ import annotations

from bot.accounts import NO_PREFERENCES, Asker, Preferences
from bot.store.engine import Store

ANA = Asker("slack", "T1", "U1")
HERS = Preferences("pt-BR", "America/Sao_Paulo", "Berlin, DE", ("RTX 4090", "H100 SXM"))


async def test_wishes_are_kept_by_person_and_team(store: Store) -> None:
    async with store.writer() as writer:
        await writer.save_preferences("slack", "T1", "U1", HERS)
        await writer.save_preferences("slack", "T1", "", Preferences(language="en"))
        await writer.save_preferences("discord", "T1", "U1", Preferences(tz="UTC"))
    async with store.reader() as reader:
        assert await reader.preferences(ANA) == (HERS, Preferences(language="en"))
        assert await reader.preferences(Asker("slack", "T1", "U2")) == (NO_PREFERENCES, Preferences(language="en"))
        assert await reader.preferences(Asker("slack", "T2", "U1")) == (NO_PREFERENCES, NO_PREFERENCES)
    async with store.writer() as writer:
        await writer.save_preferences("slack", "T1", "U1", Preferences(home="São Paulo"))
    async with store.reader() as reader:
        assert (await reader.preferences(ANA))[0] == Preferences(home="São Paulo")


async def test_a_workspace_that_leaves_is_forgotten_and_no_other(store: Store) -> None:
    async with store.writer() as writer:
        for team in ("T1", "T2"):
            await writer.save_installation("slack", team, b"old", 1)
            await writer.save_installation("slack", team, team.encode(), 2)
            await writer.save_preferences("slack", team, "U1", HERS)
    async with store.writer() as writer:
        await writer.forget_team("slack", "T1")
    async with store.reader() as reader:
        assert await reader.installation("slack", "T1") is None
        assert await reader.installation("slack", "T2") == (b"T2", 2)
        assert await reader.installations() == [("slack", "T2", b"T2", 2)]
        assert await reader.preferences(ANA) == (NO_PREFERENCES, NO_PREFERENCES)
        assert (await reader.preferences(Asker("slack", "T2", "U1")))[0] == HERS
