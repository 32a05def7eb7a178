"""Which rows of a file are one poll, what an unreadable row takes from it, and whether it is all of the market."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest

from analytics.market import ANY_MACHINE, Poll, Quality
from bot.sources import importing
from bot.sources.importing import ImportFile

T0 = 1_790_000_000
HEADER = (
    "ts_utc,gpu_name,machine_id,num_gpus,geolocation,on_demand_per_gpu,min_bid_per_gpu,rentable,verified,reliability"
)
Row = tuple[float, str, int]
Read = Callable[..., ImportFile]


def line(at: object, model: str, machine: object, price: object = 0.4) -> str:
    return f'{at},{model},{machine},1,"Texas, US",{price},0.2,1,1,0.99'


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def of(lines: Iterable[str], complete: bool | None = None) -> ImportFile:
        path = tmp_path / "offers.csv"
        path.write_text("\n".join([HEADER, *lines]))
        return importing.import_file(path, now=T0 + 400 * 86_400, complete=complete)

    return of


def polls(found: ImportFile) -> list[Poll]:
    return [poll for _, some in found.rounds() for poll in some]


def snapshots(
    starts: Sequence[float], delays: dict[str, Sequence[float]], gone: Iterable[tuple[int, int]] = ()
) -> list[str]:
    """One snapshot a start: of each model a row a delay, its machines numbered through; without what is gone."""
    lines = []
    for n, start in enumerate(starts):
        rows, machine = [], 0
        for model, some in delays.items():
            for delay in some:
                machine += 1
                if (n, machine) not in gone:
                    rows.append((start + delay, model, machine))
        lines += [line(at, model, machine) for at, model, machine in sorted(rows)]
    return lines


def every(seconds: int, times: int = 12) -> list[int]:
    return [T0 + n * seconds for n in range(times)]


TWO = {"RTX 4090": (0, 0, 0), "RTX 5090": (0, 0, 0)}


@pytest.mark.parametrize(
    ("starts", "delays", "count", "interval"),
    [
        pytest.param(every(600), TWO, 12, 600, id="one time"),
        pytest.param(every(600), {"RTX 4090": (0.998, 0.999, 1.001, 1.002)}, 12, 600, id="row by row over a second"),
        pytest.param(every(600), {"RTX 4090": (0,) * 3, "RTX 5090": (6,) * 3}, 12, 600, id="models six seconds apart"),
        pytest.param(every(300), {"RTX 4090": range(0, 60, 2)}, 12, 300, id="a minute at five minutes"),
        pytest.param(every(300), {"RTX 4090": range(0, 250, 9)}, 12, 300, id="four minutes at five, row by row"),
        pytest.param(
            every(300), {f"GPU {n}": range(n * 15, n * 15 + 4) for n in range(19)}, 12, 300, id="models all the time"
        ),
        pytest.param(every(3600), {"RTX 4090": (0, 0), "RTX 5090": (1800, 1800)}, 12, 3600, id="models in turn"),
        pytest.param(every(5), TWO, 12, 5, id="seconds apart in truth"),
        pytest.param([T0, T0 + 700, T0 + 900, T0 + 2000, T0 + 86_400, T0 + 87_000], TWO, 6, 700, id="irregular"),
        pytest.param([T0, *every(86_400)[1:], T0 + 86_400 * 11 + 20], TWO, 13, 86_400, id="daily, and one look again"),
        pytest.param([T0], {"RTX 4090": range(0, 90, 3)}, 1, 300, id="one snapshot only"),
    ],
)
def test_times_much_closer_than_the_spacing_are_one_poll(
    read: Read, starts: Sequence[float], delays: dict[str, Sequence[float]], count: int, interval: int
) -> None:
    found = read(snapshots(starts, delays))
    rounds = list(found.rounds())
    assert (len(rounds), found.interval) == (count, interval)
    for _, some in rounds:
        assert {poll.model: len(poll.offers) for poll in some} == {name: len(rows) for name, rows in delays.items()}
        assert {poll.quality for poll in some} == {Quality.COMPLETE}


def test_a_model_is_polled_at_the_time_of_its_own_rows(read: Read) -> None:
    found = read(snapshots(every(600), {"RTX 4090": (0, 0), "RTX 5090": (6, 7)}))
    assert [poll.at - T0 for poll in polls(found) if poll.model == "RTX 5090"] == [n * 600 + 6 for n in range(12)]


def test_a_model_without_rows_in_a_whole_snapshot_had_nothing(read: Read) -> None:
    delays = {"RTX 4090": (0, 0), "RTX 5090": (6, 6)}
    found = read(snapshots(every(600), delays, gone=[(5, 3), (5, 4), (6, 1)]))
    counts = [(poll.model, len(poll.offers)) for poll in polls(found)]
    assert counts[10:14] == [("RTX 4090", 2), ("RTX 5090", 0), ("RTX 4090", 1), ("RTX 5090", 2)]


def test_a_models_next_rows_are_its_next_poll_though_all_its_machines_are_others(read: Read) -> None:
    starts, names = every(300), [f"GPU {n}" for n in range(19)]
    lines = [
        line(at + 15 * n, name, 100 * n + machine + 10 * (step == 5 and n == 1))
        for step, at in enumerate(starts)
        for n, name in enumerate(names)
        for machine in (1, 2)
        if (step, n) != (5, 0)
    ]
    assert [len(poll.offers) for poll in polls(read(lines)) if poll.model == "GPU 1"] == [2] * 12


@pytest.mark.parametrize("a_second", [1, 2])
def test_a_row_listed_twice_in_a_snapshot_ends_none(read: Read, a_second: int) -> None:
    lines = [line(at + n // a_second, "RTX 4090", m) for at in every(600) for n, m in enumerate((1, 2, 1, 3, 4, 5, 6))]
    found = read(lines)
    assert [len(poll.offers) for poll in polls(found)] == [6] * 12
    assert found.report.duplicates == 12


def test_order_of_lines_changes_no_snapshot(read: Read) -> None:
    lines = snapshots(every(600), {"RTX 4090": (0, 1, 2, 3), "RTX 5090": (6, 7)})
    ordered = [(poll.model, poll.at, set(poll.offers)) for poll in polls(read(lines))]
    random.Random(3).shuffle(lines)
    assert [(poll.model, poll.at, set(poll.offers)) for poll in polls(read(lines))] == ordered


def test_what_an_unreadable_row_said_is_unknown(read: Read) -> None:
    lines = [line(at, "RTX 4090", m) for at in every(600, 3) for m in range(1, 5)]
    lines[7] = line(T0 + 600, "RTX 4090", 4, price="n/a")
    lines[11] = line(T0 + 1200, "RTX 4090", "?")
    found = polls(read(lines))
    assert {poll.quality for poll in found} == {Quality.COMPLETE}
    assert [(len(poll.offers), set(poll.unknown)) for poll in found] == [(4, set()), (3, {4}), (3, {ANY_MACHINE})]


def test_the_unreadable_row_of_a_snapshot_stamped_row_by_row_is_of_that_snapshot(read: Read) -> None:
    lines = [line(at + m, "RTX 4090", m) for at in every(600, 3) for m in range(1, 5)]
    lines[7] = line(T0 + 604, "RTX 4090", 4, price="n/a")
    lines[8] = line(T0 + 1201, "RTX 4090", 1, price="n/a")
    lines.insert(8, line(T0 + 605, "RTX 4090", 9, price="n/a"))
    lines.insert(9, line(T0 + 1199, "RTX 4090", 8, price="n/a"))
    lines.insert(9, line(T0 + 900, "RTX 4090", 7, price="n/a"))
    assert [set(poll.unknown) for poll in polls(read(lines))] == [set(), {4, 9}, {1, 8}]


@pytest.mark.parametrize("torn", [f"{T0 + 600},RTX 4", "rubbish", f'{T0}x,RTX 4090,4,1,"Texas, US",0.4,0.2,1,1,0.99'])
@pytest.mark.parametrize("shuffled", [False, True])
def test_a_torn_line_may_be_any_machine_of_the_snapshot_around_it(read: Read, torn: str, shuffled: bool) -> None:
    lines = [line(at, "RTX 4090", m) for at in every(600, 3) for m in range(1, 5)]
    lines[7] = torn
    if shuffled:
        lines = [*lines[8:], *lines[:8]]
    found = polls(read(lines))
    assert [(poll.quality, ANY_MACHINE in poll.unknown) for poll in found][:2] == [
        (Quality.COMPLETE, False),
        (Quality.COMPLETE, True),
    ]


def test_more_than_a_third_unreadable_is_no_poll(read: Read) -> None:
    lines = [line(at, "RTX 4090", m) for at in every(600, 2) for m in range(1, 4)]
    lines[4], lines[5] = (line(T0 + 600, "RTX 4090", m, price="n/a") for m in (2, 3))
    assert [poll.quality for poll in polls(read(lines))] == [Quality.COMPLETE, Quality.CAPPED]


def drawn(rows: Callable[[int], int], market: int, starts: Sequence[int], models: Sequence[str]) -> list[str]:
    chance = random.Random(5)
    return [
        line(at, model, 1000 * n + machine)
        for step, at in enumerate(starts)
        for n, model in enumerate(models)
        for machine in chance.sample(range(1, market), rows(step))
    ]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (drawn(lambda _: 64, 90, every(40_000, 8), ["RTX 4090"]), "has 64 rows though the rows are others"),
        (drawn(lambda _: 64, 90, every(40_000, 3), ["RTX 4090", "L40S", "A40"]), "has 64 rows"),
        (drawn(lambda _: 37, 60, every(900, 30), ["RTX 4090"]), "has 37 rows"),
        (drawn(lambda n: 30 + n % 7, 400, every(900), ["RTX 4090"]), "of the machines are listed again"),
    ],
)
def test_a_cut_or_drawn_recording_is_taken_as_incomplete_unless_insisted(
    read: Read, lines: list[str], says: str
) -> None:
    found = read(lines)
    assert says in found.report.sample
    assert {poll.quality for poll in polls(found)} == {Quality.CAPPED}
    insisted = read(lines, complete=True)
    assert not insisted.part
    assert {poll.quality for poll in polls(insisted)} == {Quality.COMPLETE}


def living(machines: int, chance_of_change: float, polls_: int, seed: int) -> list[str]:
    """A census: each machine comes and goes by itself."""
    chance = random.Random(seed)
    free = {machine: chance.random() < 0.7 for machine in range(1, machines)}
    lines = []
    for at in every(900, polls_):
        for machine in free:
            free[machine] ^= chance.random() < chance_of_change
        lines += [line(at, "RTX 4090", machine) for machine, is_free in free.items() if is_free]
    return lines


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("machines", "change", "count"), [(23, 0.02, 60), (92, 0.01, 60), (92, 0.2, 60), (92, 0.02, 7)]
)
def test_a_census_is_never_taken_for_a_sample(read: Read, machines: int, change: float, count: int, seed: int) -> None:
    found = read(living(machines, change, count, seed))
    assert (found.report.sample, found.part) == ("", "")


@pytest.mark.parametrize("seed", range(6))
def test_a_market_that_is_often_as_full_as_it_can_be_is_no_sample(read: Read, seed: int) -> None:
    chance, free, lines = random.Random(seed), list(range(1, 33)), []
    for step, at in enumerate(every(900, 60)):
        gone = chance.sample(free, chance.randrange(3))
        free = [machine for machine in free if machine not in gone]
        free += [1000 + 10 * step + n for n in range(min(chance.randrange(4), 32 - len(free)))]
        lines += [line(at, "RTX 4090", machine) for machine in free]
    assert not read(lines).report.sample


def test_few_lists_of_as_many_rows_say_nothing_yet(read: Read) -> None:
    assert not read(drawn(lambda _: 64, 90, every(40_000, 4), ["RTX 4090"])).report.sample


def test_a_market_that_stands_still_is_no_sample(read: Read) -> None:
    assert not read([line(at, "RTX 4090", m) for at in every(900, 40) for m in range(1, 65)]).report.sample


def test_said_to_be_incomplete_is_taken_as_incomplete(read: Read) -> None:
    found = polls(read(snapshots(every(600), TWO), complete=False))
    assert {poll.quality for poll in found} == {Quality.CAPPED}


@pytest.mark.parametrize("lists", [2, 4])
def test_a_model_that_was_polled_less_often_is_not_gone_in_between(read: Read, lists: int) -> None:
    fast = snapshots(every(600, 24), {"RTX 4090": (0,) * 8})
    slow = [line(T0 + n * 3600 + 7, "H100 SXM", machine) for n in range(lists) for machine in (21, 22, 23)]
    found = read([*fast, *slow])
    by_model = {name: [poll for poll in polls(found) if poll.model == name] for name in ("RTX 4090", "H100 SXM")}
    assert [(len(some), {len(poll.offers) for poll in some}) for some in by_model.values()] == [(24, {8}), (lists, {3})]
    assert [{poll.interval for poll in some} for some in by_model.values()] == [{600}, {3600}]
    assert found.report.slower == {"H100 SXM": 3600}


def test_a_model_that_is_listed_again_and_again_and_then_not_is_gone(read: Read) -> None:
    rare = [line(T0 + n * 600, "H100 SXM", 21) for n in (2, 3, 4, 9, 10, 11, 18)]
    found = read([*snapshots(every(600, 24), {"RTX 4090": (0,) * 8}), *rare])
    seen = [bool(poll.offers) for poll in polls(found) if poll.model == "H100 SXM"]
    assert [n for n, there in enumerate(seen) if there] == [2, 3, 4, 9, 10, 11, 18]
    assert len(seen) == 24
    assert not found.report.slower
