"""The Slack face over Socket Mode: what people say, click and see."""

from __future__ import annotations

import asyncio
import json

import pytest
from structlog.testing import capture_logs

from bot.accounts import Asker
from bot.commands import COMMANDS
from bot.dispatch.dispatcher import Dispatcher
from bot.dispatch.reply import reply
from bot.faces.slack.retries import web_client
from bot.faces.slack.web_api import Members
from tests.fakes.slack import BOT, FakeSlack, Trouble, until
from tests.fakes.slack_blocks import markup
from tests.fakes.slack_house import Home, house


@pytest.mark.parametrize("person", ["UA", "UP"])
async def test_every_command_is_answered_to_its_asker_alone(chat: Home, person: str) -> None:
    says = chat.slack.people[person]
    asker = Asker("slack", "T1", person, "C1", "admin", says["locale"], says.get("tz"))
    for line in ("alert 4090 < 0.01", "webhook add https://example.com/hook"):
        await chat.hear(line, person=person)  # the examples are about the newest
    for command in sorted(COMMANDS, key=lambda command: command.acts):
        line = command.examples[0]
        answer = await chat.hear(line, person=person)
        assert (answer.only, answer.channel) == (person, "C1")
        assert markup(answer.body) == []
        if command.acts:
            assert not {"spot_share", "spot_refresh"} & set(answer.buttons)
            assert answer.text.startswith(
                (
                    *("Settings", "Configurações", "Alert", "Alerta", "Webhook", "Web pages", "Páginas web"),
                    *("Dashboard", "Painel", "Digest", "Resumo", "Turned off", "Desligado"),
                )
            )
            continue
        expected = await reply(chat.dispatcher, asker, line, default="en")
        assert expected.ok, line
        assert answer.text.startswith(f"{expected.card.title}"), line
        assert expected.card.lead in answer.text, line
        assert answer.buttons[:2] == ["spot_share", "spot_refresh"]
    await chat.idle()


async def test_whoever_asks_hears_their_language_in_their_time_zone(chat: Home) -> None:
    assert "Previsão" in (await chat.hear("predict 4090", person="UP")).text
    assert "Sao_Paulo" in (await chat.hear("windows 4090", person="UP")).text
    assert "Price" in (await chat.hear("predict 4090", person="UA")).text


async def test_every_envelope_is_acknowledged_without_a_payload(chat: Home) -> None:
    envelope = await chat.slack.say("monitor")
    await until(lambda: envelope in chat.slack.acks)
    assert chat.slack.acks[envelope] == {"envelope_id": envelope}


async def test_a_command_is_acknowledged_before_anything_is_asked(chat: Home) -> None:
    gate = asyncio.Event()
    chat.slack.troubles["users.info"].append(Trouble(wait=gate))
    async with chat.dispatcher.store.writer():  # and although the database is being written
        envelope = await chat.slack.say("settings me language=pt-BR")
        await until(lambda: envelope in chat.slack.acks)
    assert chat.slack.messages == []
    gate.set()
    await until(lambda: chat.slack.messages)


async def test_nothing_typed_means_help(chat: Home) -> None:
    assert (await chat.hear("")).text.startswith("What you can ask")


@pytest.mark.parametrize(
    ("text", "hears"),
    [
        ("predict", "needs gpu_name"),
        ("predict nothing-like-it", "“nothing-like-it”"),
        ("savings 4090 hours=-1", "hours"),
    ],
)
async def test_what_cannot_be_answered_is_said_and_has_no_buttons(chat: Home, text: str, hears: str) -> None:
    answer = await chat.hear(text)
    assert answer.text.startswith("That cannot be answered")
    assert hears in answer.text
    assert answer.buttons == []


@pytest.mark.parametrize(
    ("text", "hears", "then"),
    [
        ("monitr", "Try: monitor", "Spot prices"),
        ("savings a100 100 h", "A100 PCIE 80GB", "Savings: A100"),
        ("savings 4O9O 100 h", "RTX 4090", "Savings: RTX 4090 for 100 h"),
        ("how much is a 4090", "Try: monitor 4090", "Spot prices"),
    ],
)
async def test_what_was_perhaps_meant_is_a_button_that_answers(chat: Home, text: str, hears: str, then: str) -> None:
    answer = await chat.hear(text)
    assert hears in answer.text
    seen = len(chat.slack.messages)
    await chat.slack.click(answer, answer.buttons[0])
    await until(lambda: len(chat.slack.messages) > seen)
    assert then in chat.slack.messages[seen].text


async def test_a_fault_becomes_a_sentence_with_the_id_under_which_it_is_logged(chat: Home) -> None:
    with capture_logs() as logs:
        answer = await chat.hear("boom")
    (entry,) = [entry for entry in logs if entry["event"] == "answer failed"]
    assert entry["id"] in answer.text
    assert "secret detail" not in json.dumps(answer.body)
    assert answer.buttons == []


async def test_a_fault_of_the_face_itself_is_told_too(chat: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat.face.answers, "pictures", None)
    with capture_logs() as logs:
        answer = await chat.hear("monitor")
    (entry,) = [entry for entry in logs if entry["event"] == "slack_answer_failed"]
    assert entry["id"] in answer.text
    monkeypatch.undo()


async def test_a_payload_that_nobody_expects_harms_nothing(chat: Home) -> None:
    with capture_logs():
        await chat.slack.send({"type": "block_actions", "actions": "?", "team": [], "user": 7})
        await chat.slack.send({"type": "view_submission", "view": {"callback_id": "x"}})
        await chat.slack.send({"command": "/spot"})
        assert (await chat.hear("status")).text


# doubles


async def test_a_command_delivered_four_times_is_answered_once(chat: Home) -> None:
    payload = chat.slack.command("settings me language=pt-BR")
    envelopes = [await chat.slack.send(payload) for _ in range(4)]
    await until(lambda: all(envelope in chat.slack.acks for envelope in envelopes))
    await until(lambda: chat.slack.messages)
    await chat.idle()
    assert len(chat.slack.messages) == 1


async def test_a_click_delivered_twice_has_one_effect(chat: Home) -> None:
    answer = await chat.hear("monitor")
    payload = chat.slack.click_on(answer, "spot_refresh")
    for _ in range(2):
        await chat.slack.send(payload)
    await until(lambda: answer.edits)
    await chat.idle()
    assert answer.edits == 1


async def test_share_posts_once_however_often_it_is_clicked(chat: Home) -> None:
    answer = await chat.hear("monitor 4090", person="UA")
    for _ in range(3):  # each click is one of its own to Slack
        await chat.slack.click(answer, "spot_share", person="UA")
    await until(lambda: len(chat.slack.messages) == 2)
    await chat.idle()
    assert len(chat.slack.messages) == 2
    shared = chat.slack.messages[1]
    assert (shared.only, shared.buttons) == ("", ["spot_run_0"])  # anybody may ask why
    assert "shared by Ada" in shared.text
    await chat.slack.click(answer, "spot_refresh", person="UA")
    await until(lambda: answer.edits)
    await chat.slack.click(answer, "spot_share", person="UA")  # what it shows now was not shared yet
    await until(lambda: len(chat.slack.messages) == 3)


async def test_what_is_shared_speaks_the_teams_language(chat: Home) -> None:
    await chat.hear("settings team language=en", person="UP")
    answer = await chat.hear("predict 4090", person="UP")
    assert "Previsão" in answer.text
    await chat.slack.click(answer, "spot_share", person="UP")
    await until(lambda: len(chat.slack.messages) == 3)
    assert chat.slack.messages[-1].text.startswith("Price forecast")
    assert "shared by up" in chat.slack.messages[-1].text


async def test_what_slack_does_not_take_when_sharing_is_told(chat: Home) -> None:
    answer = await chat.hear("monitor 4090")
    chat.slack.troubles["response_url"].extend([Trouble(403, "action_prohibited")])
    await chat.slack.click(answer, "spot_share")
    await until(lambda: len(chat.slack.messages) == 2)
    assert chat.slack.messages[1].text.startswith("That could not be shared")
    assert chat.slack.messages[1].only == "U1"


# buttons


async def test_buttons_work_after_a_restart(slack: FakeSlack, slack_dispatcher: Dispatcher) -> None:
    async with house(slack, slack_dispatcher) as before:
        answer = await before.hear("help")
    assert "page 1/5" in answer.text
    assert answer.buttons == ["spot_share", "spot_refresh", "spot_page_next"]
    async with house(slack, slack_dispatcher):
        for action, page, others in (
            ("spot_page_next", "page 2/5", ["spot_page_previous", "spot_page_next"]),
            ("spot_refresh", "page 2/5", ["spot_page_previous", "spot_page_next"]),
            ("spot_page_previous", "page 1/5", ["spot_page_next"]),
        ):
            edits = answer.edits
            await slack.click(answer, action)
            await until(lambda edits=edits: answer.edits > edits)
            assert page in answer.text
            assert answer.buttons[2:] == others
    assert len(slack.messages) == 1
    assert slack.refused == []


async def test_an_answer_that_fails_later_does_not_replace_the_good_one(chat: Home) -> None:
    answer = await chat.hear("monitor 4090")
    payload = chat.slack.click_on(answer, "spot_refresh")
    payload["actions"][0]["value"] = "0 boom"
    with capture_logs():
        await chat.slack.send(payload)
        await until(lambda: len(chat.slack.messages) == 2)
    assert answer.edits == 0


async def test_buttons_of_another_release_and_strange_values_are_acknowledged(chat: Home) -> None:
    answer = await chat.hear("monitor 4090")
    payload = chat.slack.click_on(answer, "spot_refresh")
    payload["actions"][0]["action_id"] = "spot_of_old"
    envelope = await chat.slack.send(payload)
    await until(lambda: envelope in chat.slack.acks)
    payload = chat.slack.click_on(answer, "spot_refresh")
    payload["actions"][0]["value"] = "²9 monitor 4090"
    await chat.slack.send(payload)
    await until(lambda: answer.edits)
    assert answer.text.startswith("Spot prices")


# who may what


async def test_members_may_not_speak_for_the_team_and_admins_may(chat: Home) -> None:
    assert "manager" in (await chat.hear("settings team language=pt-BR", person="U1")).text
    assert "Saved" in (await chat.hear("settings team language=en", person="UA")).text


async def test_whoever_slack_is_silent_about_is_a_member_without_language(chat: Home) -> None:
    chat.slack.troubles["users.info"].extend([Trouble(500, "internal_error")])
    with capture_logs() as logs:
        assert "manager" in (await chat.hear("settings team language=en", person="UA")).text
    assert any(entry["event"] == "slack_person_unknown" for entry in logs)


async def test_an_admin_of_another_workspace_is_a_member_here(chat: Home) -> None:
    chat.slack.people["UF"] = {"is_admin": True, "team_id": "T-other"}
    assert "manager" in (await chat.hear("settings team language=en", person="UF")).text


async def test_people_are_asked_about_once_an_hour_and_once_at_a_time(slack: FakeSlack) -> None:
    now = [0.0]
    people = Members(web_client(f"{slack.url}/api"), timer=lambda: now[0])
    first = await asyncio.gather(*(people.who("T1", "UA", BOT) for _ in range(50)))
    assert {who.role for who in first} == {"admin"}
    assert slack.calls.count("users.info") == 1
    now[0] = 3599.0
    await people.who("T1", "UA", BOT)
    assert slack.calls.count("users.info") == 1
    now[0] = 3601.0
    slack.people["UA"] = {}
    assert (await people.who("T1", "UA", BOT)).role == "member"


async def test_a_look_up_that_takes_too_long_makes_nobody_an_admin_and_is_waited_for_once(slack: FakeSlack) -> None:
    now, gate = [0.0], asyncio.Event()
    people = Members(web_client(f"{slack.url}/api"), timer=lambda: now[0])
    slack.people["UA"]["locale"] = "pt-BR"
    people.PATIENCE = 20.0  # type: ignore[misc]
    assert (await people.who("T1", "UA", BOT)).role == "admin"
    people.PATIENCE, now[0] = 0.05, 3601.0  # type: ignore[misc]
    slack.troubles["users.info"].append(Trouble(wait=gate))
    for _ in range(3):
        late = await people.who("T1", "UA", BOT)
        assert (late.role, late.locale) == ("member", "pt-BR")
    assert slack.calls.count("users.info") == 2
    gate.set()
    await until(lambda: not people._under_way)
    assert (await people.who("T1", "UA", BOT)).role == "admin"


async def test_a_slow_look_up_of_the_asker_does_not_hold_the_answer_up(chat: Home) -> None:
    gate = asyncio.Event()
    chat.face.answers.people.PATIENCE = 0.01  # type: ignore[misc]
    chat.slack.troubles["users.info"].append(Trouble(wait=gate))
    assert (await chat.hear("status", person="UP")).text.startswith("Status")
    gate.set()


# the App Home


async def test_the_home_opens_once_with_what_can_be_asked_what_holds_and_how_fresh_it_is(chat: Home) -> None:
    event = chat.slack.event_of("app_home_opened", user="UP", tab="home")
    for _ in range(2):
        await chat.slack.send(event)
    await until(lambda: "UP" in chat.slack.homes)
    await chat.idle()
    shown = json.dumps(chat.slack.homes["UP"], ensure_ascii=False)
    for command in COMMANDS:
        assert f"/spot {command.examples[0]}" in shown.replace('\\"', '"')
    for part in ("dados mais novos", "idioma", "America/Sao_Paulo"):
        assert part in shown
    assert chat.slack.calls.count("views.publish") == 1


async def test_other_tabs_and_other_events_publish_nothing(chat: Home) -> None:
    await chat.slack.event("app_home_opened", user="UP", tab="messages")
    envelope = await chat.slack.event("reaction_added", user="UP")
    await until(lambda: envelope in chat.slack.acks)
    await chat.idle()
    assert "views.publish" not in chat.slack.calls


async def test_a_cards_own_buttons_run_their_line_for_who_presses_them(chat: Home) -> None:
    answer = await chat.hear("tell", person="U1")
    assert answer.buttons == ["spot_share", "spot_refresh", "spot_run_0", "spot_run_1"]
    assert (answer.button("spot_run_0")["style"], "style" in answer.button("spot_run_1")) == ("danger", False)
    before = answer.text
    await chat.slack.click(answer, "spot_run_0", person="UA")
    await until(lambda: len(chat.slack.messages) == 2)
    told = chat.slack.messages[-1]
    assert (told.only, "done for a admin" in told.text, answer.text) == ("UA", True, before)
    assert told.buttons == []
