"""News that a workspace removed the Slack app: late and of others; and what those hear who ask nevertheless."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.faces.slack.presence import Presence
from tests.faces.test_slack_installs import install
from tests.fakes.alert_market import alert_in
from tests.fakes.slack import BOT, Trouble, until
from tests.fakes.slack_house import Home
from tests.fakes.stored import NOW

pytestmark = pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")

INSTALLED = NOW + 60
"""What the face's clock shows."""

REMOVALS: list[tuple[str, dict[str, Any]]] = [
    ("app_uninstalled", {}),
    ("tokens_revoked", {"tokens": {"oauth": [], "bot": ["UB"]}}),
]


async def is_installed(home: Home, team: str) -> bool:
    async with home.dispatcher.store.reader() as reader:
        return await reader.installation("slack", team) is not None


@pytest.mark.parametrize(("kind", "more"), REMOVALS)
async def test_a_removal_older_than_the_installation_removes_nothing(
    many: Home, kind: str, more: dict[str, Any]
) -> None:
    await install(many, "T2")
    for at in (INSTALLED - 120, INSTALLED):
        await many.slack.event(kind, team="T2", at=at, **more)
        answer = await many.hear("monitor 4090", team="T2")
        assert answer.text.startswith("Spot prices")
    assert await is_installed(many, "T2")


@pytest.mark.parametrize(("kind", "more"), REMOVALS)
async def test_a_removal_younger_than_the_installation_removes_it(many: Home, kind: str, more: dict[str, Any]) -> None:
    await install(many, "T2")
    with capture_logs():
        await many.slack.event(kind, team="T2", at=INSTALLED + 1, **more)
        await many.idle()
    assert not await is_installed(many, "T2")


async def test_a_removal_that_our_clock_calls_old_counts_where_the_token_is_refused(many: Home) -> None:
    await install(many, "T2")
    many.slack.revoke("T2")
    with capture_logs():
        await many.slack.event("app_uninstalled", team="T2", at=INSTALLED - 5)
        await many.idle()
    assert not await is_installed(many, "T2")


async def test_a_removal_counts_not_while_slack_cannot_say_whether_the_token_is_good(many: Home) -> None:
    await install(many, "T2")
    many.slack.troubles["auth.test"].append(Trouble(503))
    with capture_logs():
        await many.slack.event("app_uninstalled", team="T2", at=INSTALLED - 5)
        await many.idle()
    assert await is_installed(many, "T2")


async def test_an_installation_by_another_process_ends_the_removal_of_the_one_before(many: Home) -> None:
    await install(many, "T2")
    presence: Presence = many.face.answers.presence
    presence.leave("T2")
    await presence.forget("T2", INSTALLED - 1)
    assert await is_installed(many, "T2")
    assert not await presence.has_left("T2")


async def test_the_workspace_of_the_environment_is_not_mute_after_a_removal_that_is_old_news(chat: Home) -> None:
    await chat.slack.event("app_uninstalled")
    assert (await chat.hear("monitor 4090")).text.startswith("Spot prices")


async def test_the_workspace_of_the_environment_that_installed_the_app_again_is_answered(chat: Home) -> None:
    del chat.slack.teams[BOT]
    with capture_logs():
        await chat.slack.event("app_uninstalled")
        assert "not installed in this workspace" in (await chat.hear("monitor 4090")).text
    chat.slack.teams[BOT] = "T1"
    assert (await chat.hear("monitor 4090")).text.startswith("Spot prices")


async def test_a_form_sent_from_a_workspace_without_the_app_says_what_to_do(many: Home) -> None:
    await install(many, "T2")
    made = await many.hear("alert 4090 < 0.35", team="T2")
    await many.press_edit(made, alert_in(made.text))
    await until(lambda: many.slack.modals)
    async with many.dispatcher.store.writer() as writer:
        await writer.forget_team("slack", "T2")
    payload = many.slack.submission(many.slack.modals[-1], team="T2", condition="< 0.25")
    with capture_logs():
        answer = await many.face.dispatch(payload)
    assert "install it again" in answer.body


async def test_a_form_that_was_sealed_with_an_earlier_token_says_so(many: Home) -> None:
    await install(many, "T2")
    made = await many.hear("alert 4090 < 0.35", team="T2")
    await many.press_edit(made, alert_in(made.text))
    await until(lambda: many.slack.modals)
    await install(many, "T2")
    payload = many.slack.submission(many.slack.modals[-1], team="T2", condition="< 0.25")
    with capture_logs():
        answer = await many.face.dispatch(payload)
    assert "no longer good" in answer.body
