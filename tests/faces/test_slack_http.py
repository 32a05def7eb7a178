"""The Slack face over HTTP: the same listeners behind signatures."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from bot.faces.slack.signed_requests import LONGEST_BODY, NotOurs, parse, signed
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
    now = time.time()  # once: two signatures of one second and body would be a replay
    for shift in range(4):
        for payload in (command, event):
            body, headers = sign(payload, at=now - shift)
            assert (await post(posted, body, {**headers, "X-Slack-Retry-Num": str(shift)})).status_code == 200
    await until(lambda: posted.slack.messages and posted.slack.homes)
    await posted.idle()
    assert len(posted.slack.messages) == 1
    assert posted.slack.calls.count("views.publish") == 1


# signatures


Headers = list[tuple[str, str | bytes]]


def with_headers(body: bytes, headers: dict[str, str], **changes: str | bytes | None) -> tuple[bytes, Headers]:
    """A request with its ``signature`` or ``stamp`` replaced, or taken away by None."""
    names = {"signature": "X-Slack-Signature", "stamp": "X-Slack-Request-Timestamp"}
    fields: dict[str, str | bytes | None] = {**headers, **{names[key]: value for key, value in changes.items()}}
    return body, [(name, value) for name, value in fields.items() if value is not None]


def signed_for(stamp: str, body: bytes) -> str:
    """The signature of a body by whoever knows the secret, whatever the time is."""
    return "v0=" + hmac.new(SECRET.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()


def forgeries() -> Iterator[tuple[str, Callable[[bytes, dict[str, str]], tuple[bytes, Headers]]]]:
    """What makes a request one that Slack did not sign just now: a name, and how to spoil a good one."""
    for name, signature in {
        "none": None,
        "empty": "",
        "half": "v0",
        "zeros": "v0=" + "0" * 64,
        "another version": "v1=" + "0" * 64,
        "not ASCII": "v0=ä".encode(),
        "no UTF-8": b"\xff\xfe",
        "long": "v0=" + "0" * 20_000,
    }.items():
        yield f"signature: {name}", lambda body, headers, s=signature: with_headers(body, headers, signature=s)
    for stamp in (
        None,
        "",
        " ",
        "abc",
        "-1",
        "1e9",
        "NaN",
        "inf",
        "0x10",
        "9" * 12,
        "9" * 400,
        "²",
        "١٧٩٠٠٠٠٠٠٠",
        "1.5",
    ):
        yield f"stamp: {stamp!s:.20}", lambda body, headers, s=stamp: with_headers(body, headers, stamp=_raw(s))
        if stamp is not None:  # even where the secret was known
            yield (
                f"signed stamp: {stamp:.20}",
                lambda body, headers, s=stamp: with_headers(
                    body, headers, stamp=_raw(s), signature=signed_for(s, body)
                ),
            )
    yield "stamp: no UTF-8", lambda body, headers: with_headers(body, headers, stamp=b"\xff\xfe")
    for name, seconds in {"stale": -301, "future": 302, "long ago": -100_000, "far ahead": 100_000}.items():
        yield name, lambda body, headers, n=seconds: _signed_again(body, headers, at=time.time() + n)
    yield "another secret", lambda body, headers: _signed_again(body, headers, secret=f"{SECRET}!")
    yield "no secret", lambda body, headers: _signed_again(body, headers, secret="")
    yield "another body", lambda body, headers: (body + b"&x=1", [*headers.items()])
    yield "no body", lambda body, headers: (b"", [*headers.items()])
    yield "body without UTF-8", lambda body, headers: (b"\xff\xfe", [*headers.items()])
    for name in ("X-Slack-Signature", "X-Slack-Request-Timestamp"):
        yield f"twice: {name}", lambda body, headers, n=name: (body, [*headers.items(), (n, headers[n])])
        yield f"two: {name}", lambda body, headers, n=name: (body, [(n, "1"), *headers.items()])


def _raw(stamp: str | None) -> bytes | None:
    return None if stamp is None else stamp.encode()


def _signed_again(body: bytes, headers: dict[str, str], **how: Any) -> tuple[bytes, Headers]:
    _, found = sign(body, kind=headers["Content-Type"], **how)
    return body, [*found.items()]


FORGERIES = dict(forgeries())


@pytest.mark.parametrize("kind", ["command", "click", "event"])
@pytest.mark.parametrize("forgery", FORGERIES)
async def test_what_slack_did_not_sign_just_now_is_refused(posted: Home, kind: str, forgery: str) -> None:
    body, headers = sign(
        {
            "command": posted.slack.command("status"),
            "click": {"type": "block_actions", "actions": []},
            "event": posted.slack.event_of("app_home_opened", user="U1", tab="home"),
        }[kind]
    )
    spoilt, fields = FORGERIES[forgery](body, headers)
    encoded = [(name.encode(), value if isinstance(value, bytes) else value.encode()) for name, value in fields]
    assert (await post(posted, spoilt, encoded)).status_code == 401
    assert not posted.face._tasks._running
    assert posted.slack.messages == []
    assert posted.slack.homes == {}
    if kind != "click":
        assert (await post(posted, body, headers)).status_code == 200  # the forgery has not used the signature up
        await until(lambda: posted.slack.messages or posted.slack.homes)


@pytest.mark.parametrize("shift", [-298, 298])
async def test_a_signature_is_good_for_five_minutes(posted: Home, shift: int) -> None:
    assert (await post(posted, *sign(posted.slack.command("status"), at=time.time() + shift))).status_code == 200


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
