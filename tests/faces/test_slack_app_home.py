"""Slack's App Home: the person's own screen, whose buttons answer in modals, for there is no response_url."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from bot.commands import COMMANDS
from bot.dispatch.dispatcher import Dispatcher
from bot.faces.slack import app_home, responder
from tests.fakes.alert_market import alert_in
from tests.fakes.slack import FakeSlack, Trouble, signed, until
from tests.fakes.slack_blocks import texts
from tests.fakes.slack_house import Home, house, slack, slack_dispatcher  # noqa: F401  fixtures

ADD = "alert add"


@pytest.fixture(params=["socket", "http"])
async def home(
    slack: FakeSlack,  # noqa: F811
    slack_dispatcher: Dispatcher,  # noqa: F811
    request: pytest.FixtureRequest,
) -> AsyncIterator[Home]:
    """A face over a socket, then one that Slack posts to; UA and UM have it open, UM being no admin."""
    slack.people["UM"] = {"locale": "en-US"}
    async with house(slack, slack_dispatcher, http=request.param == "http") as found:
        for person in ("UA", "UM"):
            await opened(found, person)
        yield found
    assert slack.refused == []


async def opened(home: Home, person: str) -> None:
    seen = home.slack.calls.count("views.publish")
    await home.slack.event("app_home_opened", user=person, tab="home")
    await until(lambda: home.slack.calls.count("views.publish") > seen)
    await settled(home)


async def settled(home: Home) -> None:
    """Until nothing is under way, with what goes on after forms."""
    await home.idle()
    await until(lambda: not home.face.answers._late)


async def press(home: Home, action: str, person: str = "UA", **changes: Any) -> None:
    click = home.slack.click_home(action, person=person)
    click["actions"][0] |= changes
    await deliver(home, click)


async def deliver(home: Home, payload: dict[str, Any]) -> None:
    """Send it, and wait until all is done."""
    sent = await home.slack.send(payload)
    if home.slack.over_http is None:
        await until(lambda: sent in home.slack.acks)
    await settled(home)


async def alert(home: Home, condition: str = "< 0.05", person: str = "UA") -> str:
    """The name of a new alert, made in a channel; the person's home is opened anew."""
    made = alert_in((await home.hear(f"alert 4090 {condition}", person=person)).text)
    await opened(home, person)
    return made


def shown(view: dict[str, Any]) -> str:
    return "\n".join(texts(view["blocks"]))


def buttons(view: dict[str, Any]) -> Sequence[str]:
    return [one["value"] for block in view["blocks"] if block["type"] == "actions" for one in block["elements"]]


async def test_it_is_the_persons_own_screen_with_what_can_be_asked(home: Home) -> None:
    made, other = await alert(home), await alert(home, person="UM")
    ana, ben = (home.slack.homes[person] for person in ("UA", "UM"))
    assert made in shown(ana)
    assert made not in shown(ben)
    assert other in shown(ben)
    for part in ("RTX 4090", "Status", "The busiest GPUs", "your role", "admin", "What you can ask"):
        assert part in shown(ana)
    assert all(json.dumps(f"/spot {command.examples[0]}")[1:-1] in json.dumps(ana) for command in COMMANDS)
    assert buttons(ana) == [
        "0 home", "0 alert add", f"0 alert snooze {made} 1h", f"0 alert edit {made}", f"0 alert delete {made}",
    ]  # fmt: skip
    assert "it writes to you directly" in shown(ana)  # a home is no channel


async def test_a_button_answers_in_a_modal_and_the_home_shows_what_it_did(home: Home) -> None:
    made = await alert(home)
    await press(home, f"alert snooze {made}")
    (modal,) = home.slack.modals
    assert "It is silent until" in shown(modal)
    assert (modal["title"]["text"], modal["close"]["text"], "submit" in modal) == ("spotbot", "Close", False)
    assert "snoozed" in shown(home.slack.homes["UA"])
    await press(home, "home")  # the one that refreshes
    assert len(home.slack.modals) == 1
    assert home.slack.calls.count("views.publish") == 5


async def test_a_second_click_on_the_same_showing_does_nothing(home: Home) -> None:
    made = await alert(home)
    click = home.slack.click_home(f"alert delete {made}", person="UA")
    again = {**click, "trigger_id": "another"}
    await home.slack.send(click)
    await deliver(home, again)
    (modal,) = home.slack.modals
    assert "It is deleted." in shown(modal)
    assert made not in shown(home.slack.homes["UA"])


async def test_a_stale_home_says_so_and_is_published_anew(home: Home) -> None:
    made, published = await alert(home), home.slack.calls.count("views.publish")
    await home.hear(f"alert delete {made}", person="UA")
    await press(home, f"alert snooze {made}")
    assert "there is no alert of that name here" in shown(home.slack.modals[-1])
    assert made not in shown(home.slack.homes["UA"])
    second = await alert(home)
    await home.hear(f"alert delete {second}", person="UA")
    await press(home, f"alert edit {second}")
    assert "there is no alert of that name here" in shown(home.slack.modals[-1])
    assert second not in shown(home.slack.homes["UA"])
    assert home.slack.calls.count("views.publish") == published + 3


async def test_a_value_that_was_put_in_runs_with_the_role_of_who_clicks(home: Home) -> None:
    made = await alert(home)
    await alert(home, person="UM")
    await press(home, "alert snooze", "UM", value=f"0 alert delete {made}")
    assert "only who made this alert, or a manager, may do that" in shown(home.slack.modals[-1])
    await press(home, "alert edit", "UM", value=f"0 alert edit {made}")
    assert "only who made this alert, or a manager, may do that" in shown(home.slack.modals[-1])
    await press(home, "alert snooze", "UM", value="0 settings team language=pt-BR")
    assert "is for a manager" in shown(home.slack.modals[-1])
    await opened(home, "UA")
    assert made in shown(home.slack.homes["UA"])


async def test_an_answer_that_takes_longer_comes_into_a_modal_that_waits(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_home, "MODAL_PATIENCE", 0)
    made = await alert(home)
    await press(home, f"alert snooze {made}")
    calls = [call for call in home.slack.calls if call.startswith("views.") and call != "views.publish"]
    assert calls == ["views.open", "views.update"]
    (modal,) = home.slack.modals
    assert "It is silent until" in shown(modal)


async def test_what_no_modal_can_say_stands_on_top_of_the_home(home: Home) -> None:
    made = await alert(home)
    home.slack.troubles["views.open"].append(Trouble(error="expired_trigger_id"))
    await press(home, f"alert snooze {made}")
    assert home.slack.modals == []
    assert shown(home.slack.homes["UA"]).startswith(f"Alert {made}\nIt is silent until")
    home.slack.troubles["views.open"] += [Trouble(error="expired_trigger_id"), Trouble(error="expired_trigger_id")]
    await press(home, ADD)
    assert shown(home.slack.homes["UA"]).startswith("The form could not be shown\n")


async def test_an_alert_is_added_from_the_home_and_told_to_the_person(home: Home) -> None:
    await press(home, ADD)
    (form,) = home.slack.modals
    fields = {block["block_id"]: block["element"]["initial_value"] for block in form["blocks"]}
    assert fields == {"gpu": "", "condition": "", "to": "dm", "hold": "", "quiet": ""}
    assert "channel · dm" in form["blocks"][2]["hint"]["text"]
    wrong = await submit(home, form, gpu="RTX 4091", condition="< 0.21")
    assert wrong["response_action"] == "errors"
    assert "RTX 4090" in wrong["errors"]["gpu"]
    nowhere = await submit(home, form, gpu="4090", condition="< 0.21", to="channel")
    assert "no default channel" in str(nowhere["errors"])
    good = await submit(home, form, gpu="4090", condition="< 0.21", hold="2h", to="here")
    assert good["response_action"] == "update"
    assert "It is told to you alone." in shown(good["view"])
    made = alert_in(shown(good["view"]))
    assert made in shown(home.slack.homes["UA"])
    told = (await home.hear(f"alert show {made}", person="UA")).text
    assert "below $0.21" in told
    assert "the condition has held for" in told
    async with home.dispatcher.store.reader() as reader:
        (row,) = await reader.alerts.of_team("slack", "", "T1")
    assert (row.destination.person, row.destination.channel) == ("UA", "")


async def submit(home: Home, view: dict[str, Any], person: str = "UA", **given: str) -> dict[str, Any]:
    """Send a form back; what the modal is told."""
    if home.slack.over_http is None:
        sent = await home.slack.submit(view, person=person, **given)
        await until(lambda: sent in home.slack.acks)
        await settled(home)
        return dict(home.slack.acks[sent].get("payload") or {})
    body, headers = signed(home.slack.submission(view, person=person, **given))
    answer = await home.slack.over_http.post("/slack/events", content=body, headers=headers)
    await settled(home)
    return dict(json.loads(answer.text or "{}"))


async def test_an_alert_is_edited_from_the_home(home: Home) -> None:
    made = await alert(home)
    await press(home, f"alert edit {made}")
    told = await submit(home, home.slack.modals[-1], condition="< 0.21")
    assert "It is changed." in shown(told["view"])
    assert "below $0.21" in shown(home.slack.homes["UA"])
    stale = await submit(home, home.slack.modals[-1], condition="< 0.2")
    assert "changed meanwhile" in stale["errors"]["condition"]


async def test_a_form_that_takes_longer_is_answered_on_the_home(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    made = await alert(home)
    await press(home, f"alert edit {made}")
    monkeypatch.setattr(responder, "FORM_PATIENCE", 0)
    assert await submit(home, home.slack.modals[-1], condition="< 0.21") == {}
    assert shown(home.slack.homes["UA"]).startswith(f"Alert {made}\nIt is changed.")


async def test_a_form_of_the_home_cannot_be_sent_by_what_was_never_opened(home: Home) -> None:
    await press(home, ADD)
    view = home.slack.modals[-1]
    line, version, channel, answer_to, seal = json.loads(view["private_metadata"])
    assert (line, channel, answer_to) == ("alert add", "", "")
    forged = {**view, "private_metadata": json.dumps(["settings team", version, channel, answer_to, seal])}
    told = await submit(home, forged, gpu="4090", condition="< 0.21")
    assert "no longer good" in told["errors"]["gpu"]


async def test_the_home_and_its_modals_are_in_the_persons_language(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_home, "MODAL_PATIENCE", 0)
    made = alert_in((await home.hear("alert 4090 < 0,05", person="UP")).text)
    await opened(home, "UP")
    for part in ("Início", "Meus alertas", "America/Sao_Paulo", "fuso horário", "Adiar 1h"):
        assert part in shown(home.slack.homes["UP"])
    gate = asyncio.Event()
    home.slack.troubles["views.update"].append(Trouble(wait=gate))
    await home.slack.send(home.slack.click_home(f"alert snooze {made}", person="UP"))
    await until(lambda: "views.update" in home.slack.calls)
    assert "A resposta está a caminho." in shown(home.slack.modals[-1])
    gate.set()
    await settled(home)
    assert home.slack.modals[-1]["close"]["text"] == "Fechar"
    await press(home, ADD, "UP")
    assert [block["label"]["text"] for block in home.slack.modals[-1]["blocks"]][1:3] == ["Condição", "Onde é avisado"]


async def test_a_home_with_many_alerts_is_within_the_limits(home: Home) -> None:
    for n in range(1, 16):
        await home.hear(f"alert 4090 < 0.{n:03}", person="UA")
    await opened(home, "UA")
    view = home.slack.homes["UA"]
    assert len(view["blocks"]) <= 100
    assert len(json.dumps(view)) < 250_000
    assert len(buttons(view)) == 2 + 2 * 3
    assert "your alerts beyond these: 5; alert list shows them" in shown(view)
