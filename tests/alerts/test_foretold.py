"""Rules on what is foretold: the figures of the answers to the unit, and silence where those refuse."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from analytics.evidence import Note, iso
from analytics.market import HOUR, WORLD, Scope
from bot.accounts import Asker
from bot.alerts.foretold import Foretold, Shared, foretold
from bot.alerts.rules import PPM, Kind, Measure
from bot.commands import COMMANDS
from bot.dispatch.dispatcher import Dispatcher
from bot.dispatch.reply import Reply, reply
from bot.store.alerts import SeriesKey
from bot.store.engine import Store
from tests.fakes.alert_market import MODEL, Market, alert_in, alert_market
from tests.fakes.alerting import market as small_market
from tests.fakes.alerting import rule
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
        assert (first.value < again.value, list(shared.items())) == (True, [(name, read)])


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
        assert f"{made.words('Now: {value}', value=percent)}\n" in text(reply_)
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
