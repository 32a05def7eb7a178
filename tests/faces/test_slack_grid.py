"""Workspaces of Enterprise Grid: the organisation is in what Slack sends, here or there, and the team is who it is."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.secret_box import SecretBox
from tests.faces.test_slack_installs import install
from tests.fakes.alert_market import alert_in
from tests.fakes.slack import until
from tests.fakes.slack_house import KEY, Home
from tests.fakes.stored import NOW

pytestmark = pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")

ORGANISATION = {"id": "E1", "name": "Org"}


async def test_a_workspace_that_joins_an_organisation_keeps_its_installation_and_its_alerts(many: Home) -> None:
    await install(many, "T2")
    await many.hear("alert 4090 < 0.35", team="T2")
    await many.hear("settings me language=pt-BR", team="T2")
    answer = await many.hear("alert list", team="T2", enterprise_id="E1")
    assert "RTX 4090" in answer.text
    assert answer.text.startswith("Alertas")


async def test_what_a_workspace_set_up_in_an_organisation_is_there_after_it_left(many: Home) -> None:
    await install(many, "T2", "E1")
    await many.hear("alert 4090 < 0.35", team="T2", enterprise_id="E1")
    assert "RTX 4090" in (await many.hear("alert list", team="T2")).text


@pytest.mark.parametrize(
    "where",
    [
        {"enterprise": ORGANISATION},
        {"team": {"id": "T2", "domain": "two", "enterprise_id": "E1", "enterprise_name": "Org"}},
        {"team": None, "enterprise": ORGANISATION, "is_enterprise_install": True},
    ],
)
async def test_a_click_is_answered_wherever_it_carries_the_organisation(many: Home, where: dict[str, Any]) -> None:
    await install(many, "T2")
    answer = await many.hear("monitor 4090", team="T2")
    await many.slack.send(many.slack.click_on(answer, "spot_refresh", **where))
    await until(lambda: answer.edits)


async def test_a_form_that_was_opened_before_a_workspace_joined_an_organisation_still_saves(many: Home) -> None:
    await install(many, "T2")
    made = await many.hear("alert 4090 < 0.35", team="T2")
    await many.press_edit(made, alert_in(made.text))
    await until(lambda: many.slack.modals)
    seen = len(many.slack.messages)
    payload = many.slack.submission(many.slack.modals[-1], team="T2", condition="< 0.25")
    await many.slack.send({**payload, "enterprise": ORGANISATION, "team": {"id": "T2", "enterprise_id": "E1"}})
    await until(lambda: len(many.slack.messages) > seen)
    assert "0.25" in many.slack.messages[-1].text


async def test_the_home_opens_where_only_the_authorizations_name_the_workspace(many: Home) -> None:
    await install(many, "T2")
    event = many.slack.event_of("app_home_opened", team="T2", user="U1", tab="home")
    event["authorizations"] = [{"enterprise_id": "E1", "team_id": event.pop("team_id"), "is_enterprise_install": False}]
    await many.slack.send(event)
    await until(lambda: many.slack.homes)


async def test_tokens_that_were_sealed_for_an_organisation_open_for_the_same_team_only(many: Home) -> None:
    sealed = SecretBox(KEY).seal("slack:E1:T2", {"token": "xoxb-2"})
    many.slack.teams["xoxb-2"] = "T2"
    async with many.dispatcher.store.writer() as writer:
        await writer.save_installation("slack", "T2", sealed, NOW)
        await writer.save_installation("slack", "T3", sealed, NOW)
    assert (await many.hear("monitor 4090", team="T2")).text.startswith("Spot prices")
    with capture_logs():
        assert "not installed" in (await many.hear("monitor 4090", team="T3")).text


async def test_an_installation_in_a_whole_organisation_is_told_to_choose_one_workspace(many: Home) -> None:
    with capture_logs():
        page = await install(many, "", "E1")
    assert page.status_code == 400
    assert "choose a workspace" in page.text
    async with many.dispatcher.store.reader() as reader:
        assert await reader.installations() == []


async def test_a_command_that_names_no_workspace_is_told_so(many: Home) -> None:
    with capture_logs():
        answer = await many.hear("monitor", team="", enterprise_id="E1", is_enterprise_install="true")
    assert "not installed in this workspace" in answer.text
