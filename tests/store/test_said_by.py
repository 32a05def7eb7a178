"""What somebody and their team set is read together; rules are reworded together. On both databases."""

from __future__ import annotations

from dataclasses import replace

from bot.accounts import NO_PREFERENCES, Asker, Preferences
from bot.alerts.engine import key_of, rule_row
from bot.alerts.quiet import Quiet
from bot.alerts.rules import Kind, Rule, Series
from bot.alerts.state import initial
from bot.store.accounts import NOTHING_SAID
from bot.store.alerts import Owner
from bot.store.engine import Store
from bot.store.team_settings import MANAGERS, TeamSetting, managers_of

ANA = Asker("slack", "T1", "U1")
HERS = Preferences("pt-BR", "UTC", "Lisbon, PT", ("RTX 4090", "H100 SXM"))


async def test_a_person_s_and_a_team_s_wishes_come_together(store: Store) -> None:
    named = TeamSetting("U1,U2", "U9", 2**40)
    async with store.writer() as writer:
        await writer.save_preferences("slack", "T1", "U1", HERS)
        await writer.save_preferences("slack", "T1", "", Preferences(language="en"))
        await writer.team_settings.save("slack", "T1", MANAGERS, named)
        await writer.team_settings.save("slack", "T2", MANAGERS, TeamSetting("U3", "U3", 1))
        await writer.team_settings.save("discord", "T1", MANAGERS, TeamSetting("U4", "U4", 1))
    async with store.reader() as reader:
        said = await reader.said_by(ANA)
        assert (said.own, said.team, said.settings) == (HERS, Preferences(language="en"), {MANAGERS: named})
        assert managers_of(said.settings) == ("U1", "U2")
        assert (await reader.said_by(replace(ANA, person="U5"))).own == NO_PREFERENCES
        assert await reader.said_by(replace(ANA, team="T3")) == NOTHING_SAID
        assert await reader.preferences(ANA) == (HERS, Preferences(language="en"))


async def test_a_series_is_made_once_and_its_rules_are_reworded(store: Store) -> None:
    rule = Rule(Kind.BELOW, Series("RTX 4090"), 300_000)
    async with store.writer() as writer:
        await writer._names.add_gpus(writer._conn, [("RTX 4090", "RTX 4090", 24, 300)])
        series = await writer.alerts.series_id(key_of(rule))
        assert await writer.alerts.series_id(key_of(rule)) == series
        assert await writer.alerts.series_id(key_of(replace(rule, series=Series("RTX 4090", window=3600)))) != series
        to = await writer.outbox.destination("slack", "T1", channel="C1")
        for _ in range(3):
            await writer.alerts.create(Owner("slack", "", "T1", "U1"), to, rule_row(series, rule, initial(rule)), 1)
    quiet = replace(rule, quiet=Quiet(60, 120, of_team=True))
    async with store.writer() as writer:
        rows = await writer.alerts.of_team("slack", "", "T1")
        await writer.alerts.reword([(row.id, rule_row(series, quiet, initial(quiet))) for row in rows[:2]], 7)
    async with store.reader() as reader:
        after = await reader.alerts.of_team("slack", "", "T1")
    assert [(row.rule != rows[0].rule, row.changed_at) for row in after] == [(True, 7), (True, 7), (False, 1)]
