"""Prices, forecasts, availability, fleets and history, asked of a stored market."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from analytics.errors import AskError, NotYet
from analytics.market import DAY, HOUR
from bot.commands import COMMANDS
from bot.commands.counter import Counter
from bot.show.words import Words
from tests.commands.conftest import DAYS, NAMES


async def ask(counter: Counter, line: str) -> Any:
    return (await counter.ask_line(line))[1]


async def card(counter: Counter, line: str, language: str = "en") -> Any:
    command, answer = await counter.ask_line(line)
    return command.card(answer, Words(language, counter.clock()))


def later(counter: Counter, seconds: int) -> Counter:
    now = counter.clock() + seconds
    return Counter(counter.store, COMMANDS, lambda: now)


async def test_the_monitor_has_every_model_with_its_day(counter: Counter) -> None:
    found = await ask(counter, "monitor")
    assert {trend.gpu_name for trend in found.price_trends} == set(NAMES)
    assert found.total_gpus_tracked == len(NAMES)
    offers = [trend.offers for trend in found.price_trends]
    assert offers == sorted(offers, reverse=True)
    for trend in found.price_trends:
        assert trend.min_price_24h <= trend.avg_price_24h <= trend.max_price_24h
        assert (trend.gaps_24h, trend.history_hours) == (0, DAYS * 24)
        assert trend.trend in ("increasing", "decreasing", "stable")


async def test_all_hosts_are_more_than_the_verified_ones(counter: Counter) -> None:
    verified, everyone = await ask(counter, "monitor 4090"), await ask(counter, "monitor 4090 all")
    [ours], [theirs] = verified.price_trends, everyone.price_trends
    assert ours.gpu_name == theirs.gpu_name == "RTX 4090"
    assert theirs.offers > ours.offers
    assert theirs.trend is not None


async def test_the_day_of_an_old_poll_is_the_day_before_it(counter: Counter) -> None:
    now, old = await ask(counter, "monitor 4090"), await ask(later(counter, 90 * DAY), "monitor 4090")
    assert old.evidence.stale
    assert old.price_trends[0].stale
    assert old.price_trends[0].avg_price_24h == now.price_trends[0].avg_price_24h


async def test_a_model_that_is_listed_but_was_never_polled_has_no_price(counter: Counter) -> None:
    for line in ("monitor B200", "predict B200", "availability B200", "history B200"):
        with pytest.raises(NotYet):
            await ask(counter, line)


async def test_a_forecast_holds_for_six_hours(counter: Counter) -> None:
    assert (await ask(later(counter, 5 * HOUR), "predict RTX 4090")).evidence.stale
    with pytest.raises(NotYet):
        await ask(later(counter, 7 * HOUR), "predict RTX 4090")


async def test_availability_agrees_with_the_monitor_and_knows_yesterday(counter: Counter) -> None:
    [trend] = (await ask(counter, "monitor 4090")).price_trends
    found = await ask(counter, "availability RTX 4090")
    assert found.total_available == trend.gpus_available
    assert all(row.change_vs_yesterday is not None for row in found.regions)
    assert found.home == "Sao Paulo, BR"
    paris = await ask(counter, "availability RTX 4090 home=Paris,FR")
    row = next(row for row in paris.regions if row.region == "EU-West")
    there = next(row for row in found.regions if row.region == "EU-West")
    assert row.latency_ms < there.latency_ms


async def test_a_fleet_is_cut_to_the_budget_and_says_when_that_is_too_small(counter: Counter) -> None:
    found = await ask(counter, "fleet training $300 high 100h")
    assert (found.workload, found.reliability, found.hours_per_month) == ("training", "high", 100)
    assert 0 < found.monthly_cost <= 300
    poor = await ask(counter, "fleet $1")
    assert (poor.total_gpus, poor.strategy) == (0, "none")
    assert f"from ${poor.smallest_budget:.2f}" in (await card(counter, "fleet $1")).lead
    with pytest.raises(AskError):
        await ask(counter, "fleet")


async def test_history_is_as_long_as_asked(counter: Counter) -> None:
    week, all_ = await ask(counter, "history RTX 4090 days=7"), await ask(counter, "history RTX 4090 days=300")
    assert (week.step, len(week.points)) == ("hour", 7 * 24)
    assert (all_.step, all_.gaps) == ("day", ())
    assert len(all_.points) in (DAYS, DAYS + 1)
    [line] = (await card(counter, "history RTX 4090")).sparks
    assert 30 < len(line.values) <= 61
    assert line.values[-1] == week.points[-1].price


async def test_a_gap_is_drawn_as_one(counter: Counter) -> None:
    [line] = (await card(later(counter, 3 * HOUR), "predict RTX 4090")).sparks
    assert line.values[-3:] == (None, None, None)
    assert None not in line.values[:-3]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("predict RTX 4090", "agora"),
        ("availability RTX 4090", "livres agora; melhor"),
        ("fleet training $500", "o mesmo trabalho na AWS"),
        ("history RTX 4090", "horas com preço"),
    ],
)
async def test_the_conclusion_comes_first_and_in_the_readers_language(counter: Counter, line: str, words: str) -> None:
    assert words in (await card(counter, line, "pt-BR")).lead


def test_what_the_solver_prints_stays_off_standard_output() -> None:
    code = """
import ctypes
from bot.commands.fleet import _stdout_kept
libc = ctypes.CDLL(None)
print("before")
with _stdout_kept():
    libc.printf(b"noise\\n")
print("after")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd())
    assert (done.stdout, done.stderr) == ("before\nafter\n", "noise\n")
