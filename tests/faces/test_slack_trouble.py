"""The Slack face where something is in the way: pictures, limits, outages, half a configuration."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from contextlib import AsyncExitStack
from typing import Any

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from bot.app import build_faces
from bot.config import BadSettings
from bot.dispatch.dispatcher import Dispatcher
from bot.faces.burst_gate import BurstGate
from bot.faces.errors import AccessRefused
from bot.faces.slack.face import build_slack, check
from bot.faces.slack.responder import Tasks
from bot.faces.slack.retries import web_client
from bot.secret_box import new_key
from tests.fakes.slack import APP, BOT, LIMITED, SECRET, FakeSlack, Message, Trouble, until
from tests.fakes.slack_house import MANY, Gallery, Home, house, slack_settings

# pictures


def pictures(message: Message) -> list[dict[str, Any]]:
    return [block for block in message.blocks if block["type"] == "image"]


async def test_a_chart_is_uploaded_once_and_shown_with_its_description(chat: Home) -> None:
    answer = await chat.hear("predict 4090")
    (picture,) = pictures(answer)
    file = chat.slack.files[picture["slack_file"]["id"]]
    assert file["state"] == "complete"
    assert file["alt"] == picture["alt_text"] == chat.gallery.drawn[0].alt
    await chat.slack.click(answer, "spot_refresh")
    await until(lambda: answer.edits)
    assert len(chat.slack.files) == 1
    assert pictures(answer) == [picture]


async def test_while_uploads_are_limited_answers_go_out_without_pictures(chat: Home) -> None:
    chat.slack.troubles["files.getUploadURLExternal"].append(LIMITED)
    with capture_logs():
        for text in ("history 4090", "history 3090"):
            answer = await chat.hear(text)
            assert pictures(answer) == []
            assert re.search("[▁▂▃▄▅▆▇█]{5}", answer.text)
    assert chat.slack.calls.count("files.getUploadURLExternal") == 1
    assert chat.naps.taken == []


@pytest.mark.parametrize(
    ("method", "trouble"),
    [
        ("files.getUploadURLExternal", Trouble(200, "missing_scope")),
        ("files.getUploadURLExternal", Trouble(500, "internal_error")),
        ("upload", Trouble(503)),
        ("files.completeUploadExternal", Trouble(200, "fatal_error")),
    ],
)
async def test_a_refused_upload_costs_the_picture_only(chat: Home, method: str, trouble: Trouble) -> None:
    chat.slack.troubles[method].append(trouble)
    with capture_logs() as logs:
        answer = await chat.hear("history 4090")
    assert pictures(answer) == []
    assert re.search("[▁▂▃▄▅▆▇█]{5}", answer.text)
    assert any(entry["event"] == "slack_picture_lost" for entry in logs)


async def test_an_upload_that_takes_too_long_is_not_waited_for(chat: Home) -> None:
    gate = asyncio.Event()
    chat.face.answers.pictures.patience = 0.05
    chat.slack.troubles["upload"].append(Trouble(wait=gate))
    with capture_logs():
        assert pictures(await chat.hear("history 4090")) == []
    gate.set()


async def test_a_picture_that_slack_has_not_looked_at_yet_is_tried_again(chat: Home) -> None:
    chat.slack.troubles["response_url"].append(Trouble(400, "invalid_blocks"))
    with capture_logs():
        assert len(pictures(await chat.hear("history 4090"))) == 1
    assert chat.naps.taken == [1.5]


async def test_blocks_that_slack_refuses_become_simpler_ones(chat: Home) -> None:
    chat.slack.troubles["response_url"].extend([Trouble(400, "invalid_blocks"), Trouble(400, "invalid_blocks")])
    with capture_logs():
        answer = await chat.hear("history 4090")
    kinds = [block["type"] for block in answer.blocks]
    assert "rich_text" in kinds
    assert not {"table", "image"} & set(kinds)
    assert answer.buttons[0] == "spot_share"


# trouble on the way


async def test_an_answer_that_is_limited_waits_as_long_as_slack_says(chat: Home) -> None:
    chat.slack.troubles["response_url"].extend([LIMITED, LIMITED])
    await chat.hear("monitor 4090")
    await chat.idle()
    assert chat.naps.taken == [7.0, 7.0]
    assert len(chat.slack.messages) == 1


async def test_a_wait_beyond_reason_is_given_up(chat: Home) -> None:
    chat.slack.troubles["response_url"].append(Trouble(429, "ratelimited", {"Retry-After": "3600"}))
    with capture_logs() as logs:
        await chat.slack.say("monitor 4090")
        await until(lambda: any(entry["event"] == "slack_answer_refused" for entry in logs))
    assert chat.slack.messages == []


async def test_an_outage_is_tried_once_more(chat: Home) -> None:
    chat.slack.troubles["response_url"].append(Trouble(503))
    assert (await chat.hear("monitor 4090")).text


async def test_a_dropped_socket_loses_no_command_in_flight_and_comes_back(chat: Home) -> None:
    gate = asyncio.Event()
    chat.slack.troubles["users.info"].append(Trouble(wait=gate))
    envelope = await chat.slack.say("monitor 4090")
    await until(lambda: envelope in chat.slack.acks)
    old = chat.slack.sockets[0]
    await chat.slack.drop()
    gate.set()
    await until(lambda: chat.slack.messages)
    await until(lambda: chat.slack.sockets and chat.slack.sockets[-1] is not old)
    await chat.hear("status")


async def test_a_socket_that_will_end_is_replaced_before_it_does(chat: Home) -> None:
    await chat.slack.announce()
    await until(lambda: len(chat.slack.sockets) == 2)
    first, second = chat.slack.sockets
    for socket in (first, second):  # both are listened to
        payload = chat.slack.command("status")
        seen = len(chat.slack.messages)
        await socket.send_json({"envelope_id": f"e{seen}", "type": "slash_commands", "payload": payload})
        await until(lambda seen=seen: len(chat.slack.messages) > seen)
    await first.close()
    await until(lambda: chat.slack.sockets == [second])


async def test_slack_may_be_unreachable_at_the_start(slack: FakeSlack, slack_dispatcher: Dispatcher) -> None:
    await slack.hang_up()
    settings = slack_settings(slack.url, slack_bot_token=BOT, slack_app_token=APP)
    home = Home(slack, slack_dispatcher, None, Gallery(), None)  # type: ignore[arg-type]
    naps: list[float] = []

    async def sleep(seconds: float) -> None:
        naps.append(seconds)
        await asyncio.sleep(0.001)

    face = build_slack(settings, slack_dispatcher, home.gallery, sleep=sleep)
    assert face is not None
    home.face = face
    with capture_logs() as logs:
        home.running = asyncio.create_task(face.run(home.stop))
        await until(lambda: len(naps) > 16)
        await slack.listen(int(slack.url.rsplit(":", 1)[1]))
        await until(lambda: face.line is not None and face.line.connected.is_set())  # it is said in the same step
    assert {1.0, 2.0, 4.0, 8.0} <= set(naps)
    assert max(naps) <= 60.0
    assert {"slack_unreachable", "slack_connected"} <= {entry["event"] for entry in logs}
    assert not any("exception" in entry or "exc_info" in entry for entry in logs)
    await home.hear("status")
    await home.end()


@pytest.mark.parametrize(
    ("wrong", "variable"),
    [({"slack_bot_token": "xoxb-bad"}, "SLACK_BOT_TOKEN"), ({"slack_app_token": "xapp-bad"}, "SLACK_APP_TOKEN")],
)
async def test_a_refused_token_ends_the_face_with_its_name(
    slack: FakeSlack, slack_dispatcher: Dispatcher, wrong: dict[str, str], variable: str
) -> None:
    settings = slack_settings(slack.url, **{"slack_bot_token": BOT, "slack_app_token": APP, **wrong})
    face = build_slack(settings, slack_dispatcher, Gallery())
    assert face is not None
    with pytest.raises(AccessRefused, match=variable) as caught:
        await face.run(asyncio.Event())
    assert "bad" not in str(caught.value)


async def test_what_is_under_way_is_answered_before_the_end(slack: FakeSlack, slack_dispatcher: Dispatcher) -> None:
    gate = asyncio.Event()
    async with AsyncExitStack() as stack:
        home = await stack.enter_async_context(house(slack, slack_dispatcher))
        slack.troubles["users.info"].append(Trouble(wait=gate))
        envelope = await slack.say("status")
        await until(lambda: envelope in slack.acks)
        home.stop.set()
        await until(lambda: not slack.sockets)
        gate.set()
        assert home.running is not None
        await home.running
    assert len(slack.messages) == 1


async def test_no_secret_is_logged(
    slack: FakeSlack, slack_dispatcher: Dispatcher, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with capture_logs() as logs:
        async with house(slack, slack_dispatcher) as home:
            slack.troubles["response_url"].append(Trouble(403, "no"))
            slack.troubles["apps.connections.open"].append(Trouble(200, "internal_error"))
            slack.troubles["users.info"].append(Trouble(200, "missing_scope"))
            await slack.say("predict 4090")
            await home.idle()
            await slack.drop()
            await until(lambda: slack.sockets)
            await home.hear("boom")
    told = caplog.text + json.dumps(logs, default=str)
    assert "slack_answer_refused" in told
    for secret in (BOT, APP, SECRET, "/hook/", "/link"):
        assert secret not in told


# settings


def test_without_anything_of_slack_there_is_no_face() -> None:
    assert build_slack(slack_settings("http://127.0.0.1:1"), None, Gallery()) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ({"slack_bot_token": BOT}, "SLACK_APP_TOKEN"),
        ({"slack_app_token": APP}, "SLACK_BOT_TOKEN"),
        ({"slack_signing_secret": SECRET}, "SLACK_BOT_TOKEN"),
        ({"slack_client_id": "1.2", "slack_signing_secret": SECRET}, "SLACK_CLIENT_SECRET"),
        ({**MANY, "slack_signing_secret": SECRET}, "SPOTBOT_SECRET_KEY"),
        ({**MANY, "slack_signing_secret": SECRET, "slack_bot_token": BOT}, "set one of them"),
        ({"slack_bot_token": APP, "slack_app_token": APP}, "SLACK_BOT_TOKEN is an app-level token"),
        ({"slack_bot_token": BOT, "slack_app_token": BOT}, "SLACK_APP_TOKEN is a bot token"),
    ],
)
def test_half_a_configuration_is_refused_by_name(said: dict[str, str], named: str) -> None:
    with pytest.raises(BadSettings, match=named):
        build_slack(slack_settings("http://127.0.0.1:1", **said), None, Gallery())  # type: ignore[arg-type]


@pytest.mark.parametrize("said", [{"slack_signing_secret": SECRET}, {"slack_app_token": APP}])
def test_whatever_is_said_of_slack_alone_is_not_remarks(said: dict[str, str]) -> None:
    with pytest.raises(BadSettings, match="SLACK_BOT_TOKEN"):
        build_faces(slack_settings("http://127.0.0.1:1", **said), None, Gallery(), ["slack"])  # type: ignore[arg-type]


async def test_the_doctor_looks_at_tokens_scopes_and_the_way(slack: FakeSlack) -> None:
    good = slack_settings(slack.url, slack_bot_token=BOT, slack_app_token=APP)
    assert [ok for _, ok, _ in await check(good)] == [True, True, True]
    bad = slack_settings(slack.url, slack_bot_token="xoxb-x", slack_app_token="xapp-x")
    assert [(what, ok) for what, ok, _ in await check(bad)] == [
        ("SLACK_BOT_TOKEN", False),
        ("SLACK_APP_TOKEN (Socket Mode)", False),
    ]
    away = slack_settings("http://127.0.0.1:9", slack_bot_token=BOT, slack_signing_secret=SECRET)
    (_, ok, advice), (_, signed, _) = await check(away)
    assert (ok, signed) == (False, True)
    assert "cannot be reached" in advice
    many = slack_settings(slack.url, **MANY, slack_signing_secret=SECRET)
    assert "SPOTBOT_SECRET_KEY" in (await check(many))[0][2]
    assert all(ok for _, ok, _ in await check(many.model_copy(update={"secret_key": SecretStr(new_key())})))
    assert await check(slack_settings(slack.url)) == []


async def test_the_doctor_names_what_is_missing_of_half_a_configuration(slack: FakeSlack) -> None:
    (half_configured, ok, advice), *others = await check(slack_settings(slack.url, slack_bot_token=BOT))
    assert (half_configured, ok) == ("Slack settings", False)
    assert "SLACK_APP_TOKEN" in advice
    assert all(good for _, good, _ in others)
    (_, ok, advice), *_ = await check(slack_settings(slack.url, slack_app_token=APP))
    assert not ok
    assert "SLACK_BOT_TOKEN" in advice


async def test_all_calls_of_a_limited_method_wait_those_of_other_workspaces_do_not(slack: FakeSlack) -> None:
    naps: list[float] = []

    async def sleep(seconds: float) -> None:
        naps.append(seconds)
        slack.teams["xoxb-other"] = "T2"

    client = web_client(f"{slack.url}/api", sleep=sleep)
    slack.troubles["users.info"].append(LIMITED)
    await client.users_info(user="UA", token=BOT)
    assert naps == [7.0]
    await client.users_info(user="UP", token=BOT)
    assert len(naps) == 2
    assert 5.0 < naps[1] <= 7.0
    await client.auth_test(token=BOT)
    await client.users_info(user="UP", token="xoxb-other")
    assert len(naps) == 2


async def test_connecting_waits_as_long_as_slack_says(slack: FakeSlack, slack_dispatcher: Dispatcher) -> None:
    slack.troubles["apps.connections.open"].append(LIMITED)
    with capture_logs():
        async with house(slack, slack_dispatcher) as home:
            assert 7.0 in home.naps.taken


# a rush


async def test_answers_of_a_rush_begin_after_its_end_and_the_first_at_once() -> None:
    begun: list[int] = []

    async def work(number: int) -> None:
        begun.append(number)

    patient, short = Tasks(BurstGate(lull=3600, longest=0.05)), Tasks(BurstGate(lull=0.01, longest=3600))
    for tasks in (patient, short):
        begun.clear()
        for number in range(5):
            tasks.start(work(number))
        await asyncio.sleep(0)
        assert begun == [0]
        await until(lambda: len(begun) == 5)
        await tasks.finish(1)


async def test_what_waits_for_the_end_of_a_rush_can_be_stopped() -> None:
    begun: list[int] = []

    async def work(number: int) -> None:
        begun.append(number)

    tasks = Tasks(BurstGate(lull=3600, longest=3600))
    for number in range(3):
        tasks.start(work(number))
    await tasks.finish(0.01)
    assert begun == [0]
