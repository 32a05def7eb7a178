"""Edit: a sheet that shows the rule as it is, and changes what was changed on it. Through both real faces."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.accounts import Asker
from bot.dispatch.forms import FilledForm
from bot.dispatch.reply import Reply, form, reply
from tests.fakes.alert_market import MODEL, Market, alert_in, alert_market
from tests.fakes.discord import FakeDiscord
from tests.fakes.discord_house import Guild, discord, guild, plain  # noqa: F401  a fixture
from tests.fakes.slack import FakeSlack, Trouble, until
from tests.fakes.slack_channels import Message
from tests.fakes.slack_house import Home, house, slack  # noqa: F401  a fixture

EDIT = "spot_form_5"
"""The button on an alert's message."""

ANA = Asker("slack", "T1", "UA", "C1", "member")
BEN = Asker("slack", "T1", "UB", "C1", "member")


@pytest.fixture
async def market(market_file: Path, tmp_path: Path) -> AsyncIterator[Market]:
    async with alert_market(market_file, tmp_path) as market:
        yield market


async def said(market: Market, question: str | FilledForm, asker: Asker = ANA) -> str:
    answer = await reply(market.dispatcher, asker, question, default="en")
    return "\n".join((answer.card.title, answer.card.lead, *answer.card.notes))


async def fields(market: Market, line: str, asker: Asker = ANA) -> tuple[dict[str, str], str]:
    opened = await form(market.dispatcher, asker, line, default="en")
    assert not isinstance(opened, Reply), opened.card
    return {field.name: field.text for field in opened[0].fields}, opened[0].version


async def test_a_form_shows_what_holds_and_changes_what_was_changed(market: Market) -> None:
    name = alert_in(await said(market, "alert 4090 floor < 0.35 in EU for=90m quiet=22:00-08:00 tz=Asia/Tokyo"))
    shown, version = await fields(market, f"alert edit {name}")
    assert shown == {"condition": "floor < 0.35 in EU", "hold": "90m", "repeat": "", "quiet": "22:00-08:00"}
    sent = FilledForm(
        f"alert edit {name}", version, {**shown, "condition": "floor < 0.3 in EU", "quiet": "23:00-07:00"}
    )
    assert "below $0.3 in EU" in await said(market, sent)
    told = await said(market, f"alert show {name}")
    assert "the condition has held for 90 minutes" in told  # what was not changed stays
    assert "23:00–07:00 (Asia/Tokyo)" in told  # its own zone, not the asker's
    shown, version = await fields(market, f"alert edit {name}")
    await said(market, FilledForm(f"alert edit {name}", version, {**shown, "hold": " ", "quiet": ""}))
    shown, _ = await fields(market, f"alert edit {name}")
    assert (shown["hold"], shown["quiet"]) == ("", "")  # what was emptied is off


async def test_a_form_that_was_overtaken_changes_nothing(market: Market) -> None:
    name = alert_in(await said(market, "alert 4090 < 0.35"))
    shown, version = await fields(market, f"alert edit {name}")
    await said(market, f"alert edit {name} < 0.31")
    assert "changed meanwhile" in await said(
        market, FilledForm(f"alert edit {name}", version, {**shown, "repeat": "4h"})
    )
    assert (await fields(market, f"alert edit {name}"))[0]["condition"] == "< 0.31"


async def test_a_form_sent_back_as_it_was_leaves_the_state_alone(market: Market) -> None:
    name = alert_in(await said(market, f"alert 4090 < {market.mark(0.9)} readings=1"))
    shown, version = await fields(market, f"alert edit {name}")
    assert "Nothing was changed" in await said(market, FilledForm(f"alert edit {name}", version, shown))


async def test_only_who_may_change_a_rule_sees_its_form(market: Market) -> None:
    name = alert_in(await said(market, "alert 4090 < 0.35"))
    for asker, line, why in (
        (BEN, f"alert edit {name}", "only who made this alert"),
        (Asker("slack", "T2", "UA", "C1", "admin"), f"alert edit {name}", "no alert of that name"),
        (ANA, "monitor", "monitor has no form"),
        (ANA, "no such thing", "no command"),
    ):
        opened = await form(market.dispatcher, asker, line, default="en")
        assert isinstance(opened, Reply)
        assert why in opened.card.lead
    _, version = await fields(market, f"alert edit {name}")
    stolen = FilledForm(f"alert edit {name}", version, {"condition": "< 9"})
    assert "only who made this alert" in await said(market, stolen, BEN)


async def test_a_condition_that_cannot_be_read_is_told_and_nothing_changes(market: Market) -> None:
    name = alert_in(await said(market, "alert 4090 < 0.35"))
    shown, version = await fields(market, f"alert edit {name}")
    answer = await said(market, FilledForm(f"alert edit {name}", version, {**shown, "condition": "cheap please"}))
    assert "no condition that can be watched" in answer
    assert (await fields(market, f"alert edit {name}"))[0] == shown


@pytest.fixture
async def on_slack(slack: FakeSlack, market: Market) -> AsyncIterator[Home]:  # noqa: F811
    async with house(slack, market.dispatcher) as home:
        market.send_through(home.face.platform, home.face.sender)
        yield home


async def fired(home: Home, market: Market, person: str = "UA") -> Message:
    """An alert's message in the channel."""
    await home.hear(f"alert {MODEL} < {market.mark(0.9)}", person=person)
    await market.poll(0.85, times=2)
    return next(message for message in home.slack.messages if not message.only)


async def modal(home: Home, told: Message, person: str = "UA") -> dict[str, Any]:
    seen = len(home.slack.modals)
    await home.slack.click(told, EDIT, person=person)
    await until(lambda: len(home.slack.modals) > seen)
    return home.slack.modals[-1]


async def test_the_edit_button_on_slack(on_slack: Home, market: Market) -> None:
    told = await fired(on_slack, market)
    view, seen = await modal(on_slack, told), len(on_slack.slack.messages)
    assert view["blocks"][0]["element"]["initial_value"] == f"< {float(market.mark(0.9)):g}"
    wrong = await on_slack.slack.submit(view, person="UA", condition="cheap please")
    await until(lambda: wrong in on_slack.slack.acks)
    errors = on_slack.slack.acks[wrong]["payload"]
    assert errors["response_action"] == "errors"
    assert "no condition that can be watched" in errors["errors"]["condition"]
    good = await on_slack.slack.submit(view, person="UA", condition="< 0.21", repeat="4h")  # the same modal, mended
    await until(lambda: good in on_slack.slack.acks and len(on_slack.slack.messages) > seen)
    assert "payload" not in on_slack.slack.acks[good]
    answer = on_slack.slack.messages[-1]
    assert (answer.only, "below $0.21" in answer.text) == ("UA", True)
    assert on_slack.slack.refused == []


async def test_a_form_on_slack_survives_a_restart_in_portuguese(
    slack: FakeSlack,  # noqa: F811
    on_slack: Home,
    market: Market,
) -> None:
    slack.people["UP"] = {"locale": "pt-BR"}
    told = await fired(on_slack, market, "UP")
    view = await modal(on_slack, told, "UP")
    shown = [view["title"]["text"], view["submit"]["text"], *(block["label"]["text"] for block in view["blocks"])]
    assert shown == ["alert edit", "Salvar", "Condição", "Precisa durar", "Lembrete a cada", "Horas de silêncio"]
    assert "," in view["blocks"][0]["element"]["initial_value"]
    await on_slack.end()
    async with house(slack, market.dispatcher):
        seen = len(slack.messages)
        await slack.submit(view, person="UP", condition="< 0,21")
        await until(lambda: len(slack.messages) > seen)
    assert "abaixo de $0,21\n" in slack.messages[-1].text


async def test_a_click_that_slack_takes_too_late_is_told(on_slack: Home, market: Market) -> None:
    told = await fired(on_slack, market)
    on_slack.slack.troubles["views.open"].append(Trouble(error="expired_trigger_id"))
    seen = len(on_slack.slack.messages)
    await on_slack.slack.click(told, EDIT, person="UA")
    await until(lambda: len(on_slack.slack.messages) > seen)
    assert "/spot alert edit" in on_slack.slack.messages[-1].text


@pytest.mark.parametrize("carried", ["", "[]", "[1,2,3,4]", '["a","b","c"]', "{"])
async def test_a_modal_that_carries_something_else_is_refused(on_slack: Home, market: Market, carried: str) -> None:
    view = await modal(on_slack, await fired(on_slack, market))
    seen = len(on_slack.slack.messages)
    sent = await on_slack.slack.submit({**view, "private_metadata": carried}, person="UA")
    await on_slack.hear("status")
    assert sent not in on_slack.slack.acks
    assert len(on_slack.slack.messages) == seen + 1


@pytest.mark.parametrize("host", ["http://{api}.example", "http://{api}@127.0.0.1:9", "http://{api}", "file:///x"])
async def test_a_modal_is_answered_where_it_was_opened_alone(on_slack: Home, market: Market, host: str) -> None:
    view = await modal(on_slack, await fired(on_slack, market))
    line, version, channel, answer_to, seal = json.loads(view["private_metadata"])
    elsewhere = host.format(api=answer_to.split("/")[2])
    carried = json.dumps([line, version, channel, elsewhere + "/hook", seal])
    sent = await on_slack.slack.submit({**view, "private_metadata": carried}, person="UA", condition="< 0.21")
    await until(lambda: sent in on_slack.slack.acks)
    assert (await fields(market, line))[0]["condition"] != "< 0.21"  # nothing is done that nobody hears of


@pytest.fixture
async def on_discord(discord: FakeDiscord, market: Market) -> AsyncIterator[Guild]:  # noqa: F811
    async with guild(discord, market.dispatcher) as home:
        market.send_through(home.face.platform, home.face.sender)
        yield home


async def test_the_edit_button_on_discord(on_discord: Guild, market: Market) -> None:
    asked = await on_discord.ask(f"alert {MODEL} < {market.mark(0.9)}", user="ana")
    assert asked.original is not None
    name = alert_in(plain(asked.original))
    await market.poll(0.85, times=2)
    (told,) = [message for message in on_discord.discord.messages.values() if "nonce" in message]
    opened = await on_discord.press(told, f"spot:form:alert edit {name}", user="ana")
    sent = await on_discord.discord.submit(opened, {"condition": "< 0.21"}, user="ana")
    await on_discord.idle()
    assert "below $0.21" in plain(sent.followups[0])
    again = await on_discord.discord.submit(opened, {"condition": "< 0.2"}, user="ana")  # the sheet showed another rule
    await on_discord.idle()
    assert "changed meanwhile" in plain(again.followups[0])
    refused = await on_discord.press(told, f"spot:form:alert edit {name}", user="bob")
    assert "only who made this alert" in plain(refused.followups[0])
