"""Variants of shadow tenants from polls to answers, and machines that only change their name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from analytics.interruptions.estimator import estimate
from analytics.interruptions.thinning import thinning
from analytics.interruptions.variants import Variant
from analytics.market import DAY, HOUR, Exposure, Offer
from bot.commands import COMMANDS
from bot.dispatch.dispatcher import Dispatcher
from bot.polling.rounds import Collector
from bot.sources.sim_calibration import DEFAULT
from bot.sources.simulated import SimulatedMarket
from bot.store.engine import Store
from tests.fakes.markets import offer, poll

T0 = 1_800_000_000 // DAY * DAY
STEP = 300
OLD, NEW = "RTX 4090", "RTX 4090 D"
STAY, OTHERS = range(10, 18), range(20, 28)
"""Enough that the polls are believed."""


def of(model: str, *machines: int) -> tuple[str, list[Offer]]:
    return model, [offer(machine, model=model) for machine in machines]


async def record(collector: Collector, at: int, *books: tuple[str, list[Offer]]) -> None:
    await collector.record(at, [poll(at, *offers, model=model) for model, offers in books])


async def lived(store: Store, model: str = OLD) -> Exposure:
    async with store.reader() as reader:
        return sum((await reader.exposure([model], 0)).get(model, {}).values(), Exposure())


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_machine_that_bears_another_models_name_is_censored_not_interrupted(
    store: Store, restarted: bool
) -> None:
    collector = Collector(store)
    await record(collector, T0, of(OLD, *STAY, 2, 3), of(NEW, *OTHERS))
    if restarted:
        collector = Collector(store)
    await record(collector, T0 + STEP, of(OLD, *STAY), of(NEW, *OTHERS, 2))
    assert (await lived(store)).absent == 1
    async with store.reader() as reader:
        assert [lost.machine_id for lost in await reader.interruptions(OLD, 0)] == [3]
        assert {tenant.machine_id for tenant in await reader.tenants(NEW)} == {*OTHERS, 2}
        sums = await reader.variant_days([OLD], 0)
        assert {sums[OLD][bid].absent for bid in (Variant.PLAIN, Variant.BID_100, Variant.BID_125)} == {1}


async def test_the_other_models_latest_book_tells_it_where_only_one_is_polled(store: Store) -> None:
    collector = Collector(store)
    await record(collector, T0, of(OLD, *STAY, 2), of(NEW, *OTHERS))
    await record(collector, T0 + STEP, of(NEW, *OTHERS, 2))
    await record(collector, T0 + STEP + 1, of(OLD, *STAY))
    found = await lived(store)
    assert (found.events, found.up_steps) == (0, len(STAY))


async def test_the_answers_take_the_factor_of_the_stored_variants(store: Store) -> None:
    start = T0 - 5 * DAY
    market, collector = SimulatedMarket(3, start - 1, DEFAULT[:2]), Collector(store)
    for at in range(start, T0 + 1, HOUR):
        polls = [poll(at, *market.offers(model, at), model=model, every=HOUR) for model in market.models]
        await collector.record(at, [replace(one, interval=HOUR) for one in polls])
    async with store.reader() as reader:
        sums = await reader.variant_days(None, 0)
        rows = {name: sum(some.values(), Exposure()) for name, some in (await reader.exposure(None, 0)).items()}
    dispatcher = Dispatcher(store, COMMANDS, lambda: T0 + 60)
    for model in market.models:
        assert sums[model][Variant.PLAIN] == rows[model]
        factor = thinning(sums[model][Variant.PLAIN], sums[model][Variant.THINNED])
        assert factor
        assert factor < 1
        _, q8 = await dispatcher.ask_line(f"reliability {model}")
        _, q9 = await dispatcher.ask_line(f"interruptions 30d {model}")
        between = q8.mean_time_between_interruptions_hours
        assert between == q9.gpus[0].mean_time_between_interruptions_hours
        assert between == pytest.approx(factor * _plain(rows[model]), rel=1e-4)
        share = between / (between + q8.avg_interruption_duration_minutes / 60)
        assert q8.uptime_percent_30d == pytest.approx(100 * share, abs=0.01)


def _plain(sums: Exposure) -> float:
    found = estimate(sums).mtbi_hours
    assert found
    return found
