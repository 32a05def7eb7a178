"""One attempt to deliver an event, at receivers of every kind: what is sent, what it means, and what it may cost."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import dataclass, field
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from bot.outbox.sender import Address, Delivered, Delivery, Message, Rejected, TryLater
from bot.presentation.card import Card
from bot.webhooks.delivery import EXCERPT, MOST_READ, Attempt, Endpoint, WebhookSender
from bot.webhooks.guard import Guard, guard_of
from bot.webhooks.signing import new_secret
from tests.fakes.receivers import Behaviour, Receiver, answer, dripping, flooding, receiving, resetting, silent

EVENT = {"type": "price.changed", "timestamp": "2026-11-26T12:00:00Z", "data": {"region": "São Paulo – 東京"}}
NEW, OLD = new_secret(), new_secret()


@dataclass
class Sent:
    """A sender with one endpoint, and its log."""

    endpoint: Endpoint | None
    guard: Guard
    at: int = field(default_factory=lambda: int(time.time()))  # the receiver's library knows no other clock
    log: list[Attempt] = field(default_factory=list)

    async def send(self, *, seconds: float = 15.0, data: dict[str, Any] | None = EVENT, name: str = "msg1") -> Delivery:
        async def find(name: str) -> Endpoint | None:
            return self.endpoint

        async def record(attempt: Attempt) -> None:
            self.log.append(attempt)

        sender = WebhookSender(find, record, self.guard, lambda: self.at, seconds)
        return await sender.send(Message(name, Address("webhook", "wh1", "wh1"), Card("", ""), "en", data=data))


def to(receiver: Receiver, *, keys: tuple[str, ...] = (NEW,), challenge: str = "") -> Sent:
    return Sent(Endpoint("wh1", receiver.url, keys, challenge), guard_of(f"127.0.0.1:{receiver.port}"))


async def test_what_arrives_is_signed_as_the_standard_says() -> None:
    async with receiving(answer(204)) as receiver:
        delivery = await to(receiver, keys=(NEW, OLD)).send()
    assert isinstance(delivery, Delivered)
    (request,) = receiver.requests
    assert json.loads(request.body) == EVENT
    assert "São Paulo – 東京".encode() in request.body
    for key in (NEW, OLD):
        assert Webhook(key).verify(request.body, request.headers) == EVENT
    for key, body, headers in (
        (new_secret(), request.body, request.headers),
        (NEW, request.body[:-1] + b" ", request.headers),
        (NEW, request.body, request.headers | {"webhook-id": "msg2"}),
        (
            NEW,
            request.body,
            request.headers | {"webhook-timestamp": str(int(request.headers["webhook-timestamp"]) + 1)},
        ),
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(key).verify(body, headers)


@pytest.mark.parametrize(("skew", "good"), [(-240, True), (240, True), (-600, False), (600, False)])
async def test_each_attempt_has_its_own_time(skew: int, good: bool) -> None:
    async with receiving(answer(500), answer(200)) as receiver:
        sent = to(receiver)
        sent.at += skew
        await sent.send()
        sent.at += 1
        await sent.send()
    first, second = receiver.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == "msg1"
    assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) == 1
    assert first.body == second.body
    if good:
        Webhook(NEW).verify(first.body, first.headers)
    else:
        with pytest.raises(WebhookVerificationError):
            Webhook(NEW).verify(first.body, first.headers)


@pytest.mark.parametrize(
    ("behaviour", "meant"),
    [
        (answer(200, b"ok"), Delivered),
        (answer(299), Delivered),
        (answer(410), Rejected("the receiver wants no more (410)", gone=True)),
        (answer(404), TryLater("status 404", 0)),
        (answer(500), TryLater("status 500", 0)),
        (answer(429, retry_after="120"), TryLater("status 429", 120)),
        (answer(503, retry_after="99999999999"), TryLater("status 503", 86_400)),
        (answer(503, retry_after="Wed, 21 Oct 2015 07:28:00 GMT"), TryLater("status 503", 0)),
        (answer(503, retry_after="soon"), TryLater("status 503", 0)),
        (answer(302, location="http://169.254.169.254/"), TryLater("status 302", 0)),
        (resetting, TryLater("the connection broke off", 0)),
    ],
)
async def test_what_an_answer_means(behaviour: Behaviour, meant: Any) -> None:
    async with receiving(behaviour) as receiver:
        sent = to(receiver)
        delivery = await sent.send()
    assert isinstance(delivery, meant) if isinstance(meant, type) else delivery == meant
    (attempt,) = sent.log
    assert (attempt.message, attempt.event, attempt.endpoint) == ("msg1", "price.changed", "wh1")
    assert (attempt.error == "") is isinstance(delivery, Delivered)


@pytest.mark.parametrize("behaviour", [silent, dripping])
async def test_who_never_finishes_is_left_in_time(behaviour: Behaviour) -> None:
    async with receiving(behaviour) as receiver:
        sent = to(receiver)
        assert await sent.send(seconds=0.1) == TryLater("no answer within 0.1 s", 0)
        assert (sent.log[0].status, sent.log[0].error) == (None, "no answer within 0.1 s")


async def test_a_flood_is_cut_off() -> None:
    async with receiving(flooding) as receiver:
        sent = to(receiver)
        assert isinstance(await sent.send(), Delivered)
    assert receiver.sent < 64 << 20
    assert len(sent.log[0].excerpt) <= EXCERPT < MOST_READ


@pytest.mark.parametrize(
    ("body", "good"),
    [(b"c-1", True), (b'{"challenge": "c-1"}', True), (b"ok", False), (b"", False), (b'{"challenge": 1}', False),
     (b"[" * 5000, False), (b"\xff\xfe", False)],
)  # fmt: skip
async def test_a_new_endpoint_must_answer_the_challenge(body: bytes, good: bool) -> None:
    async with receiving(answer(200, body)) as receiver:
        delivery = await to(receiver, challenge="c-1").send(data={**EVENT, "type": "webhook.challenge"})
    assert isinstance(delivery, Delivered) is good
    assert good or delivery == TryLater("the challenge was not answered", 0)


async def test_a_deleted_endpoint_is_gone() -> None:
    async with receiving(answer()) as receiver:
        sent = to(receiver)
        sent.endpoint = None
        assert await sent.send() == Rejected("the endpoint was deleted", gone=True)
    assert receiver.hits == 0


async def test_nobody_listening_is_no_connection() -> None:
    async with receiving(answer()) as receiver:
        sent = to(receiver)
    assert await sent.send() == TryLater("no connection", 0)


async def test_a_name_that_moved_to_a_private_address_is_not_connected_to() -> None:
    async with receiving(answer()) as receiver:
        moved = ["93.184.216.34"]

        def resolver(host: str, port: Any, *more: Any, **named: Any) -> list[tuple[Any, ...]]:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (moved[0], port))]

        guard, url = Guard(resolver=resolver), "https://hooks.example.com:8443/"
        await guard.check(url)
        moved[0] = "127.0.0.1"
        sent = Sent(Endpoint("wh1", url, (NEW,)), guard)
        assert await sent.send() == TryLater("this address may not be reached", 0)
    assert receiver.hits == 0


async def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving(answer()) as proxy, receiving(answer()) as receiver:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert isinstance(await to(receiver).send(), Delivered)
    assert (proxy.hits, receiver.hits) == (0, 1)
