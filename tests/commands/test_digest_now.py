"""``digest now`` through the dispatcher: on a full store and an empty one, in both languages, where alerts fired."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from analytics.answers.digest import NONE_PUBLISHED, Digest
from analytics.errors import NotYet
from analytics.evidence import to_json
from analytics.forecasting.forecasts import Forecast
from analytics.forecasting.ledger import Due, Outcome
from analytics.interruptions.weekly_hazard import WEEK, HazardProfile
from analytics.market import DAY, HOUR
from bot.accounts import Asker
from bot.commands import COMMANDS
from bot.commands.digests.now import COMMAND, digest, market
from bot.dispatch.dispatcher import Dispatcher
from bot.dispatch.reply import reply
from bot.presentation.card import Card, Lines
from bot.presentation.text import plain
from bot.presentation.words import LOCALES, Words
from bot.store.engine import Store
from tests.commands.conftest import NAMES, NOW
from tests.fakes import alerting
from tests.fakes.alert_market import MODEL, Market, alert_in, alert_market
from tests.fakes.sending import ScriptedSender

ANA = Asker("slack", "T1", "UA", "C1", tz="America/Sao_Paulo")


@pytest.fixture
async def house(market_file: Path, tmp_path: Path) -> AsyncIterator[Market]:
    """The stored market, moved by hand; what alerts say arrives."""
    async with alert_market(market_file, tmp_path) as made:
        made.send_through("slack", ScriptedSender())
        yield made


async def told(dispatcher: Dispatcher, line: str = "digest now", asker: Asker = ANA) -> Digest:
    answer = (await dispatcher.answer(line, asker)).answer
    assert isinstance(answer, Digest)
    json.loads(to_json(answer))
    return answer


def shown(answer: Digest, language: str = "en", now: int = NOW + 60) -> Card:
    return COMMAND.card(answer, Words(language, now))  # type: ignore[no-any-return]


async def jumped(house: Market, factor: float = 2.0) -> Digest:
    await house.poll(factor)
    return await told(house.dispatcher)


async def test_what_moved_comes_first_with_what_is_usual_and_its_week(house: Market) -> None:
    answer = await jumped(house)
    moved = answer.moved[0]
    assert (moved.gpu_name, answer.shown_gpu, answer.happened) == (MODEL, MODEL, True)
    assert moved.price
    assert moved.price_before
    assert moved.change_percent == pytest.approx(100 * (moved.price / moved.price_before - 1), abs=0.05)
    assert moved.usual_low_percent <= 0 <= moved.usual_high_percent < moved.change_percent
    assert (moved.days, moved.spans, answer.judged_changes) == (30, 30, len(NAMES))
    card = shown(answer)
    assert card.title == "Digest: Mon 2026-09-21"
    assert card.lead.startswith(f"{MODEL} moved +{moved.change_percent:.1f}% to ${moved.price:.3f} in 24 h; usual: ")
    assert card.tables[0].caption == "Moved in 24 h; usual: 95% of earlier changes, days of them: 30 or more"
    assert card.tables[0].rows[0][:2] == (MODEL, f"${moved.price:.3f} (+{moved.change_percent:.1f}%)")
    (chart,) = card.charts
    assert isinstance(chart, Lines)
    assert (len(chart.lines[0].xs), chart.lines[0].ys[-1]) == (WEEK + 1, moved.price)
    assert "lowest" in chart.alt


async def test_the_local_day_is_the_readers(house: Market) -> None:
    for zone, today, tomorrow in (
        ("America/Sao_Paulo", "2026-09-21", "2026-09-22"),
        ("Pacific/Kiritimati", "2026-09-22", "2026-09-23"),  # fourteen hours ahead of 14:01 UTC
    ):
        answer = await told(house.dispatcher, asker=replace(ANA, tz=zone))
        assert (answer.local_date, answer.windows.day, answer.timezone) == (today, tomorrow, zone)


@pytest.mark.parametrize("line", ["digest now", "digest now week", "digest now L40S"])
async def test_cards_are_whole_in_both_languages_and_fit_a_telephone(house: Market, line: str) -> None:
    await house.poll(2.0)
    answer = await told(house.dispatcher, line)
    cards = {language: shown(answer, language) for language in LOCALES}
    for card in cards.values():
        assert not re.search(r"[{}]|\b(None|nan|inf)\b", plain(card))
        for table in card.tables:
            assert {len(row) for row in table.rows} == {len(table.columns)}
            assert len(table.rows) <= 10
            assert all(len(cell) <= 40 for row in table.rows for cell in row)
    ours, theirs = cards.values()
    for english, portuguese in ((ours.lead, theirs.lead), *zip(ours.notes, theirs.notes, strict=True)):
        assert english != portuguese
    titles = {column.title for table in ours.tables for column in table.columns} - {"GPU", "", "was"}
    assert not titles & {column.title for table in theirs.tables for column in table.columns}


async def test_a_week_is_not_judged_by_a_month_and_it_is_said_from_when_on(house: Market) -> None:
    answer = await told(house.dispatcher, "digest now week")
    assert (answer.moved, answer.judged_changes, answer.hours) == ((), 0, WEEK)
    assert any(
        note.startswith("not compared before 2026-1")
        and "+4 (too little history: changes over 168 h seen: 4, it takes 10)" in note
        for note in shown(answer).notes
    )


async def test_models_are_those_named_else_ones_own_else_the_followed(house: Market) -> None:
    dispatcher = house.dispatcher
    assert (await told(dispatcher)).models == len(NAMES)
    assert (await told(dispatcher, "digest now L40S")).models == 1
    await dispatcher.answer("settings me gpus=l40s,h100sxm", ANA)
    assert (await told(dispatcher)).models == 2
    assert (await told(dispatcher, asker=replace(ANA, person="UB"))).models == len(NAMES)


async def test_an_empty_store_says_what_is_missing(empty_dispatcher: Dispatcher) -> None:
    with pytest.raises(NotYet) as caught:
        await told(empty_dispatcher)
    assert (str(caught.value.have), str(caught.value.need)) == ("no price", "one complete poll")
    for language in LOCALES:
        said = await reply(empty_dispatcher, replace(ANA, locale=language), "digest now", default="en")
        assert not said.ok


async def test_of_old_prices_nothing_is_said_to_be_so_now(dispatcher: Dispatcher) -> None:
    late = Dispatcher(dispatcher.store, COMMANDS, lambda: dispatcher.clock() + 5 * HOUR)
    answer = await told(late)
    assert (answer.moved, answer.cheap, answer.judged_changes, answer.happened) == ((), (), 0, False)
    card = shown(answer, now=late.clock())
    assert card.lead == "As of 5 h ago: Nothing can be judged yet: no new price for a while"
    assert "STALE" in card.footer


async def test_nothing_unusual_is_a_sentence_too(house: Market) -> None:
    answer = await told(house.dispatcher, f"digest now {MODEL}")
    assert not answer.happened
    assert shown(answer).lead == "Nothing unusual in 24 h: 1 model"
    assert shown(answer, "pt-BR").lead == "Nada fora do comum em 24 h: 1 modelo"
    assert shown(answer).tables == ()
    assert shown(answer).charts == ()


async def test_alerts_are_those_that_fired_where_it_is_read(house: Market) -> None:
    made = await reply(house.dispatcher, ANA, f"alert {MODEL} < {house.mark(0.9)}", default="en")
    await house.poll(1.0)
    assert (await told(house.dispatcher)).alerts == (
        await told(house.dispatcher, asker=replace(ANA, channel="C9"))
    ).alerts
    await house.poll(0.85, times=2)
    answer = await told(house.dispatcher)
    assert answer.alerts
    (alert,) = answer.alerts.alerts
    assert (alert.id, answer.alerts.total, answer.happened) == (alert_in(plain(made.card)), 1, True)
    table = next(
        table for table in shown(answer).tables if table.caption == "Alerts that fired here (America/Sao_Paulo)"
    )
    assert table.rows[0][0].startswith("Mon 11:")  # São Paulo is three hours behind
    assert house.mark(0.9).rstrip("0") in table.rows[0][2]
    for elsewhere in (replace(ANA, channel="C9"), replace(ANA, channel="D1"), replace(ANA, team="T9")):
        other = (await told(house.dispatcher, asker=elsewhere)).alerts
        assert other
        assert (other.alerts, other.total) == ((), 0)
    house.clock.pass_(DAY)
    gone = (await told(house.dispatcher)).alerts
    assert gone
    assert gone.total == 0


async def test_outside_of_chat_no_alerts_are_told(dispatcher: Dispatcher) -> None:
    _, answer = await dispatcher.ask_line("digest now")
    assert (answer.alerts, answer.timezone) == (None, "UTC")


async def test_forecasts_that_came_due_are_told_with_the_closest_and_the_furthest(house: Market) -> None:
    async with house.store.writer() as writer:
        for horizon, said, came in ((1, 400_000, 410_000), (6, 400_000, 500_000), (24, 400_000, None)):
            at = NOW - (horizon + 2) * HOUR
            target, band = at + horizon * HOUR, (380_000, 420_000)
            await writer.save_forecasts(
                [Forecast(MODEL, horizon, at, target, 390_000, said, *band, 0.5, "own", "last_value")]
            )
            due = Due(MODEL, at, horizon, 390_000, said, band[1], 0.5, "last_value", None, 300)
            await writer.score_forecasts([Outcome(due, came)], NOW)
    answer = await told(house.dispatcher)
    assert (answer.forecasts.due, answer.forecasts.scored, answer.forecasts.within_80) == (3, 2, 1)
    table = next(table for table in shown(answer).tables if table.caption.startswith("Forecasts"))
    assert table.caption == (
        "Forecasts that came due: 2; within their 80% range: 1 of 2; the closest, then the furthest off"
    )
    assert [row[1:] for row in table.rows] == [("1 h", "$0.400", "$0.410"), ("6 h", "$0.400", "$0.500")]


def profile(*, published: bool) -> HazardProfile:
    """Every night of the week is safer."""
    relative = tuple(0.5 if cell % 24 < 8 else 1.25 for cell in range(WEEK))
    return HazardProfile(relative, 2.5, 0.1, 0.1, 3.0, 2, 5.0, 100, published, 0.5, 0.6)


async def test_windows_are_those_that_windows_tells_of_the_next_day(house: Market) -> None:
    names = (MODEL, "L40S")
    async with house.store.writer() as writer:
        await writer.save_hazard_profiles({name: profile(published=True) for name in names}, NOW)
    answer = await told(house.dispatcher)
    asked = (await house.dispatcher.answer(f"windows {MODEL}", ANA)).answer
    ours = [(one.start, one.end) for one in answer.windows.windows if one.gpu_name == MODEL]
    assert ours == [
        (one.next_start, one.next_end) for one in asked.safe_windows if one.next_start[:10] == answer.windows.day
    ]
    assert ours == [("2026-09-22T21:00:00-03:00", "2026-09-23T05:00:00-03:00")]
    table = shown(answer).tables[-1]
    assert (table.caption, table.rows[0][1:]) == (
        "Safe windows that begin on Tue (America/Sao_Paulo)",
        ("21:00–05:00", "50% less"),
    )
    async with house.store.writer() as writer:
        await writer.save_hazard_profiles({MODEL: profile(published=False)}, NOW)
    assert any("do not foretell" in note for note in shown(await told(house.dispatcher)).notes)


async def test_a_rhythm_of_which_nothing_was_lived_since_gives_no_windows(store: Store) -> None:
    await alerting.market(store)
    async with store.writer() as writer:
        await writer.save_hazard_profiles({MODEL: profile(published=True)}, alerting.START)
    answer = await told(Dispatcher(store, COMMANDS, lambda: alerting.START + 60))
    assert (answer.windows.windows, answer.windows.why) == ((), NONE_PUBLISHED)
    assert shown(answer, now=alerting.START + 60).lead.startswith("Nothing can be judged yet: no price known")


async def test_what_is_the_same_for_all_can_be_made_once(house: Market) -> None:
    await house.poll(2.0)
    since = house.clock() - DAY
    async with house.dispatcher.query_context(ANA) as query:
        found = await market(query, None, since)
    async with house.dispatcher.query_context(replace(ANA, channel="C2", tz="Asia/Tokyo")) as query:
        theirs = await digest(query, None, "day", found=found)
        assert theirs == await digest(query, None, "day")
        assert (await digest(query, ["L40S"], "day", found=found)).models == len(NAMES), "it was made anew"
    assert (theirs.timezone, theirs.moved[0].gpu_name) == ("Asia/Tokyo", MODEL)


async def test_a_period_after_a_missed_digest_is_longer(house: Market) -> None:
    async with house.dispatcher.query_context(ANA) as query:
        answer = await digest(query, [MODEL], "day", since=query.now - 30 * HOUR)
        soon = await digest(query, [MODEL], "day", since=query.now - 60)
    assert (answer.hours, answer.judged_changes, soon.hours) == (30, 1, 1)
