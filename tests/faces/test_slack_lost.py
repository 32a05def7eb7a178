"""Answers that the network loses on their way to Slack: a person gets them, and everybody gets nothing twice."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from tests.fakes.alert_market import alert_in
from tests.fakes.slack import Trouble, until
from tests.fakes.slack_house import Home


@pytest.mark.parametrize("lost", [1, 2])
async def test_an_answer_that_was_lost_is_sent_again(chat: Home, lost: int) -> None:
    chat.slack.troubles["response_url"].extend([Trouble(lost="before")] * lost)
    with capture_logs():
        answer = await chat.hear("monitor 4090")
    assert answer.text.startswith("Spot prices")
    assert chat.slack.calls.count("response_url") == lost + 1


async def test_an_answer_is_sent_three_times_at_most(chat: Home) -> None:
    chat.slack.troubles["response_url"].extend([Trouble(lost="before")] * 9)
    with capture_logs() as logs:
        await chat.slack.say("monitor 4090")
        await until(lambda: any(entry["event"] == "slack_answer_refused" for entry in logs))
        await chat.idle()
    assert chat.slack.calls.count("response_url") == 3
    assert chat.slack.messages == []


@pytest.mark.parametrize(
    ("trouble", "there"), [(Trouble(lost="before"), 0), (Trouble(lost="after"), 1), (Trouble(503), 0)]
)
async def test_what_is_shared_is_never_sent_twice_and_the_asker_hears_of_the_doubt(
    chat: Home, trouble: Trouble, there: int
) -> None:
    answer = await chat.hear("monitor 4090")
    chat.slack.troubles["response_url"].append(trouble)
    with capture_logs():
        await chat.slack.click(answer, "spot_share")
        await until(lambda: len(chat.slack.messages) == 2 + there)
        await chat.idle()
    told = chat.slack.messages[-1]
    assert told.text.startswith("It is not known whether that was shared")
    assert told.only == "U1"
    assert [message.only for message in chat.slack.messages[1:-1]] == [""] * there


async def test_a_home_that_was_lost_is_published_again(chat: Home) -> None:
    chat.slack.troubles["views.publish"].append(Trouble(lost="before"))
    await chat.slack.event("app_home_opened", user="U1", tab="home")
    await until(lambda: chat.slack.homes)


async def test_a_form_whose_opening_was_lost_is_told_how_to_do_it_otherwise(chat: Home) -> None:
    made = await chat.hear("alert 4090 < 0.35", person="UA")
    chat.slack.troubles["views.open"].append(Trouble(lost="before"))
    seen = len(chat.slack.messages)
    with capture_logs():
        await chat.press_edit(made, alert_in(made.text), person="UA")
        await until(lambda: len(chat.slack.messages) > seen)
    assert chat.slack.messages[-1].text.startswith("The form could not be shown")


@pytest.mark.parametrize(
    "trouble", [Trouble(200, "file_not_found"), Trouble(413, "too_large"), Trouble(400, "no_such")]
)
async def test_a_picture_that_slack_refuses_costs_no_text(chat: Home, trouble: Trouble) -> None:
    chat.slack.troubles["response_url"].extend([trouble, trouble])
    with capture_logs():
        answer = await chat.hear("history 4090")
    assert answer.text.startswith("Price history")
    assert not [block for block in answer.blocks if block["type"] == "image"]
