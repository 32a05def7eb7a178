"""What is forgotten when, and what a wrong clock cannot make it forget."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from analytics.forecasting.forecasts import Forecast
from analytics.interruptions.variants import FRESH, Variant
from analytics.market import DAY, HOUR, Exposure, Quality
from bot.store import retention, tables
from bot.store.engine import Store
from tests.fakes.rounds import AT, LIFE, MODEL, entry, lived

PRESENT = {
    "schedule",
    "team_setting",
    "probe",
    "webhook",
    "webhook_price",
    "gpu",
    "region",
    "slice",
    "tenant",
    "lane",
    "band",
    "hazard_profile",
    "track_record",
    "accuracy_report",
    "api_key",
    "lease",
    "leader",
    "wishes",
    "installation",
    "destination",
    "series",
    "alert",
    "audit_erasure",
}
"""Tables that hold one state and do not grow with time."""


async def save(store: Store, *times: int, **more: Any) -> None:
    async with store.writer() as writer:
        for at in times:
            await writer.save_round(at, [entry(at, **more)])
            await writer.save_forecasts([Forecast(MODEL, 1, at, at + HOUR, 1, 1, 1, 1, 0.5, "mature", "live")])
            await writer.add_quota(at // DAY, 1)


async def prune(store: Store, now: int, runs: int = 1) -> dict[str, int]:
    """Rows removed by that many runs together."""
    removed: dict[str, int] = {}
    for _ in range(runs):
        async with store.writer() as writer:
            for name, rows in (await writer.prune(now)).items():
                removed[name] = removed.get(name, 0) + rows
    return removed


async def counts(store: Store) -> dict[str, int]:
    """Rows of every table that grows."""
    async with store._site.read.connect() as conn:
        tables_ = [kept.table for kept in retention.GROWING]
        return {t.name: int(await conn.scalar(select(func.count()).select_from(t)) or 0) for t in tables_}


async def test_the_old_is_forgotten_and_the_rest_kept(store: Store) -> None:
    now = AT + 400 * DAY
    ancient, old, new = AT, now - 62 * DAY, now - 20 * DAY
    await save(store, ancient, old, new, now)
    removed = await prune(store, now + HOUR, runs=2)
    assert {name: removed[name] for name in ("poll", "round", "quota", "forecast", "interruption")} == {
        "poll": 2, "round": 2, "quota": 2, "forecast": 2, "interruption": 2,
    }  # fmt: skip
    history = ("price_hour", "exposure_hour", "exposure_day", "life_day", "variant_day")
    assert [removed[name] for name in history] == [3, 2, 2, 12, 4]
    async with store.reader() as reader:
        assert [quote.at for quote in await reader.points(MODEL, 0)] == [new, now]
        hours = [at // HOUR for at in (old, new, now)]
        assert [p.hour for p in (await reader.hours(None, 0))[MODEL]] == hours
        assert [hour for hour, _ in await reader.exposure_hours(MODEL, 0)] == hours
        assert (await reader.exposure(None, 0))[MODEL] == {"EU-North": lived(3), "US-East": lived(6)}
        assert (await reader.life_tables(None, 0))[MODEL] == LIFE + LIFE + LIFE
        assert (await reader.models())[0].first_hour == hours[0]
        assert len(await reader.book()) == 2
    assert not any((await prune(store, now)).values())


@pytest.mark.parametrize("wrong", [400 * DAY, DAY + 1, -DAY - 1])
async def test_a_clock_that_is_wrong_by_more_than_a_day_forgets_nothing(store: Store, wrong: int) -> None:
    await save(store, *range(AT - 500 * DAY, AT + 1, 10 * DAY))
    before = await counts(store)
    assert await prune(store, AT + wrong, runs=5) == {}
    assert await counts(store) == before


async def test_a_poll_dated_by_a_wrong_clock_costs_three_days_at_most(store: Store) -> None:
    """The clock was wrong long enough for a round to be stored: clock and data agree on a time that is wrong."""
    await save(store, *range(AT - 40 * DAY, AT, DAY), AT + 400 * DAY)
    before = await counts(store)
    removed = await prune(store, AT + 400 * DAY)
    assert {name: rows for name, rows in removed.items() if name in ("poll", "round", "quota")} == {
        "poll": 3, "round": 3, "quota": 3,
    }  # fmt: skip
    after = await counts(store)
    assert after["poll"] == before["poll"] - 3
    assert after["price_hour"] * 41 == before["price_hour"] * 38
    async with store.reader() as reader:
        left = (await reader.hours(None, 0))[MODEL]
    assert left[0].hour == (AT - 37 * DAY) // HOUR


async def test_an_empty_store_has_nothing_to_forget(store: Store) -> None:
    assert await prune(store, AT) == {}


async def test_a_failed_poll_does_not_make_anything_old(store: Store) -> None:
    await save(store, AT - 100 * DAY, AT)
    await save(store, AT + 390 * DAY, quality=Quality.FAILED)
    assert await prune(store, AT + 390 * DAY) == {}


def test_every_table_that_grows_is_pruned() -> None:
    assert {kept.table.name for kept in retention.GROWING} == set(tables.metadata.tables) - PRESENT


async def test_what_is_dated_ahead_is_taken_out_and_the_models_go_on_from_before(store: Store) -> None:
    morning = AT // DAY * DAY + 8 * HOUR
    await save(store, morning - DAY, morning)
    before = await counts(store)
    await save(store, morning + 2 * HOUR, morning + DAY, morning + 400 * DAY)
    await save(store, morning + 3 * HOUR, model="B")
    async with store.writer() as writer:
        assert await writer.read.hours_ahead(morning + 600) == 4
        await writer.remove_ahead(morning + 600)
    # life tables and variants do not tell the hours of today apart
    halved = {name: before[name] // 2 for name in ("life_day", "variant_day")}
    assert await counts(store) == {**before, **halved}
    async with store.reader() as reader:
        rows = {row.name: row for row in await reader.models()}
        assert (rows[MODEL].last_poll_at, rows[MODEL].last_good_at) == (morning, morning)
        assert rows[MODEL].last_quality is Quality.COMPLETE
        assert (rows["B"].last_poll_at, rows["B"].first_hour) == (None, None)
        assert await reader.tenants(MODEL) == ()
        assert await reader.lanes(MODEL) == FRESH
        yesterday = {variant: lived(3 + n) for n, variant in enumerate(Variant)}
        assert (await reader.variant_days(None, 0))[MODEL] == yesterday
        assert await reader.quota(morning // DAY) == (5, None)
        today = (await reader.exposure(None, morning // DAY * 24))[MODEL]
        assert today == {"EU-North": lived(1), "US-East": lived(2)}
        assert sum((await reader.exposure_days(None, 0))[MODEL], Exposure()) == lived(3) + lived(3)
    async with store.writer() as writer:
        assert await writer.save_round(morning + 900, [entry(morning + 900)])
