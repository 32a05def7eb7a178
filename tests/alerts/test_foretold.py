"""Rules on what is foretold: the figures of the answers to the unit, and silence where those refuse."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from analytics.evidence import Note, iso
from analytics.forecasting.forecasts import Forecast, from_price
from analytics.market import HOUR, MICRO, WORLD, Scope, usd
from bot.accounts import Asker
from bot.alerts.foretold import Foretold, Shared, foretold
from bot.alerts.rules import PPM, Kind, Measure, Rule
from bot.commands import COMMANDS
from bot.dispatch.dispatcher import Dispatcher
from bot.dispatch.reply import Reply, reply
from bot.store.alerts import SeriesKey
from bot.store.engine import Store
from tests.fakes.alert_market import MODEL, Market, alert_in, alert_market
from tests.fakes.alerting import START, rule
from tests.fakes.alerting import market as small_market
from tests.fakes.sending import ScriptedSender
from tests.fakes.stored import NAMES

FIRE, RESOLVE = ("fire", "post"), ("resolve", "edit")
HOURS = (1, 6, 24)
ANA = Asker("slack", "T1", "UA", channel="C1", role="manager")


@pytest.fixture
async def market(market_file: Path, tmp_path: Path) -> AsyncIterator[Market]:
    async with alert_market(market_file, tmp_path) as made:
        yield made


def key(measure: Measure, hours: int, level: int = 0, model: str = MODEL) -> SeriesKey:
    return SeriesKey(model, WORLD, Scope.VERIFIED, measure, "current", hours * HOUR, level)


async def now(market: Market, wanted: SeriesKey) -> Foretold:
    async with market.store.reader() as reader:
        return await foretold(wanted, reader, market.clock(), {})


async def say(market: Market, line: str, language: str = "en") -> Reply:
    return await reply(market.dispatcher, ANA, line, default=language)


def text(reply_: Reply) -> str:
    return "\n".join((reply_.card.title, reply_.card.lead, *reply_.card.notes, reply_.card.footer))


@pytest.mark.parametrize("model", NAMES)
async def test_a_risk_is_what_reliability_says_to_the_unit(market: Market, model: str) -> None:
    _, answer = await market.dispatcher.ask_line(f"reliability {model}")
    survival = (answer.survival.after_1h, answer.survival.after_6h, answer.survival.after_24h)
    for hours, alive in zip(HOURS, survival, strict=True):
        assert (await now(market, key(Measure.RISK, hours, model=model))).value == PPM - round(alive * PPM)
    assert survival[0] > survival[2] > 0


async def test_the_series_of_one_model_are_read_once_a_round(market: Market) -> None:
    async with market.store.reader() as reader:
        shared: Shared = {}
        first = await foretold(key(Measure.RISK, 6), reader, market.clock(), shared)
        [(name, read)] = shared.items()
        again = await foretold(key(Measure.RISK, 24), reader, market.clock(), shared)
        assert first.value is not None
        assert again.value is not None
        assert (first.value < again.value, len(shared)) == (True, 1)
        assert shared[name] is read


async def test_a_risk_fires_and_resolves_and_is_silent_where_reliability_refuses(store: Store) -> None:
    market_ = await small_market(store)
    risky, any_ = [await market_.add(rule(Kind.RISK_ABOVE, n, window=HOUR)) for n in (280_000, 1)]
    await market_.prices(*[400_000] * 20)
    assert (await market_.told(risky), await market_.told(any_)) == ([], []), "an hour takes two of history"
    assert (await market_.state(any_)).value is None
    await market_.prices(*[400_000] * 20)
    assert (await market_.told(risky), await market_.told(any_)) == ([], [FIRE])
    await market_.prices(500_000, 500_000)
    assert await market_.told(risky) == [FIRE]
    [fire] = await market_.messages(risky)
    assert fire.payload["event"]["value"] > 280_000
    await market_.prices(*[400_000] * 40)
    assert await market_.told(risky) == [FIRE, RESOLVE]


@pytest.mark.parametrize(
    ("language", "line", "says"),
    [
        ("en", "alert 4090 risk > {}% in 24h", "RTX 4090: interruption risk within 1 d above {}%"),
        (
            "pt-BR",
            "alert 4090 risco de interrupção acima de {}% em 24h",
            "RTX 4090: risco de interrupção em 1 d acima de {}%",
        ),
    ],
)
async def test_the_confirmation_and_show_tell_the_risk_of_now(
    market: Market, language: str, line: str, says: str
) -> None:
    value = (await now(market, key(Measure.RISK, 24))).value
    assert value is not None
    made = await say(market, line.format(1), language)
    shown = await say(market, f"alert show {alert_in(text(made))}", language)
    percent = made.words(Note("{n}%", {"n": value / 10_000}))
    for reply_ in (made, shown):
        assert says.format(1) in text(reply_)
        assert made.words("{measure}: {value} now", measure=reply_.answer.foretold.measure, value=percent) in text(
            reply_
        )
        assert reply_.answer.foretold.value == value / 10_000
    assert made.words(
        "It cannot be tried on the past: what was known of interruptions at each hour is not stored, only their sums."
    ) in text(made)
    assert made.answer.tried is None


async def test_the_message_of_a_risk_tells_value_horizon_and_basis(market: Market) -> None:
    sender = ScriptedSender()
    market.send_through("slack", sender)
    await say(market, "alert 4090 risk > 1% in 24h")
    await market.poll(1.0, times=2)
    [message] = sender.delivered
    value = (await now(market, key(Measure.RISK, 24))).value
    assert value is not None
    assert f"interruption risk within 1 d: {value / 10_000}%." in message.card.lead
    assert any(note.startswith("interruptions seen: ") for note in message.card.notes)
    assert message.card.charts == ()


async def test_without_history_the_confirmation_says_why_and_when(store: Store) -> None:
    market_ = await small_market(store)
    await market_.prices(400_000, 400_000)
    dispatcher = Dispatcher(store, COMMANDS, lambda: market_.at)
    made = await reply(dispatcher, ANA, "alert 4090 risk > 20% in 24h", default="en")
    assert "so nothing fires: not enough history for a risk over 24 h\nThere is: 0 h of history" in text(made)
    assert made.answer.foretold.missing.ready_at == iso(market_.at + 48 * HOUR)


@pytest.mark.parametrize("model", NAMES)
@pytest.mark.parametrize(("hours", "keys"), [(1, ("1h",)), (5, ("1h",)), (6, ("1h", "6h")), (24, ("1h", "6h", "24h"))])
async def test_a_predicted_price_is_what_predict_says_to_the_unit(
    market: Market, model: str, hours: int, keys: tuple[str, ...]
) -> None:
    _, answer = await market.dispatcher.ask_line(f"predict {model}")
    async with market.store.reader() as reader:
        price = (await reader.quotes([model]))[model].price
        told = from_price(await reader.forecasts(model), price, market.clock())
    stored = [one for one in told if f"{one.horizon_h}h" in keys]
    shown = [answer.predictions[f"next_{name}"] for name in keys]
    assert [(usd(one.price), usd(one.hi80)) for one in stored] == [(point.price, point.high_80) for point in shown]
    for level in (500_000, 800_000, 800_001, 950_000):
        ends = [one.hi80 for one in stored if level <= 800_000]
        ends += [one.price * 105 // 100 for one in stored if (one.confidence or 0) * PPM >= level]
        found = await now(market, key(Measure.PREDICTED, hours, level, model))
        assert (found.value, found.missing is None) == (min(filter(None, ends), default=None), bool(ends))


async def save(store: Store, at: int, *forecasts: Forecast) -> None:
    async with store.writer() as writer:
        await writer.save_forecasts([replace(f, issued_at=at, target_at=at + f.horizon_h * HOUR) for f in forecasts])


def forecast(high: int | None, horizon: int = 24, confidence: float | None = None) -> Forecast:
    low = None if high is None else 300_000
    return Forecast(MODEL, horizon, 0, 0, 400_000, 400_000, low, high, confidence, "own", "last_value")


def predicted(threshold: int, level: int = 800_000, hours: int = 24) -> Rule:
    made = rule(Kind.PREDICTED_BELOW, threshold, window=hours * HOUR)
    return replace(made, series=replace(made.series, level=level))


async def test_a_prediction_fires_and_resolves_with_the_forecasts(store: Store) -> None:
    market_ = await small_market(store)
    day, near, sure = [
        await market_.add(predicted(*some)) for some in ((350_000,), (350_000, 800_000, 6), (350_000, 900_000))
    ]
    await market_.prices(400_000, 400_000)
    assert [await market_.told(alert) for alert in (day, near, sure)] == [[], [], []], "there is no forecast yet"
    assert (await market_.state(day)).value is None
    await save(store, START, forecast(349_999))
    await market_.prices(400_000)
    assert await market_.told(day) == []
    await market_.prices(400_000)
    assert [await market_.told(alert) for alert in (day, near, sure)] == [[FIRE], [], []]
    [fire] = await market_.messages(day)
    assert fire.payload["event"]["value"] == 349_999
    await save(store, START + HOUR, forecast(None))
    await market_.poll(after=HOUR)
    assert await market_.told(day) == [FIRE], "a forecast without a range says nothing"
    await save(store, START + 2 * HOUR, forecast(357_000))
    await market_.poll(after=HOUR)
    assert await market_.told(day) == [FIRE, RESOLVE]


async def test_a_forecast_that_is_too_old_says_nothing(store: Store) -> None:
    market_ = await small_market(store)
    alert = await market_.add(predicted(350_000))
    await save(store, START, forecast(340_000))
    await market_.poll(after=6 * HOUR + 1)
    await market_.prices(400_000, 400_000)
    assert (await market_.told(alert), (await market_.state(alert)).value) == ([], None)
    await save(store, START + 6 * HOUR, forecast(340_000))
    await market_.prices(400_000, 400_000)
    assert await market_.told(alert) == [FIRE]


@pytest.mark.parametrize(
    ("language", "line", "says"),
    [
        (
            "en",
            "alert 4090 predicted < 0.01 in 24h",
            "RTX 4090: predicted below $0.01 within 1 d, with a probability of 80% or more",
        ),
        (
            "pt-BR",
            "alert 4090 previsto < 0,01 em 24h com 80%",
            "RTX 4090: previsto abaixo de $0,01 em até 1 d, com probabilidade de 80% ou mais",
        ),
    ],
)
async def test_the_confirmation_and_show_tell_the_prediction_of_now(
    market: Market, language: str, line: str, says: str
) -> None:
    value = (await now(market, key(Measure.PREDICTED, 24, 800_000))).value
    assert value is not None
    made = await say(market, line, language)
    shown = await say(market, f"alert show {alert_in(text(made))}", language)
    for reply_ in (made, shown):
        assert says in text(reply_)
        said = made.words(Note("${n}", {"n": usd(value)}))
        assert made.words("{measure}: {value} now", measure=reply_.answer.foretold.measure, value=said) in text(reply_)
        assert ("80% range" if language == "en" else "faixa de 80%") in text(reply_)
        assert reply_.answer.foretold.value == usd(value)


async def test_a_level_that_no_forecast_speaks_of_is_silent_and_says_why(market: Market) -> None:
    made = await say(market, "alert 4090 predicted < 90 in 24h with 99.99%")
    assert "so nothing fires: the forecast says nothing with a probability of 99.99%" in text(made)
    assert made.answer.tried is None, "one stored forecast is no past"
    assert made.answer.foretold.value is None


async def test_a_forecast_without_any_probability_says_what_history_it_takes(store: Store) -> None:
    market_ = await small_market(store)
    await market_.prices(400_000, 400_000)
    await save(store, START, forecast(None))
    dispatcher = Dispatcher(store, COMMANDS, lambda: market_.at)
    made = await reply(dispatcher, ANA, "alert 4090 predicted < 0.30 in 24h with 80%", default="en")
    silent = (
        "so nothing fires: the forecast states no probability yet\nThere is: 0 h of history\nNeeded: 24 h of history"
    )
    assert silent in text(made)
    assert made.answer.foretold.missing.ready_at == iso(market_.at + 24 * HOUR)


async def test_a_prediction_is_tried_on_the_forecasts_as_they_were_issued(store: Store) -> None:
    market_ = await small_market(store)
    await market_.prices(400_000)
    for hours, high in enumerate((360_000, 340_000, 341_000, 342_000, 370_000, 340_000, 339_000, 380_000)):
        await save(store, START - (9 - hours) * HOUR, forecast(high))
    dispatcher = Dispatcher(store, COMMANDS, lambda: market_.at)
    made = await reply(dispatcher, ANA, "alert 4090 predicted < 0.35 in 24h", default="en")
    fired = [(episode.fired_at, episode.value, episode.resolved_at) for episode in made.answer.tried.episodes]
    assert fired == [
        (iso(START - 7 * HOUR), 0.341, iso(START - 5 * HOUR)),
        (iso(START - 3 * HOUR), 0.339, iso(START - 2 * HOUR)),
    ]


async def test_the_message_of_a_prediction_tells_value_probability_and_basis(market: Market) -> None:
    sender = ScriptedSender()
    market.send_through("slack", sender)
    value = (await now(market, key(Measure.PREDICTED, 24, 800_000))).value
    assert value is not None
    await say(market, f"alert 4090 predicted < {(value + 1) / MICRO:.6f} in 24h")
    await market.poll(1.0, times=2)
    [message] = sender.delivered
    assert message.card.lead.startswith(f"price predicted within 1 d with 80%: ${value / MICRO:.4f}.")
    assert any(note.startswith("forecast of 2026-") for note in message.card.notes)
    assert message.card.charts == ()


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        ("predicted < 0.30 in 24h with 80%", "too little of this is stored"),
        ("drops 10% in 24h", "so far only prices and free GPUs at single polls of one place are"),
    ],
)
async def test_why_a_rule_is_not_tried_is_told_as_it_is(store: Store, condition: str, why: str) -> None:
    await small_market(store)
    dispatcher = Dispatcher(store, COMMANDS, lambda: START)
    assert why in text(await reply(dispatcher, ANA, f"alert preview 4090 {condition}", default="en"))
