"""The Slack face over HTTP: the same listeners behind signatures."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from bot.faces.slack_signed import LONGEST_BODY, NotOurs, parse, signed
from tests.fakes.slack import SECRET, Trouble, until
from tests.fakes.slack import signed as sign
from tests.fakes.slack_house import Home

FORM = "application/x-www-form-urlencoded"


async def post(home: Home, body: bytes, headers: Any) -> httpx.Response:
    assert home.web is not None
    with capture_logs():
        return await home.web.post("/slack/events", content=body, headers=headers)


# the same listeners


async def test_commands_buttons_and_events_all_come_to_one_address(posted: Home) -> None:
    answer = await posted.hear("predict 4090")
    assert answer.text.startswith("Price forecast")
    assert await posted.slack.click(answer, "spot_refresh") == "200"
    await until(lambda: answer.edits)
    assert await posted.slack.event("app_home_opened", user="U1", tab="home") == "200"
    await until(lambda: posted.slack.homes)


async def test_an_acknowledgement_is_empty_and_does_not_wait_for_the_answer(posted: Home) -> None:
    gate = asyncio.Event()
    posted.slack.troubles["users.info"].append(Trouble(wait=gate))
    answer = await post(posted, *sign(posted.slack.command("status")))
    assert (answer.status_code, answer.content) == (200, b"")
    assert posted.slack.messages == []
    gate.set()
    await until(lambda: posted.slack.messages)


async def test_slack_may_check_the_address(posted: Home) -> None:
    answer = await post(posted, *sign({"type": "url_verification", "challenge": "abc"}))
    assert answer.json() == {"challenge": "abc"}
    assert (await post(posted, *sign(urlencode({"ssl_check": "1"}).encode(), kind=FORM))).status_code == 200


async def test_a_text_that_says_payload_is_read_as_the_text_it_is(posted: Home) -> None:
    assert "payload" in (await posted.hear("payload=1")).text
    assert (await posted.hear("help predict payload")).text


async def test_retries_have_no_further_effect(posted: Home) -> None:
    command, event = posted.slack.command("status"), posted.slack.event_of("app_home_opened", user="U1", tab="home")
    for shift in range(4):
        for payload in (command, event):
            body, headers = sign(payload, at=time.time() - shift)
            assert (await post(posted, body, {**headers, "X-Slack-Retry-Num": str(shift)})).status_code == 200
    await until(lambda: posted.slack.messages and posted.slack.homes)
    await posted.idle()
    assert len(posted.slack.messages) == 1
    assert posted.slack.calls.count("views.publish") == 1


# signatures


@pytest.mark.parametrize(
    "spoilt",
    [
        {"X-Slack-Signature": "v0=" + "0" * 64},
        {"X-Slack-Signature": ""},
        {"X-Slack-Signature": "v0"},
        {"X-Slack-Signature": "v0=ä".encode()},
        {"X-Slack-Signature": b"\xff\xfe"},
        {"X-Slack-Request-Timestamp": "abc"},
        {"X-Slack-Request-Timestamp": ""},
        {"X-Slack-Request-Timestamp": "-1"},
        {"X-Slack-Request-Timestamp": "9" * 400},
        {"X-Slack-Request-Timestamp": "1e9"},
        {"X-Slack-Request-Timestamp": "²"},
        {"X-Slack-Request-Timestamp": str(int(time.time()) - 2)},
        {"X-Slack-Signature": None},
        {"X-Slack-Request-Timestamp": None},
    ],
)
async def test_what_is_not_signed_by_slack_is_refused(posted: Home, spoilt: dict[str, Any]) -> None:
    body, headers = sign(posted.slack.command("status"))
    fields = {**headers, **spoilt}
    encoded = [
        (name.encode(), value if isinstance(value, bytes) else value.encode("utf-8"))
        for name, value in fields.items()
        if value is not None
    ]
    assert (await post(posted, body, encoded)).status_code == 401
    await posted.idle()
    assert posted.slack.messages == []


@pytest.mark.parametrize(
    ("shift", "status"), [(-301, 401), (302, 401), (-298, 200), (298, 200), (-100_000, 401), (100_000, 401)]
)
async def test_a_signature_is_good_for_five_minutes(posted: Home, shift: int, status: int) -> None:
    assert (await post(posted, *sign(posted.slack.command("status"), at=time.time() + shift))).status_code == status


async def test_a_changed_body_another_secret_and_doubled_headers_are_refused(posted: Home) -> None:
    body, headers = sign(posted.slack.command("status"))
    assert (await post(posted, body + b"&x=1", headers)).status_code == 401
    assert (await post(posted, *sign(posted.slack.command("status"), secret=f"{SECRET}!"))).status_code == 401
    assert (await post(posted, body, [*headers.items(), ("X-Slack-Signature", "v0=1")])).status_code == 401
    assert (await post(posted, body, headers)).status_code == 200  # none of it has used the signature up


async def test_the_very_same_request_is_refused_the_second_time(posted: Home) -> None:
    body, headers = sign(posted.slack.command("status"))
    assert [(await post(posted, body, headers)).status_code for _ in range(3)] == [200, 401, 401]
    await until(lambda: posted.slack.messages)
    await posted.idle()
    assert len(posted.slack.messages) == 1


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b"7", "application/json"),
        (b"\xff\xfe", "application/json"),
        (b"[" * 50_000, "application/json"),
        (b"", "application/json"),
        (b"", FORM),
        (b"text=1", FORM),
        (b"payload=%7B", FORM),
        (b"payload=7", FORM),
        (b"&".join(b"a%d=1" % n for n in range(500)), FORM),
        (b'{"command": "/spot"}', "text/plain"),
        (b'{"command": "/spot"}', ""),
        (b'{"command": "/spot"}', FORM),
        (b"command=/spot", "multipart/form-data; boundary=x"),
        (b'{"type": "block_actions", "actions": [1], "team": 3}', "application/json"),
    ],
)
async def test_a_signed_body_that_cannot_be_read_is_400(posted: Home, body: bytes, kind: str) -> None:
    signed_body, headers = sign(body, kind=kind or "x")
    answer = await post(posted, signed_body, {**headers, "Content-Type": kind})
    assert answer.status_code == 400


async def test_long_bodies_are_refused_before_they_are_read_to_their_end(posted: Home) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(1000):
            read += 65_536
            yield b"x" * 65_536

    assert posted.web is not None
    _, headers = sign(b"{}")
    with capture_logs():
        answer = await posted.web.post("/slack/events", content=endless(), headers=headers)
    assert answer.status_code == 413
    assert read <= LONGEST_BODY + 2 * 65_536


@given(st.text(max_size=30), st.text(max_size=80), st.binary(max_size=50))
def test_checking_a_signature_never_raises(stamp: str, signature: str, body: bytes) -> None:
    assert signed(SECRET, stamp, signature, body, time.time()) is False


@given(st.sampled_from(["application/json", FORM, "application/json; charset=utf-8", "x"]), st.binary(max_size=200))
def test_reading_a_body_gives_an_object_or_refuses(kind: str, body: bytes) -> None:
    with suppress(NotOurs):
        assert isinstance(parse(kind, body), dict)
