from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.interruptions.shadow_tenants import PATIENCE_S, advance
from analytics.market import HOUR, Cause, Exposure, LifeTable, Offer, Poll, Quality, Shadow, Tenant
from analytics.slices import minimal_slices
from tests.fakes.markets import offer, poll

START = 1_000_000 * HOUR
STEP = 300


def walk(books: Sequence[Iterable[Offer]], *, step: int = STEP, start: int = START) -> list[Shadow]:
    """The steps of a market whose polls show these books, one every ``step`` seconds."""
    steps: list[Shadow] = []
    tenants: tuple[Tenant, ...] = ()
    for index, book in enumerate(books):
        at = start + index * step
        before = None if index == 0 else at - step
        steps.append(advance(tenants, poll(at, *book, every=step), previous_at=before, interval=step))
        tenants = steps[-1].tenants
    return steps


def lived(steps: Iterable[Shadow]) -> Exposure:
    return sum((part for step in steps for part in (step.exposure or {}).values()), Exposure())


def aged(steps: Iterable[Shadow]) -> LifeTable:
    return sum((step.life for step in steps if step.life), LifeTable())


def slices(machine: int, *groups: tuple[int, ...], **more: object) -> list[Offer]:
    return [offer(machine, gpu_ids=gpus, num_gpus=len(gpus), **more) for gpus in groups]


def test_minimal_keeps_the_slices_that_hold_no_smaller_one() -> None:
    box = slices(1, (0, 1, 2, 3), (0, 1), (2,), (3,))
    assert [o.gpu_ids for o in minimal_slices(box)] == [(2,), (3,), (0, 1)]


def test_minimal_without_gpu_ids_is_the_smallest_size_of_each_machine() -> None:
    unnamed = [offer(1, gpu_ids=(), num_gpus=n) for n in (4, 2, 2)] + [offer(2, gpu_ids=(), num_gpus=8)]
    assert [(o.machine_id, o.num_gpus) for o in minimal_slices(unnamed)] == [(1, 2), (2, 8)]


def test_minimal_ignores_what_cannot_be_rented_and_takes_the_cheapest_of_a_repeated_slice() -> None:
    taken = offer(1, gpu_ids=(0,), rentable=False)
    pair = offer(1, 500_000, gpu_ids=(0, 1), num_gpus=2)
    cheaper, unpriced = replace(pair, min_bid=300_000), replace(pair, min_bid=None)
    assert minimal_slices([taken, unpriced, pair, cheaper]) == (cheaper,)


@settings(deadline=None)
@given(st.lists(st.sets(st.integers(0, 7), min_size=1, max_size=8), max_size=12))
def test_every_offered_gpu_group_holds_a_minimal_slice_and_no_minimal_slice_holds_another(
    groups: list[set[int]],
) -> None:
    kept = [set(o.gpu_ids) for o in minimal_slices(slices(1, *(tuple(sorted(group)) for group in groups)))]
    assert all(any(inner <= group for inner in kept) for group in groups)
    assert not any(a < b for a in kept for b in kept)


def test_tenants_start_on_minimal_verified_priced_slices_bidding_a_tenth_more() -> None:
    book = [*slices(1, (0,), (0, 1)), offer(2, verified=False), offer(3, None), offer(4, 0)]
    (first,) = walk([book])
    assert [(t.slice_id, t.bid, t.since, t.down_since) for t in first.tenants] == [("1:0", 330_000, START, None)]
    assert not lived([first]).held_s


@pytest.mark.parametrize(
    ("then", "cause"),
    [
        ([offer(1, 330_001)], Cause.OUTBID),
        ([offer(1, rentable=False)], Cause.TAKEN_OR_DOWN),
        ([], Cause.ABSENT),
    ],
)
def test_a_lost_slice_is_one_interruption_in_the_middle_of_the_step(then: list[Offer], cause: Cause) -> None:
    steps = walk([[offer(1)], [offer(1)], then])
    (event,) = steps[2].started
    assert (event.cause, event.held_at, event.seen_at, event.back_at) == (cause, START + STEP, START + 2 * STEP, None)
    expected = Exposure(held_s=450, interrupted_s=150, up_steps=2, **{cause.value: 1})
    assert lived(steps) == expected
    assert sum(aged(steps).events) == 1


@pytest.mark.parametrize("then", [offer(1, 330_000), offer(1, None)])
def test_a_slice_at_the_bid_or_without_a_price_is_still_held(then: Offer) -> None:
    steps = walk([[offer(1)], [then]])
    assert lived(steps) == Exposure(held_s=STEP, up_steps=1)


def test_a_tenant_comes_back_at_its_bid_and_starts_a_new_life() -> None:
    steps = walk([[offer(1)], [], [offer(1, 900_000)], [offer(1, 320_000)], [offer(1, 320_000)]])
    (ended,) = steps[3].ended
    assert ended == replace(steps[1].started[0], back_at=START + 3 * STEP)
    assert steps[2].started == ()
    (tenant,) = steps[3].tenants
    assert (tenant.since, tenant.bid, tenant.down_since) == (START + 2 * STEP + STEP // 2, 330_000, None)
    held, lost = 150 + 150 + 300, 150 + 300 + 150
    assert lived(steps) == Exposure(held, lost, up_steps=2, down_steps=2, absent=1, resumed=1)


def test_a_tenant_who_waited_long_enough_gives_up_and_another_takes_the_slice() -> None:
    waiting = PATIENCE_S // HOUR
    books = [[offer(1)], *([offer(1, 900_000)] for _ in range(waiting + 2))]
    steps = walk(books, step=HOUR)
    assert steps[waiting].tenants[0].down_since == START + HOUR
    (tenant,) = steps[waiting + 1].tenants
    assert (tenant.bid, tenant.down_since) == (990_000, None)
    assert lived(steps).down_steps == waiting


@pytest.mark.parametrize(
    "then",
    [offer(1, verified=False), offer(1, end_date=START + STEP), None],
    ids=["verification changed", "end date passed", "gone after its end date"],
)
def test_a_tenancy_that_cannot_be_followed_is_censored(then: Offer | None) -> None:
    steps = walk([[offer(1, end_date=START + STEP)], [then] if then else []])
    assert lived(steps) == Exposure()
    assert not steps[1].started
    assert all(tenant.since == START + STEP for tenant in steps[1].tenants)


def test_an_extended_end_date_is_taken_over() -> None:
    steps = walk([[offer(1, end_date=START + STEP)], [offer(1, end_date=START + 9 * STEP)], [offer(1, end_date=None)]])
    assert [step.tenants[0].end_date for step in steps] == [START + STEP, START + 9 * STEP, None]
    assert lived(steps).up_steps == 2


@pytest.mark.parametrize(("gap", "events"), [(3 * STEP, 1), (3 * STEP + 1, 0)])
def test_more_than_three_planned_intervals_without_a_poll_censor_everything(gap: int, events: int) -> None:
    first = walk([[offer(1), offer(2)]])[0]
    step = advance(first.tenants, poll(START + gap, offer(1)), previous_at=START, interval=STEP)
    assert lived([step]).events == events
    assert lived([step]).held_s == (gap + gap // 2 if events else 0)


def test_a_poll_that_is_not_newer_changes_nothing() -> None:
    first = walk([[offer(1)]])[0]
    assert advance(first.tenants, poll(START), previous_at=START, interval=STEP) == Shadow(tenants=first.tenants)


def test_exposure_belongs_to_the_clock_hours_and_regions_it_covers() -> None:
    start = START + HOUR - 100
    books = [[offer(1), offer(2, region="US-West")], [offer(1), offer(2, region="US-West")]]
    exposure = walk(books, start=start)[1].exposure or {}
    hour = START // HOUR
    assert {key: value.held_s for key, value in exposure.items()} == {
        ("EU-North", hour): 100,
        ("EU-North", hour + 1): 200,
        ("US-West", hour): 100,
        ("US-West", hour + 1): 200,
    }
    assert exposure["EU-North", hour + 1].up_steps == 1


def test_ages_are_spread_over_the_bins_they_pass() -> None:
    steps = walk([[offer(1)], [offer(1)], [offer(1)], []], step=1200)
    assert aged(steps).at_risk_s[:3] == (900, 900, 1200)
    assert aged(steps).events[:3] == (0, 0, 1)


def markets(seed: int, polls: int) -> list[list[Offer]]:
    rng = random.Random(seed)
    kinds = [True, True, True, False]
    return [
        [
            offer(m, rng.randrange(250_000, 400_000), rentable=rng.choice(kinds), region=rng.choice(["A", "B"]))
            for m in range(6)
            if rng.random() < 0.8
        ]
        for _ in range(polls)
    ]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([300, 1000, 5400]))
def test_the_books_add_up_in_any_market(seed: int, step: int) -> None:
    steps = walk(markets(seed, 30), step=step)
    exposure, life = lived(steps), aged(steps)
    started = [event for part in steps for event in part.started]
    ended = [event for part in steps for event in part.ended]
    assert exposure.held_s + exposure.interrupted_s == step * (exposure.up_steps + exposure.down_steps)
    assert sum(life.at_risk_s) == exposure.held_s
    assert sum(life.events) == exposure.events == len(started)
    assert exposure.resumed == len(ended)
    assert {replace(event, back_at=None) for event in ended} <= set(started)
    for part in steps:
        assert len({tenant.slice_id for tenant in part.tenants}) == len(part.tenants)


def test_only_the_given_tenants_matter_so_a_restart_loses_nothing() -> None:
    books = markets(5, 12)
    whole = walk(books)
    at = START + 6 * STEP
    again = advance(
        tuple(whole[5].tenants),
        Poll("RTX 4090", at, Quality.COMPLETE, tuple(books[6])),
        previous_at=at - STEP,
        interval=STEP,
    )
    assert again == whole[6]
