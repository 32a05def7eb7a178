"""What is kept of a round: by quality, once, and all of it or nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event, select

from analytics.market import HOUR, WORLD, Quality, Scope, Shadow
from bot.store import tables
from bot.store.engine import Store
from bot.store.reader import ModelRow
from tests.fakes.rounds import (
    AT,
    BAND,
    BARE_OFFER,
    FULL_OFFER,
    LIFE,
    MODEL,
    VERIFIED_WORLD,
    entry,
    interruption,
    lived,
    point,
    quote,
    tenant,
)

STEP = 300


async def save(store: Store, *entries: Any, at: int | None = None) -> int:
    async with store.writer() as writer:
        return len(await writer.save_round(at or entries[-1].poll.at, entries))


async def contents(store: Store) -> dict[str, list[Any]]:
    """Every row of every table."""
    async with store._site.read.connect() as conn:
        return {
            name: sorted(map(tuple, (await conn.execute(select(table))).all()), key=repr)
            for name, table in tables.metadata.tables.items()
        }


async def test_a_complete_poll_comes_back_as_it_went_in(store: Store) -> None:
    assert await save(store, entry()) == 1
    async with store.reader() as reader:
        assert await reader.book([MODEL]) == [FULL_OFFER, BARE_OFFER]
        assert await reader.quotes() == {MODEL: quote(AT, 300_000)}
        assert await reader.quotes([MODEL], scope=Scope.ALL) == {MODEL: quote(AT, 300_001)}
        assert await reader.quotes(region="EU-North") == {MODEL: quote(AT, 300_002)}
        assert await reader.regional_quotes(MODEL) == {"EU-North": quote(AT, 300_002)}
        assert await reader.hours([MODEL], 0, scope=Scope.ALL) == {MODEL: [point(AT // HOUR, 300_001)]}
        assert await reader.last_hour(MODEL, AT // HOUR + 9) == await reader.last_hour(MODEL, AT // HOUR) == AT // HOUR
        assert await reader.last_hour(MODEL, AT // HOUR - 1) is await reader.last_hour("?", AT // HOUR) is None
        assert await reader.regional_hours(MODEL, AT // HOUR) == {"EU-North": point(AT // HOUR, 300_002)}
        assert await reader.tenants(MODEL) == (tenant(AT),)
        assert await reader.interruptions(MODEL, 0) == [interruption(AT - STEP, AT)]
        assert await reader.exposure(None, 0) == {MODEL: {"EU-North": lived(), "US-East": lived(2)}}
        assert await reader.life_tables(None, 0) == {MODEL: LIFE}
        assert await reader.bands() == {MODEL: BAND}
        assert await reader.last_round_at() == AT
        assert await reader.models() == [
            ModelRow(MODEL, MODEL, None, False, STEP, AT, Quality.COMPLETE, AT, AT // HOUR, 40, None, 2)
        ]


async def test_the_poll_row_says_what_it_cost(store: Store) -> None:
    await save(store, entry())
    [row] = (await contents(store))["poll"]
    assert row == (1, AT, Quality.COMPLETE, 3, 40, 2, '{"no price": 3}', "as planned")


async def test_a_round_saved_again_changes_nothing(store: Store) -> None:
    await save(store, entry(), entry(AT + STEP))
    before = await contents(store)
    assert await save(store, entry(price=1), entry(AT + STEP, price=2)) == 0
    assert await contents(store) == before


async def test_of_a_round_half_known_only_the_new_half_is_saved(store: Store) -> None:
    await save(store, entry())
    assert await save(store, entry(price=1), entry(model="H100 SXM")) == 1
    async with store.reader() as reader:
        assert (await reader.quotes())[MODEL].price == 300_000
        assert (await reader.exposure([MODEL], 0))[MODEL]["EU-North"] == lived()
        assert {row.name for row in await reader.models()} == {MODEL, "H100 SXM"}


async def test_the_same_poll_twice_in_one_round_counts_once(store: Store) -> None:
    assert await save(store, entry(), entry(price=1)) == 1
    async with store.reader() as reader:
        assert (await reader.quotes())[MODEL].price == 300_000
        assert (await reader.exposure(None, 0))[MODEL]["EU-North"] == lived()


async def test_exposure_and_life_add_up_and_hours_are_replaced(store: Store) -> None:
    await save(store, entry())
    await save(store, entry(AT + STEP, price=310_000))
    async with store.reader() as reader:
        assert (await reader.exposure(None, 0))[MODEL] == {"EU-North": lived(2), "US-East": lived(4)}
        assert await reader.exposure_hours(MODEL, 0) == [(AT // HOUR, lived(6))]
        assert await reader.exposure_days(None, AT // HOUR // 24) == {MODEL: [lived(6)]}
        assert await reader.exposure_days([MODEL], AT // HOUR // 24 + 1) == await reader.exposure_days(["?"], 0) == {}
        assert (await reader.life_tables(None, 0))[MODEL] == LIFE + LIFE
        assert await reader.hours(None, 0) == {MODEL: [point(AT // HOUR, 310_000)]}


@pytest.mark.parametrize("quality", [Quality.FAILED, Quality.CAPPED, Quality.SUSPECT])
async def test_an_unbelievable_poll_leaves_the_present_as_it_was(store: Store, quality: Quality) -> None:
    await save(store, entry())
    before = await contents(store)
    await save(store, entry(AT + STEP, quality=quality, price=1, rows=99))
    after = await contents(store)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"gpu", "poll", "round"} | ({"quote"} if quality is Quality.SUSPECT else set())
    async with store.reader() as reader:
        [row] = await reader.models()
        assert (row.last_poll_at, row.last_quality, row.last_good_at) == (AT + STEP, quality, AT)
        assert row.last_rows == (40 if quality is Quality.FAILED else 99)
        assert [q.at for q in await reader.points(MODEL, 0)] == [AT]
        assert (await reader.quotes())[MODEL].at == AT


async def test_an_empty_complete_poll_empties_the_book(store: Store) -> None:
    await save(store, entry())
    empty = entry(AT + STEP, shadow=Shadow())
    await save(store, replace(empty, poll=replace(empty.poll, offers=())))
    async with store.reader() as reader:
        assert await reader.book() == []
        assert await reader.tenants(MODEL) == ()
        assert (await reader.models())[0].offers == 0


async def test_a_late_older_poll_adds_history_but_does_not_turn_the_present_back(store: Store) -> None:
    late = entry(AT - HOUR, price=1, vram_gb=24)
    late = replace(late, poll=replace(late.poll, offers=()))
    await save(store, entry())
    await save(store, late)
    async with store.reader() as reader:
        [row] = await reader.models()
        assert (row.last_poll_at, row.last_good_at, row.first_hour, row.offers) == (AT, AT, AT // HOUR - 1, 2)
        assert row.vram_gb == 24
        assert await reader.book() == [FULL_OFFER, BARE_OFFER]
        assert (await reader.quotes())[MODEL].price == 300_000
        assert [p.price for p in (await reader.hours(None, 0))[MODEL]] == [1, 300_000]


async def test_many_moments_saved_at_once_equal_the_same_one_by_one(store: Store) -> None:
    moments = [(AT + n * STEP, 300_000 + n) for n in range(15)]
    await save(store, *(entry(at, price=price, model="A") for at, price in moments[::2] + moments[1::2]))
    for at, price in moments:
        await save(store, entry(at, price=price, model="B"))
    assert await _told_of(store, "A") == await _told_of(store, "B")
    async with store.reader() as reader:
        assert len(await reader.points("A", 0)) == len(await reader.interruptions("A", 0)) == 15
        assert len((await reader.hours(None, 0))["A"]) == 2


async def _told_of(store: Store, model: str) -> list[Any]:
    """All that is stored about a model, its name left out."""
    told = []
    async with store._site.read.connect() as conn:
        gpu_id = await conn.scalar(select(tables.gpu.c.id).where(tables.gpu.c.name == model))
        for table in tables.metadata.sorted_tables:
            columns = [c for c in table.c if c.name not in ("gpu_id", "id")]
            if "gpu_id" in table.c:
                rows = await conn.execute(select(*columns).where(table.c.gpu_id == gpu_id).order_by(*table.primary_key))
                told.append((table.name, [tuple(row) for row in rows]))
    return told


async def test_an_interruption_that_ends_is_the_same_one(store: Store) -> None:
    await save(store, entry())
    ended = interruption(AT - STEP, AT, AT + STEP)
    await save(store, entry(AT + STEP, shadow=Shadow((), (), (ended,))))
    async with store.reader() as reader:
        assert await reader.interruptions(MODEL, 0) == [ended]


async def test_names_of_the_market_are_learnt(store: Store) -> None:
    await save(store, entry(model="A100 SXM4 80GB", vast_name="A100 SXM4", vram_gb=80))
    async with store.reader() as reader:
        [row] = await reader.models()
    assert (row.vast_name, row.vram_gb) == ("A100 SXM4", 80)


async def test_models_with_more_on_offer_come_first(store: Store) -> None:
    small = entry(model="A")
    await save(store, replace(small, poll=replace(small.poll, offers=small.poll.offers[:1])), entry(model="B"))
    async with store.reader() as reader:
        assert [row.name for row in await reader.models()] == ["B", "A"]


async def test_nothing_of_a_round_is_kept_when_its_block_raises(store: Store) -> None:
    await save(store, entry())
    before = await contents(store)

    async def breaking_off() -> None:
        async with store.writer() as writer:
            await writer.save_round(AT + STEP, [entry(AT + STEP), entry(AT + STEP, model="H100 SXM")])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await breaking_off()
    assert await contents(store) == before
    assert await save(store, entry(AT + STEP)) == 1


async def test_a_round_that_breaks_at_any_statement_leaves_nothing(store: Store) -> None:
    before = await contents(store)
    broken = 0
    while await _saving_breaks(store, after=broken + 1):
        broken += 1
        assert await contents(store) == before
    assert broken >= 15
    async with store.reader() as reader:
        assert (await reader.quotes()).keys() == {MODEL}


async def _saving_breaks(store: Store, after: int) -> bool:
    """Save a round with a failure after so many statements; False when it needed fewer."""
    seen = []

    def count(*_: object) -> None:
        seen.append(1)
        if len(seen) == after:
            raise RuntimeError

    engine = store._site.write.sync_engine
    event.listen(engine, "after_cursor_execute", count)
    try:
        await save(store, entry())
    except RuntimeError:
        return True
    finally:
        event.remove(engine, "after_cursor_execute", count)
    return False


async def test_a_cancelled_round_leaves_nothing_and_the_next_one_goes_through(store: Store) -> None:
    inside = asyncio.Event()

    async def interrupted() -> None:
        async with store.writer() as writer:
            await writer.save_round(AT, [entry()])
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(interrupted())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with store.reader() as reader:
        assert await reader.models() == []
    assert await save(store, entry()) == 1


async def test_a_shadow_without_news_is_saved_too(store: Store) -> None:
    await save(store, entry(shadow=Shadow((tenant(AT),)), points={VERIFIED_WORLD: point(AT // HOUR, None)}))
    async with store.reader() as reader:
        assert await reader.exposure(None, 0) == {}
        assert await reader.life_tables(None, 0) == {}
        assert (await reader.hours([MODEL], 0, region=WORLD))[MODEL][0].price is None
