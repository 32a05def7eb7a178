"""Reliability, interruptions and windows asked in words, on the stored market."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from analytics.answers.reliability import Reliability
from analytics.answers.windows import HOURS_DO_NOT_MATTER, SafeWindows, Window
from analytics.errors import AskError
from analytics.interruptions.estimator import InterruptionRates, ModelRate
from bot.commands.interruptions import card as interruptions_card
from bot.commands.reliability import card as reliability_card
from bot.commands.windows import card as windows_card
from bot.commands.windows import zone
from bot.dispatch.dispatcher import Dispatcher
from bot.presentation.words import Words
from tests.fakes.stored import NAMES

ENGLISH, PORTUGUESE = Words("en", 0), Words("pt-BR", 0)


async def test_reliability_and_interruptions_agree_over_thirty_days(dispatcher: Dispatcher) -> None:
    _, rates = await dispatcher.ask_line("interruptions 30d")
    for row in rates.gpus:
        _, one = await dispatcher.ask_line(f"reliability {row.gpu_name}")
        assert one.uptime_percent_30d == row.uptime_percent
        assert one.mean_time_between_interruptions_hours == row.mean_time_between_interruptions_hours
        assert one.avg_interruption_duration_minutes == row.avg_duration_minutes


async def test_periods_nest_and_models_can_be_chosen(dispatcher: Dispatcher) -> None:
    seen = []
    for period in ("24h", "7d", "30d"):
        _, answer = await dispatcher.ask_line(f"interruptions {period} 4090")
        assert (answer.period, [row.gpu_name for row in answer.gpus]) == (period, ["RTX 4090"])
        seen.append((answer.gpus[0].total_interruptions, answer.gpus[0].exposure_hours))
    assert seen == sorted(seen)
    assert seen[0][1] < seen[2][1]


async def test_windows_of_a_stored_market_are_sound(dispatcher: Dispatcher) -> None:
    _, answer = await dispatcher.ask_line("windows RTX 3090 9h tz=America/Sao_Paulo")
    assert answer.timezone == "America/Sao_Paulo"
    assert answer.weeks == pytest.approx(5, abs=0.1)
    assert answer.hours_matter == bool(answer.safe_windows)
    assert answer.skill is not None


@pytest.fixture
async def reliability(dispatcher: Dispatcher) -> Reliability:
    _, answer = await dispatcher.ask_line("reliability RTX 4090")
    assert isinstance(answer, Reliability)
    return answer


async def test_both_questions_widen_the_interval_by_the_same_overdispersion(dispatcher: Dispatcher) -> None:
    _, q9 = await dispatcher.ask_line("interruptions 30d RTX 4090")
    _, q8 = await dispatcher.ask_line("reliability RTX 4090")
    [row] = q9.gpus
    assert row.overdispersion >= 1
    assert q8.evidence.details["overdispersion"] == row.overdispersion
    assert q8.evidence.interval_95["mean_time_between_interruptions_hours"] == pytest.approx(row.interval_95, rel=0.02)
    _, day = await dispatcher.ask_line("interruptions 24h RTX 4090")
    assert day.gpus[0].overdispersion == row.overdispersion


async def test_the_reliability_card_leads_with_the_chance(reliability: Reliability) -> None:
    shown = replace(reliability, reliability_score=0.917, risk_level="low", risk_rank=None, risk_of=None)
    card = reliability_card(shown, ENGLISH)
    assert card.lead == "RTX 4090: 91.7% of new tenants run 24 h without interruption (low risk)"
    card = reliability_card(shown, PORTUGUESE)
    assert card.lead == "RTX 4090: 91,7% de quem começa roda 24 h sem interrupção (risco baixo)"
    assert len(card.tables[0].rows) <= 10


@pytest.mark.parametrize(
    ("interval", "text"),
    [
        ({"low": 10.0, "high": 20.0}, "10.0 h – 20.0 h"),
        ({"low": 10.0, "high": None}, "> 10.0 h"),
        ({"low": None, "high": None}, "–"),
    ],
)
async def test_an_open_interval_is_shown_as_a_bound(
    reliability: Reliability, interval: dict[str, float | None], text: str
) -> None:
    bounds = {"mean_time_between_interruptions_hours": interval}
    card = reliability_card(replace(reliability, evidence=replace(reliability.evidence, interval_95=bounds)), ENGLISH)
    assert (ENGLISH("95% interval of that mean time"), text) in card.tables[0].rows


async def test_without_a_score_the_card_says_so(reliability: Reliability) -> None:
    assert reliability_card(replace(reliability, reliability_score=None), ENGLISH).lead == "RTX 4090: no score yet"


def _row(rates: InterruptionRates, name: str, per_day: float | None) -> ModelRate:
    low = {"low": 30.0, "high": None}
    mtbi = per_day and 24 / per_day
    return replace(
        rates.gpus[0],
        gpu_name=name,
        interruption_rate_per_day=per_day,
        mean_time_between_interruptions_hours=mtbi,
        interval_95=low,
    )


async def test_the_interruptions_card_names_the_least_and_the_most_interrupted(dispatcher: Dispatcher) -> None:
    _, rates = await dispatcher.ask_line("interruptions")
    rows = tuple(_row(rates, name, rate) for name, rate in (("A", 0.5), ("B", 1.25), ("C", None)))
    card = interruptions_card(replace(rates, gpus=rows), ENGLISH)
    assert card.lead == "Least interrupted: A (0.50 a day of running); most: B (1.25)"
    assert [row[3] for row in card.tables[0].rows] == ["48.0 h", "19.2 h", "> 30.0 h"]
    assert (
        interruptions_card(replace(rates, gpus=rows[:1]), ENGLISH).lead == "A: interruptions per day of running: 0.50"
    )
    assert "No rate" in interruptions_card(replace(rates, gpus=rows[2:]), ENGLISH).lead
    many = interruptions_card(replace(rates, gpus=rows[:1] * 14), ENGLISH)
    assert len(many.tables[0].rows) == 10
    assert "4 more models not shown" in many.notes


async def test_the_windows_card_shows_days_in_the_readers_language(dispatcher: Dispatcher) -> None:
    _, answer = await dispatcher.ask_line("windows RTX 4090")
    assert isinstance(answer, SafeWindows)
    night = Window(
        day_of_week="Friday",
        start_hour=22,
        end_hour=8,
        safety_score=0.9,
        avg_price=0.3,
        reasoning=HOURS_DO_NOT_MATTER,
        end_day="Saturday",
        duration_hours=10,
        base_score=0.8,
        next_start="2026-01-02T22:00:00+00:00",
        next_end="2026-01-03T08:00:00+00:00",
    )
    day = replace(
        night,
        end_day="Friday",
        start_hour=9,
        end_hour=17,
        next_start="2026-01-02T09:00:00+00:00",
        next_end="2026-01-02T17:00:00+00:00",
    )
    full = replace(answer, safe_windows=(night,), worst_windows=(day,))
    english, portuguese = windows_card(full, ENGLISH), windows_card(full, PORTUGUESE)
    assert [table.rows[0][0] for table in english.tables] == [
        "Friday 22:00 – Saturday 08:00",
        "Friday 09:00 – 17:00",
    ]
    assert portuguese.tables[0].rows[0] == ("sexta-feira 22:00 – sábado 08:00", "10", "90%", "80%", "$0,300")
    none = windows_card(replace(answer, safe_windows=(), worst_windows=(), conclusion=HOURS_DO_NOT_MATTER), ENGLISH)
    assert none.tables == ()
    assert none.lead.startswith("RTX 4090: hours do not matter")


@pytest.mark.parametrize("name", ["UTC", "utc"])
def test_utc_needs_no_table(name: str) -> None:
    assert zone(name) is dt.UTC


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [("Sao Paulo", "America/Sao_Paulo"), ("Europe/Berln", "Europe/Berlin"), ("America", "America/"), ("../etc", None)],
)
def test_an_unknown_time_zone_gets_near_ones(name: str, suggestion: str | None) -> None:
    with pytest.raises(AskError) as caught:
        zone(name)
    if suggestion:
        assert any(near.startswith(suggestion) for near in caught.value.suggestions)


async def test_each_model_on_offer_has_its_place_by_its_score(dispatcher: Dispatcher) -> None:
    answers = [(await dispatcher.ask_line(f"reliability {model}"))[1] for model in NAMES]
    ranked = sorted((one for one in answers if one.risk_rank), key=lambda one: one.risk_rank)
    scores = [one.reliability_score for one in ranked]
    assert len(ranked) > 1
    assert {one.risk_of for one in ranked} == {len(ranked)}
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize(
    ("rank", "english", "portuguese"),
    [
        (1, "low risk, 1st safest of 14 on offer", "risco baixo, 1º mais seguro de 14 em oferta"),
        (2, "low risk, 2nd safest of 14 on offer", "risco baixo, 2º mais seguro de 14 em oferta"),
        (3, "low risk, 3rd safest of 14 on offer", "risco baixo, 3º mais seguro de 14 em oferta"),
        (11, "low risk, 11th safest of 14 on offer", "risco baixo, 11º mais seguro de 14 em oferta"),
    ],
)
async def test_the_card_says_where_the_model_stands(
    reliability: Reliability, rank: int, english: str, portuguese: str
) -> None:
    shown = replace(reliability, reliability_score=0.917, risk_level="low", risk_rank=rank, risk_of=14)
    assert f"({english})" in reliability_card(shown, ENGLISH).lead
    assert f"({portuguese})" in reliability_card(shown, PORTUGUESE).lead


async def test_the_card_tells_new_tenants_and_all_tenants_apart(reliability: Reliability) -> None:
    figures = [row[0] for row in reliability_card(reliability, ENGLISH).tables[0].rows]
    assert figures[1:4] == [
        "New tenants: half are interrupted within",
        "All tenants: mean time between interruptions",
        "95% interval of that mean time",
    ]
