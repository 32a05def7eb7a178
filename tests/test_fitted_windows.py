"""Profiles of the week from the stored exposure: fitted by the hourly job once a day, asked through the dispatcher."""

from __future__ import annotations

import pytest

from analytics.errors import NotYet
from analytics.market import DAY, HOUR
from benchmarks.windows import START, market
from bot.commands import COMMANDS
from bot.dispatch.dispatcher import Dispatcher
from bot.forecasts import refresh
from bot.presentation.words import Words
from bot.store.engine import Store

NAMES = ("RTX 4090", "RTX 3090", "L40S")
WEEKS = 8
NOW = (START + WEEKS * 168) * HOUR
"""A Monday, 00:00 UTC."""


async def record(store: Store, names: tuple[str, ...] = NAMES) -> None:
    """Hours of a fleet in which risk is fourfold at its worst."""
    made = market(1, WEEKS, 4.0, models=len(NAMES)).hours.values()
    async with store.writer() as writer:
        for name, hours in zip(NAMES, made, strict=True):
            if name in names:
                await writer.bulk_exposure(name, {("US", hour): lived for hour, lived in hours})


async def fitted_at(store: Store, name: str) -> int | None:
    async with store.reader() as reader:
        found = await reader.hazard_profile(name)
    return found.at if found else None


async def test_windows_are_asked_of_the_profile_that_the_hourly_job_fitted(store: Store) -> None:
    await record(store)
    dispatcher = Dispatcher(store, COMMANDS, lambda: NOW)
    with pytest.raises(NotYet, match="not fitted yet"):
        await dispatcher.ask_line("windows 4090")
    await refresh(store, NOW)
    command, answer = await dispatcher.ask_line("windows 4090 5h tz=America/Sao_Paulo")
    assert answer.hours_matter
    assert answer.evidence.details["published"] is True
    assert answer.evidence.details["claimed_risk"] < 0.8
    assert answer.evidence.details["met_risk"] < 0.8
    english, portuguese = (command.card(answer, Words(language, NOW)) for language in ("en", "pt-BR"))
    assert any(note.startswith("safest quarter of the week: ") for note in english.notes)
    assert any(note.startswith("earliest start: ") for note in english.notes)
    assert any(note.startswith("quarto mais seguro da semana: ") for note in portuguese.notes)
    assert english.charts[0].marked


async def test_profiles_are_fitted_once_a_day_and_wherever_history_came_in(store: Store) -> None:
    await record(store, NAMES[:2])
    await refresh(store, NOW + HOUR)
    await record(store)
    for later, anew, known, new in (
        (2 * HOUR, False, NOW + HOUR, None),
        (3 * HOUR, True, NOW + 3 * HOUR, NOW + 3 * HOUR),
        (DAY - 1, False, NOW + 3 * HOUR, NOW + 3 * HOUR),
        (DAY, False, NOW + DAY, NOW + DAY),
    ):
        await refresh(store, NOW + later, anew=anew)
        assert (await fitted_at(store, NAMES[0]), await fitted_at(store, NAMES[2])) == (known, new)


async def test_what_is_stored_is_what_was_fitted(store: Store) -> None:
    from analytics.interruptions.fleet_profile import fit

    await record(store)
    await refresh(store, NOW)
    made = market(1, WEEKS, 4.0, models=len(NAMES)).hours
    for name, profile in zip(NAMES, fit(made).values(), strict=True):
        async with store.reader() as reader:
            found = await reader.hazard_profile(name)
        assert found
        assert found.profile.relative == pytest.approx(profile.relative, abs=1e-3)
        assert found.profile.published == profile.published
    assert await fitted_at(store, "unknown") is None
