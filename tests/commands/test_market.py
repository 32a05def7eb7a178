"""Prices, forecasts, availability, fleets and history, asked of a stored market."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analytics.errors import AskError, NotYet
from analytics.market import DAY, HOUR
from bot.commands import COMMANDS
from bot.dispatch.dispatcher import Dispatcher
from bot.presentation.words import Words
from tests.commands.conftest import DAYS, NAMES


async def ask(dispatcher: Dispatcher, line: str) -> Any:
    return (await dispatcher.ask_line(line))[1]


async def card(dispatcher: Dispatcher, line: str, language: str = "en") -> Any:
    command, answer = await dispatcher.ask_line(line)
    return command.card(answer, Words(language, dispatcher.clock()))


def later(dispatcher: Dispatcher, seconds: int) -> Dispatcher:
    now = dispatcher.clock() + seconds
    return Dispatcher(dispatcher.store, COMMANDS, lambda: now)


async def test_the_monitor_has_every_model_with_its_day(dispatcher: Dispatcher) -> None:
    found = await ask(dispatcher, "monitor")
    assert {trend.gpu_name for trend in found.price_trends} == set(NAMES)
    assert found.total_gpus_tracked == len(NAMES)
    offers = [trend.offers for trend in found.price_trends]
    assert offers == sorted(offers, reverse=True)
    for trend in found.price_trends:
        assert trend.min_price_24h <= trend.avg_price_24h <= trend.max_price_24h
        assert trend.min_price_24h <= trend.current_price <= trend.max_price_24h
        assert (trend.gaps_24h, trend.history_hours) == (0, DAYS * 24)
        assert trend.trend in ("increasing", "decreasing", "stable")


async def test_all_hosts_are_more_than_the_verified_ones(dispatcher: Dispatcher) -> None:
    verified, everyone = await ask(dispatcher, "monitor 4090"), await ask(dispatcher, "monitor 4090 all")
    [ours], [theirs] = verified.price_trends, everyone.price_trends
    assert ours.gpu_name == theirs.gpu_name == "RTX 4090"
    assert theirs.offers > ours.offers
    assert theirs.trend is not None


USUAL = [
    ("en", "-15.7% against its last 24 h (usual for it: -18.0% to +21.0%)", "stable (usual: -18.0% to +21.0%)"),
    (
        "pt-BR",
        "-15,7% em relação às últimas 24 h (o habitual dele: de -18,0% a +21,0%)",
        "estável (habitual: de -18,0% a",
    ),
]


@pytest.mark.parametrize(("language", "alone", "among"), USUAL)
async def test_a_large_change_that_is_stable_says_what_is_usual(
    dispatcher: Dispatcher, language: str, alone: str, among: str
) -> None:
    command, found = await dispatcher.ask_line("monitor")
    moved = {"change_percent": -15.7, "usual_low_percent": -18.0, "usual_high_percent": 21.0}
    first, second = (replace(trend, trend="stable", **moved) for trend in found.price_trends[:2])
    words = Words(language, dispatcher.clock())
    one = command.card(replace(found, price_trends=(first,)), words)
    assert alone in one.lead
    assert "18" not in one.tables[0].rows[0][4]
    two = command.card(replace(found, price_trends=(first, replace(second, trend="decreasing"))), words)
    assert two.tables[0].rows[0][4].startswith(among)
    assert two.tables[0].rows[1][4] == words("decreasing")
    bare = replace(first, trend=None, usual_low_percent=None, usual_high_percent=None)
    assert "(" not in command.card(replace(found, price_trends=(bare,)), words).lead


async def test_one_model_shows_what_is_usual_for_it_whatever_its_trend(dispatcher: Dispatcher) -> None:
    [trend] = (await ask(dispatcher, "monitor 4090")).price_trends
    assert trend.usual_low_percent <= 0 <= trend.usual_high_percent
    assert "(usual for it: " in (await card(dispatcher, "monitor 4090")).lead


async def test_the_day_of_an_old_poll_is_the_day_before_it(dispatcher: Dispatcher) -> None:
    now, old = await ask(dispatcher, "monitor 4090"), await ask(later(dispatcher, 90 * DAY), "monitor 4090")
    assert old.evidence.stale
    assert old.price_trends[0].stale
    assert old.price_trends[0].avg_price_24h == now.price_trends[0].avg_price_24h


async def test_a_model_that_is_listed_but_was_never_polled_has_no_price(dispatcher: Dispatcher) -> None:
    for line in ("monitor B200", "predict B200", "availability B200", "history B200"):
        with pytest.raises(NotYet):
            await ask(dispatcher, line)


async def test_a_forecast_holds_for_six_hours(dispatcher: Dispatcher) -> None:
    assert (await ask(later(dispatcher, 5 * HOUR), "predict RTX 4090")).evidence.stale
    with pytest.raises(NotYet):
        await ask(later(dispatcher, 7 * HOUR), "predict RTX 4090")


async def test_availability_agrees_with_the_monitor_and_knows_yesterday(dispatcher: Dispatcher) -> None:
    [trend] = (await ask(dispatcher, "monitor 4090")).price_trends
    found = await ask(dispatcher, "availability RTX 4090")
    assert found.total_available == trend.gpus_available
    assert all(row.change_vs_yesterday is not None for row in found.regions)
    assert found.home == "Sao Paulo, BR"
    paris = await ask(dispatcher, "availability RTX 4090 home=Paris,FR")
    assert await ask(dispatcher, "availability RTX 4090 from=Paris,FR") == paris
    row = next(row for row in paris.regions if row.region == "EU-West")
    there = next(row for row in found.regions if row.region == "EU-West")
    assert row.latency_ms < there.latency_ms


async def test_a_fleet_is_cut_to_the_budget_and_says_when_that_is_too_small(dispatcher: Dispatcher) -> None:
    found = await ask(dispatcher, "fleet training $300 high 100h")
    assert (found.workload, found.reliability, found.hours_per_month) == ("training", "high", 100)
    assert 0 < found.monthly_cost <= 300
    poor = await ask(dispatcher, "fleet $1")
    assert (poor.total_gpus, poor.strategy) == (0, "none")
    assert f"from ${poor.smallest_budget:.2f}" in (await card(dispatcher, "fleet $1")).lead
    with pytest.raises(AskError):
        await ask(dispatcher, "fleet")


async def test_a_budget_too_small_offers_less_reliability_that_can_be_pressed(dispatcher: Dispatcher) -> None:
    poor = await ask(dispatcher, "fleet $1 high")
    shown = await card(dispatcher, "fleet $1 high")
    least = poor.smallest_budgets["low"]
    assert f"with reliability low from ${least:.2f}" in shown.lead
    line = next(action.line for action in shown.actions if "low" in action.line)
    assert line == f"fleet {least} training low hours_per_month=160"
    assert (await ask(dispatcher, line)).total_gpus > 0


async def test_a_fleets_card_says_how_to_change_its_hours_and_stays_short(dispatcher: Dispatcher) -> None:
    shown = await card(dispatcher, "fleet training $1000000")
    assert "160 h a month: change with hours=" in shown.notes
    assert "of $1,000,000.00" in shown.lead
    assert all(len(table.rows) <= 6 for table in shown.tables)
    asked = await ask(dispatcher, "fleet training $300 hours=80")
    assert asked.hours_per_month == 80


async def test_a_fleet_that_saves_nothing_is_not_said_to(dispatcher: Dispatcher) -> None:
    command, found = await dispatcher.ask_line("fleet training $300")
    words = Words("en", dispatcher.clock())
    assert "the same work on AWS costs $12.50 less" in command.card(replace(found, savings_vs_aws=-12.5), words).lead
    assert "the same work on AWS costs $12.50 more" in command.card(replace(found, savings_vs_aws=12.5), words).lead


@pytest.mark.parametrize(("line", "rows"), [("fleet training $300", "composition"), ("llm 7B", "recommendations")])
async def test_cards_show_on_how_many_machines_a_price_rests(dispatcher: Dispatcher, line: str, rows: str) -> None:
    found = await ask(dispatcher, line)
    table = (await card(dispatcher, line)).tables[0]
    at = [column.title for column in table.columns].index("machines")
    lines = getattr(found, rows)[: len(table.rows)]
    assert [row[at] for row in table.rows] == [str(one.machines) for one in lines]


async def test_history_is_as_long_as_asked(dispatcher: Dispatcher) -> None:
    week, all_ = await ask(dispatcher, "history RTX 4090 days=7"), await ask(dispatcher, "history RTX 4090 days=300")
    assert (week.step, len(week.points)) == ("hour", 7 * 24)
    assert (all_.step, all_.gaps) == ("day", ())
    assert len(all_.points) in (DAYS, DAYS + 1)
    [line] = (await card(dispatcher, "history RTX 4090")).sparks
    assert 30 < len(line.values) <= 61
    assert line.values[-1] == week.points[-1].price


@pytest.mark.parametrize(
    ("language", "short", "whole"),
    [
        (
            "en",
            "24 hours with a price; less than 2 days of prices",
            ", medians of the first and last day of 168 hours with",
        ),
        (
            "pt-BR",
            "24 horas com preço; menos de 2 dias de preços",
            ", medianas do primeiro e do último dia de 168 horas",
        ),
    ],
)
async def test_the_history_tells_its_change_between_days_or_why_there_is_none(
    dispatcher: Dispatcher, language: str, short: str, whole: str
) -> None:
    words, stats = Words(language, dispatcher.clock()), (await ask(dispatcher, "history RTX 4090 days=7")).stats
    told = f"{words.money(stats.first_day)} → {words.money(stats.last_day)} "
    change = f"({words.percent(stats.change_percent, signed=True)})"
    assert told + change + whole in (await card(dispatcher, "history RTX 4090 days=7", language)).lead
    day = (await card(dispatcher, "history RTX 4090 days=1", language)).lead
    assert short in day
    assert "→" not in day
    assert "%" not in day


async def test_an_old_history_is_the_one_that_was_recorded(dispatcher: Dispatcher) -> None:
    now, old = (
        await ask(dispatcher, "history RTX 4090 days=7"),
        await ask(later(dispatcher, 20 * DAY), "history 4090 days=7"),
    )
    assert (old.points, old.gaps) == (now.points, now.gaps)
    assert (now.evidence.stale, old.evidence.stale) == (False, True)


async def test_a_gap_is_drawn_as_one(dispatcher: Dispatcher) -> None:
    [line] = (await card(later(dispatcher, 3 * HOUR), "predict RTX 4090")).sparks
    assert line.values[-3:] == (None, None, None)
    assert None not in line.values[:-3]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("predict RTX 4090", "agora"),
        ("availability RTX 4090", "livres; melhor"),
        ("fleet training $500", "o mesmo trabalho na AWS"),
        ("history RTX 4090", "horas com preço"),
    ],
)
async def test_the_conclusion_comes_first_and_in_the_readers_language(
    dispatcher: Dispatcher, line: str, words: str
) -> None:
    assert words in (await card(dispatcher, line, "pt-BR")).lead


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
