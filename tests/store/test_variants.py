"""What is kept of shadow tenants who look less often or bid otherwise."""

from __future__ import annotations

from dataclasses import replace

from analytics.interruptions.variants import FRESH, Moved, Variant
from analytics.market import DAY
from bot.store.engine import Store, open_store
from tests.fakes.older import make_older
from tests.fakes.rounds import AT, MODEL, entry, lanes, lived


async def test_lanes_come_back_as_they_were_and_sums_add_up(store: Store) -> None:
    async with store.writer() as writer:
        await writer.save_round(AT, [entry(AT), entry(AT, model="B")])
        await writer.save_round(AT + 300, [entry(AT + 300)])
    async with store.reader() as reader:
        assert await reader.lanes(MODEL) == lanes(AT + 300)
        assert await reader.lanes("B") == lanes(AT, "B")
        assert await reader.lanes("?") == FRESH
        found = await reader.variant_days(None, AT // DAY)
        assert found[MODEL] == {variant: lived(2 * (3 + n)) for n, variant in enumerate(Variant)}
        assert found["B"] == {variant: lived(3 + n) for n, variant in enumerate(Variant)}
        assert await reader.variant_days([MODEL], AT // DAY + 1) == {}


async def test_a_lane_that_was_let_go_is_not_taken_up_again(store: Store) -> None:
    begun = replace(FRESH[0], at=AT + 300)
    async with store.writer() as writer:
        await writer.save_round(AT, [entry(AT)])
        await writer.save_round(AT + 300, [entry(AT + 300, variants=Moved((begun, *FRESH[1:]), {}))])
    async with store.reader() as reader:
        assert await reader.lanes(MODEL) == (begun, *FRESH[1:])


async def test_an_older_poll_adds_its_sums_and_leaves_the_lanes(store: Store) -> None:
    async with store.writer() as writer:
        await writer.save_round(AT, [entry(AT)])
        await writer.save_round(AT - 900, [entry(AT - 900)])
    async with store.reader() as reader:
        assert await reader.lanes(MODEL) == lanes(AT)
        assert (await reader.variant_days([MODEL], 0))[MODEL][Variant.PLAIN] == lived(6)


async def test_a_database_of_before_has_no_variants_yet(database_url: str) -> None:
    gpu = "INSERT INTO gpu (id, name, vast_name, followed, interval_s, offers) VALUES (1, 'B', 'B', true, 300, 1)"
    await make_older(database_url, "0010", [gpu])
    store = await open_store(database_url, writer=True)
    async with store.reader() as reader:
        assert (await reader.lanes("B"), await reader.variant_days(None, 0)) == (FRESH, {})
    async with store.writer() as writer:
        await writer.save_round(AT, [entry(AT, model="B")])
    async with store.reader() as reader:
        assert await reader.lanes("B") == lanes(AT, "B")
    await store.close()
