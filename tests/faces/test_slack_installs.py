"""Workspaces that install the Slack app, and remove it."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from cryptography.fernet import Fernet
from structlog.testing import capture_logs

from bot.accounts import Asker, Preferences
from bot.faces.slack.installations import SCOPES, States, authorize_url, label
from bot.outbox.sender import Address, Delivered, Message, Rejected
from bot.presentation.card import Card
from bot.secret_box import SecretBox, new_key
from tests.fakes.slack import CLIENT_ID, Trouble, until
from tests.fakes.slack_house import KEY, Home
from tests.fakes.stored import NOW

# slack_sdk speaks to oauth.v2.access in a way that aiohttp 4 will not know
pytestmark = pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")


async def install(home: Home, team: str, enterprise: str = "") -> httpx.Response:
    """Go through the two pages as a browser would."""
    assert home.web is not None
    page = await home.web.get("/slack/install")
    assert page.status_code == 302
    asked = parse_qs(urlsplit(page.headers["location"]).query)
    back = {"code": home.slack.consent(team, enterprise=enterprise), "state": asked["state"][0]}
    return await home.web.get(f"/slack/oauth_redirect?{urlencode(back)}", headers={"Cookie": cookie_of(page)})


def cookie_of(page: httpx.Response) -> str:
    cookie = page.headers["set-cookie"]
    assert {"httponly", "secure"} <= {part.strip().lower() for part in cookie.split(";")}
    return str(cookie.split(";")[0])


async def test_a_workspace_installs_the_app_and_is_answered_with_its_own_token(many: Home, tmp_path: Path) -> None:
    assert many.web is not None
    page = await many.web.get("/slack/install?team=T9%0d%0aX-Evil:%201")
    where = urlsplit(page.headers["location"])
    assert f"{where.scheme}://{where.netloc}{where.path}" == f"{many.slack.url}/oauth/v2/authorize"
    asked = parse_qs(where.query)
    assert asked["client_id"] == [CLIENT_ID]
    assert set(asked["scope"][0].split(",")) == set(SCOPES)
    assert "team" not in asked
    assert (await install(many, "T2")).status_code == 200
    answer = await many.hear("predict 4090", team="T2")
    assert answer.text.startswith("Price forecast")
    assert {file["team"] for file in many.slack.files.values()} == {"T2"}
    (token,) = [token for token, team in many.slack.teams.items() if team == "T2"]
    for file in os.listdir(tmp_path):
        assert token.encode() not in (tmp_path / file).read_bytes()


async def test_a_state_is_good_once_and_for_the_browser_that_asked(many: Home) -> None:
    assert many.web is not None
    page = await many.web.get("/slack/install")
    state = parse_qs(urlsplit(page.headers["location"]).query)["state"][0]

    async def back(state: str, cookie: str) -> int:
        query = urlencode({"code": many.slack.consent("T2"), "state": state})
        assert many.web is not None
        answer = await many.web.get(f"/slack/oauth_redirect?{query}", headers={"Cookie": cookie} if cookie else {})
        return answer.status_code

    cookie = cookie_of(page)
    other = cookie_of(await many.web.get("/slack/install"))
    assert await back(state, "") == 400
    assert await back(state, other) == 400
    assert await back("made-up", "slack-app-oauth-state=made-up") == 401
    assert await back(state, cookie) == 200
    assert await back(state, cookie) == 401


async def test_a_state_is_good_for_ten_minutes() -> None:
    states, fernet = States(SecretBox(KEY)), Fernet(KEY.encode())
    document = json.dumps(["slack-oauth-state", {"nonce": "n"}]).encode()

    def issued(ago: int) -> str:
        return fernet.encrypt_at_time(document, int(time.time()) - ago).decode()

    assert not await states.async_consume(issued(601))
    assert await states.async_consume(issued(590))
    assert not await states.async_consume(SecretBox(KEY).seal("slack::T1", {"nonce": "m"}).decode())


async def test_no_to_the_consent_a_wrong_code_and_an_outage_are_pages(many: Home) -> None:
    assert many.web is not None
    refused = await many.web.get("/slack/oauth_redirect?error=<script>alert(1)</script>")
    assert refused.status_code == 200
    assert "<script>" not in refused.text
    many.slack.troubles["oauth.v2.access"].append(Trouble(200, "invalid_code"))
    assert (await install(many, "T2")).status_code == 401
    many.slack.troubles["oauth.v2.access"].append(Trouble(503))
    assert (await install(many, "T2")).status_code == 401
    await many.slack.hang_up()
    with capture_logs():
        assert (await install(many, "T2")).status_code == 502
    await many.slack.listen(int(many.slack.url.rsplit(":", 1)[1]))


async def test_an_installation_that_cannot_be_stored_says_so(many: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many.dispatcher.store, "_writable", False)
    with capture_logs():
        assert (await install(many, "T2")).status_code == 503
    monkeypatch.undo()


async def test_a_workspace_that_is_not_known_is_told_kindly(many: Home) -> None:
    with capture_logs() as logs:
        answer = await many.hear("monitor", team="T7")
        await many.slack.event("app_home_opened", team="T7", user="U1", tab="home")
        await until(lambda: sum(entry["event"] == "slack_not_installed" for entry in logs) == 2)
    assert answer.text.startswith("spotbot is not installed in this workspace")
    assert (answer.buttons, answer.only) == ([], "U1")
    assert many.slack.homes == {}


async def stored(home: Home, team: str) -> tuple[bool, Preferences]:
    async with home.dispatcher.store.reader() as reader:
        mine, _ = await reader.preferences(Asker("slack", team, "U1"))
        return await reader.installation("slack", team) is not None, mine


@pytest.mark.parametrize(
    ("kind", "more"), [("app_uninstalled", {}), ("tokens_revoked", {"tokens": {"oauth": [], "bot": ["UB"]}})]
)
async def test_removing_the_app_stops_everything_and_leaves_nothing(
    many: Home, kind: str, more: dict[str, Any]
) -> None:
    await install(many, "T2")
    await install(many, "T3")
    for team in ("T2", "T3"):
        await many.hear("settings me language=pt-BR", team=team)
    gate, seen = asyncio.Event(), len(many.slack.messages)
    for _ in range(2):
        many.slack.troubles["users.info"].append(Trouble(wait=gate))
    many.face.answers.people.forget("T2")
    await many.slack.say("predict 4090", team="T2")
    with capture_logs():
        many.slack.revoke("T2")
        await many.slack.event(kind, team="T2", **more)
        gate.set()
        await many.idle()
        told = [message.text for message in many.slack.messages[seen:]]  # not even the answer that was under way
        assert all(text.startswith("spotbot is not installed in this workspace") for text in told)
        assert await stored(many, "T2") == (False, Preferences())
        answer = await many.hear("monitor", team="T2")
    assert answer.text.startswith("spotbot is not installed in this workspace")
    assert (await stored(many, "T3"))[1].language == "pt-BR"
    assert await many.hear("monitor", team="T3")
    await install(many, "T2")
    assert (await many.hear("monitor", team="T2")).text.startswith("Spot prices")


async def test_a_revoked_personal_token_is_none_of_ours(many: Home) -> None:
    await install(many, "T2")
    await many.slack.event("tokens_revoked", team="T2", tokens={"oauth": ["U1"], "bot": []})
    await many.idle()
    assert (await many.hear("monitor 4090", team="T2")).text.startswith("Spot prices")


async def test_another_process_may_install_a_workspace_again(many: Home) -> None:
    await install(many, "T2")
    with capture_logs():
        await many.slack.event("app_uninstalled", team="T2")
        await many.idle()
    token = "xoxb-new"
    many.slack.teams[token] = "T2"
    async with many.dispatcher.store.writer() as writer:
        sealed = SecretBox(KEY).seal(label("T2"), {"token": token})
        await writer.save_installation("slack", "T2", sealed, NOW)
    assert (await many.hear("monitor 4090", team="T2")).text.startswith("Spot prices")


async def test_a_removal_that_cannot_be_stored_is_tried_again(many: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    await install(many, "T2")
    monkeypatch.setattr(many.dispatcher.store, "_writable", False)
    with capture_logs() as logs:
        await many.slack.event("app_uninstalled", team="T2")
        await until(lambda: any(entry["event"] == "slack_workspace_not_forgotten" for entry in logs))
        monkeypatch.undo()
        await many.idle()
    assert await stored(many, "T2") == (False, Preferences())


async def test_a_token_sealed_with_a_lost_key_reads_as_not_installed(many: Home) -> None:
    async with many.dispatcher.store.writer() as writer:
        sealed = SecretBox(new_key()).seal(label("T5"), {"token": "xoxb-5"})
        await writer.save_installation("slack", "T5", sealed, NOW)
    with capture_logs() as logs:
        answer = await many.hear("monitor", team="T5")
    assert "not installed" in answer.text
    assert any("SPOTBOT_SECRET_KEY" in entry.get("reason", "") for entry in logs)


def test_consent_is_asked_where_the_api_is() -> None:
    assert authorize_url("https://slack.com/api") == "https://slack.com/oauth/v2/authorize"
    assert authorize_url("http://127.0.0.1:4010/api") == "http://127.0.0.1:4010/oauth/v2/authorize"


async def test_nothing_is_sent_uninvited_to_a_workspace_that_removed_the_app(many: Home) -> None:
    message = Message("m1", Address("slack", "T2", "C1"), Card("title", "lead"), "en")
    await install(many, "T2")
    assert isinstance(await many.face.sender.send(message), Delivered)
    many.face.answers.presence.leave("T2")
    calls = len(many.slack.calls)
    assert await many.face.sender.send(message) == Rejected("the app was removed", gone=True)
    assert len(many.slack.calls) == calls
    await install(many, "T2")
    assert isinstance(await many.face.sender.send(message), Delivered)
