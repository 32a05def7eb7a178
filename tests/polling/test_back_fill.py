"""Older polls brought in beside stored ones: nothing is lost or counted twice, and hours are as if stored in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pytest

from analytics.market import DAY, HOUR, Exposure, HourPoint, Poll, Quality, Scope
from bot.polling.back_fill import back_fill, covered_time
from bot.polling.rounds import Collector
from bot.store.engine import Store, open_store
from tests.fakes.markets import offer, poll

T0 = 1_800_000_000 // DAY * DAY
MINUTE = 60
GPU = "RTX 4090"


def _poll(minute: int, every: int = 300, quality: Quality = Quality.COMPLETE) -> Poll:
    """Nine machines whose bids change with time, one of which goes now and then."""
    step = minute // 5
    book = [offer(m, 300_000 + 10_000 * ((step // 3 + m) % 4)) for m in range(1, 10) if (step + m) % 13]
    return poll(T0 + minute * MINUTE, *book, every=every, quality=quality)


async def _bring(store: Store, polls: Iterable[Poll], *, together: int = 96) -> tuple[int, int]:
    """As an import does; how many were stored and how many were of covered time."""
    rounds = [(one.at, [one]) for one in polls]
    interval = rounds[0][1][0].interval
    covered = await covered_time(store, [GPU], rounds[0][0], rounds[-1][0], interval)
    filled = back_fill(iter(rounds), covered, Collector(store), together=together, until=rounds[-1][0])
    done = [one async for one in filled]
    return sum(len(one.polls) for one in done), sum(one.skipped for one in done)


async def _hours(store: Store) -> Mapping[object, object]:
    async with store.reader() as reader:
        found: dict[object, Sequence[HourPoint]] = {
            scope: (await reader.hours(None, 0, scope=scope))[GPU] for scope in Scope
        }
        return {**found, "region": [await reader.regional_hours(GPU, T0 // HOUR + n) for n in range(-1, 4)]}


async def _lived(store: Store) -> Exposure:
    async with store.reader() as reader:
        return sum((lived for _, lived in await reader.exposure_hours(GPU, 0)), Exposure())


PARTS = {
    "before, in the same hour": [range(40, 60, 5), range(0, 40, 5)],
    "around": [range(40, 55, 5), range(0, 90, 5)],
    "between two": [[*range(0, 15, 5), *range(40, 60, 5)], range(15, 40, 5)],
    "in three parts": [range(50, 70, 5), range(20, 35, 5), [*range(0, 20, 5), *range(35, 50, 5)]],
    "after": [range(0, 30, 5), range(30, 60, 5)],
}


@pytest.mark.parametrize("together", [1, 4, 96])
@pytest.mark.parametrize("parts", PARTS.values(), ids=PARTS)
async def test_all_polls_are_there_and_the_hours_are_as_if_stored_in_order(
    store: Store, tmp_path: Path, parts: Sequence[Sequence[int]], together: int
) -> None:
    straight = await open_store(f"sqlite:///{tmp_path / 'straight.db'}", writer=True)
    minutes = sorted({minute for part in parts for minute in part})
    await _bring(straight, map(_poll, minutes))
    for part in parts:
        await _bring(store, map(_poll, part), together=together)
    async with store.reader() as reader:
        polled = await reader.poll_times(GPU, 0, T0 + DAY)
    assert [at for at, _ in polled] == [T0 + minute * MINUTE for minute in minutes]
    assert await _hours(store) == await _hours(straight)
    assert (await _lived(store)).held_s <= (await _lived(straight)).held_s
    await straight.close()


async def test_polls_before_the_newest_stored_one_are_kept_where_a_file_goes_on_after_it(store: Store) -> None:
    await _bring(store, map(_poll, [30, 35]))
    assert await _bring(store, map(_poll, range(0, 60, 5))) == (10, 2)


async def test_a_cut_off_poll_in_the_hour_takes_nothing_from_its_price(store: Store) -> None:
    await _bring(store, [_poll(20, quality=Quality.CAPPED)])
    await _bring(store, map(_poll, range(0, 60, 5)))
    async with store.reader() as reader:
        [hour] = (await reader.hours(None, 0))[GPU]
    assert hour.polls == 11


async def test_what_was_lived_between_polls_that_are_far_apart_is_not_lived_again(store: Store) -> None:
    await _bring(store, [_poll(minute, every=1800) for minute in (0, 30, 60)])
    before = await _lived(store)
    assert await _bring(store, map(_poll, range(0, 65, 5))) == (0, 13)
    assert await _lived(store) == before


async def test_what_was_lived_between_two_polls_of_a_file_is_not_lived_again(store: Store) -> None:
    await _bring(store, [_poll(minute, every=120) for minute in (4, 6, 8, 80)])
    before = await _lived(store)
    assert await _bring(store, [_poll(minute, every=900) for minute in (0, 15)]) == (2, 0)
    assert await _lived(store) == before


async def test_what_was_lived_in_polls_that_are_not_kept_any_more_is_not_lived_again(store: Store) -> None:
    old, new = [_poll(minute) for minute in range(0, 180, 5)], [_poll(40 * 24 * 60 + minute) for minute in (0, 5)]
    await _bring(store, old)
    await _bring(store, new)
    before = await _lived(store)
    async with store.writer() as writer:
        for _ in range(20):
            await writer.prune(new[-1].at + MINUTE)
    async with store.reader() as reader:
        assert len(await reader.poll_times(GPU, 0, T0 + 50 * DAY)) == 2
    assert await _bring(store, old) == (0, 36)
    assert await _lived(store) == before
