"""The benchmark of reliability_score: the curve of those who rented, and that watching them leaves the market alone."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from analytics.market import AGE_BINS_H, DAY, HOUR, Exposure, LifeTable
from benchmarks.estimator import Followed
from benchmarks.survival import START, Renters, Spell, Verdict, kaplan_meier, lived, main, stand_in

DAYS = 3


def test_kaplan_meier_as_worked_by_hand() -> None:
    spells = [Spell(30.0, False), Spell(4.0, True), Spell(2.0, False), Spell(9.0, True), Spell(9.0, False)]
    # four are at risk at 4 h, three at 9 h, where one is interrupted before the other leaves
    alive, error = kaplan_meier(spells, 24.0)
    assert alive == pytest.approx(3 / 4 * 2 / 3)
    assert error == pytest.approx(0.5 * (1 / (4 * 3) + 1 / (3 * 2)) ** 0.5)
    assert kaplan_meier(spells, 3.9) == (1.0, 0.0)
    assert kaplan_meier(spells, 9.0)[0] == pytest.approx(0.5)


def test_nobody_left_is_no_chance_and_nobody_at_all_no_answer() -> None:
    assert kaplan_meier([Spell(1.0, True), Spell(2.0, True)], 24.0) == (0.0, 0.0)
    assert kaplan_meier([], 24.0) == (1.0, 0.0)


def test_the_renters_are_those_of_the_market_which_goes_on_as_if_unwatched() -> None:
    module = _stand_in()
    watched, alone = (module.Market(60, 5, START - DAY) for _ in range(2))
    watched.advance(START)
    renters = Renters(watched, START)
    for hour in range(DAYS * 24):
        watched.advance(START + hour * HOUR)
    alone.advance(watched.now)
    ended = [(model, spell) for model, some in renters.spells.items() for spell in some]
    assert watched.log == alone.log
    runs = Counter((model, round(end - begun)) for model, begun, end in alone.runs if begun >= START)
    assert not Counter((model, round(spell.hours * HOUR)) for model, spell in ended) - runs
    assert any(spell.interrupted for _, spell in ended)
    assert any(not spell.interrupted for _, spell in ended)
    interrupted = [entry for entry in alone.log if entry["rental"] == "bid" and entry["start"] >= START]
    assert sum(spell.interrupted for _, spell in ended) < len(interrupted)
    running = {id(one) for machine in alone.machines for one in machine.slots if one and _new_bid(one)}
    assert sum(map(len, renters.finish().values())) == len(ended) + len(running)


def _new_bid(contract: Any) -> bool:
    return bool(contract.kind == "bid" and contract.gen == 1 and contract.since >= START)


@pytest.mark.parametrize(("mean", "held"), [(30.0, [1, 1]), (22.0, [0, 1]), (5.0, [0, 0])])
def test_an_interval_holds_renters_near_it_and_further_off_where_days_scatter(mean: float, held: list[int]) -> None:
    bins, calm, wild = (
        len(AGE_BINS_H) + 1,
        Exposure(held_s=300 * HOUR, outbid=5),
        Exposure(held_s=300 * HOUR, outbid=15),
    )
    life = LifeTable((300 * HOUR,) * bins, (10,) * bins)
    followed = Followed(days={day: wild if day % 2 else calm for day in range(14)}, life=life)
    spells = [Spell(-mean * math.log((place + 0.5) / 1000), True) for place in range(1000)]
    verdict = Verdict()
    verdict.add(followed, spells)
    assert verdict.held == held
    assert verdict.errors == pytest.approx([math.exp(-24 / 30) - math.exp(-24 / mean)], abs=0.01)


def test_a_market_is_followed_by_shadow_tenants_and_their_renters_watched() -> None:
    models, spells = lived(_stand_in(), 60, 2, 5, machines=60)
    assert set(spells) <= set(models)
    assert sum(followed.exposure.events for followed in models.values()) > 50
    assert max(spell.hours for some in spells.values() for spell in some) < 2 * 24
    verdict = Verdict()
    verdict.add(Followed(), spells[max(spells)])
    assert verdict.errors == []
    assert verdict.held == [0, 0]


@pytest.mark.parametrize(("error", "held", "met"), [(-0.05, 13, True), (0.051, 16, False), (0.0, 12, False)])
def test_both_aims_are_met_or_neither(error: float, held: int, met: bool) -> None:
    assert Verdict([error] * 16, [0.02] * 16, [0, held]).met is met


def test_without_the_stand_in_it_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("benchmarks.survival.TOOLS", tmp_path)
    assert main(["60:30:11"]) == 0
    assert capsys.readouterr().out == f"skipped: no fake_vast.py in {tmp_path}\n"


def _stand_in() -> ModuleType:
    module = stand_in()
    if module is None:
        pytest.skip("the stand-in market is not beside the checkout")
    return module
