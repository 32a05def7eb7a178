"""docs/webhooks.md and the example receiver: bodies, code and figures, against what is really sent."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from bot.alerts.codec import dump, plain
from bot.alerts.decide import Event as Told
from bot.alerts.decide import EventKind
from bot.alerts.offers import Match
from bot.alerts.rules import Kind, OfferFilter, Rule
from bot.commands import COMMANDS
from bot.commands.webhooks.add import MOST_OF_TEAM
from bot.faces.http.openapi import SIGNED, document
from bot.outbox.drafts import Event
from bot.outbox.sender import Address, Delivered, Delivery, Message, TryLater
from bot.presentation.card import Card
from bot.store.webhooks import CHALLENGE, FIRED, PRICE, RESOLVED, SUBSCRIBED, TEST
from bot.webhooks.delivery import EXCERPT, LONGEST_WAIT_S, MOST_READ, TOTAL_S, Attempt, Endpoint, WebhookSender
from bot.webhooks.events import MODELS, envelope
from bot.webhooks.guard import LONGEST_URL, PORTS, guard_of
from bot.webhooks.outcomes import FAILING_S, LONGEST_REST_S, REST_S, WAITS_S
from bot.webhooks.signing import ROTATION_S, new_secret
from tests.faces.test_http_open import fits
from tests.fakes.alerting import START, rule
from tests.fakes.receivers import Request, answer, receiving

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")
EXAMPLE = ROOT / "docs" / "examples" / "webhook_receiver.py"
NEW, OLD = new_secret(), new_secret()
CALL = """
const [secret, headers, body] = JSON.parse(process.argv[1]);
try { console.log(JSON.stringify(verified(secret, headers, Buffer.from(body, "base64")))) }
catch (error) { console.log("refused: " + error.message) }
"""


def _alert(made: Rule, told: Told) -> dict[str, Any]:
    offers = None if told.offers is None else [plain(match) for match in told.offers]
    return {"alert": "w5xv9b", "by": "U1", "rule": dump(made), "event": {**plain(told), "offers": offers}}


_BELOW = rule(Kind.BELOW, 350_000)
_OFFER = rule(Kind.OFFER, 300_000, region="EU", offer=OfferFilter(gpus=2, reliability_ppm=980_000, disk_gb=100))
_MATCH = Match(48_211, 27_330_145, 2, 287_500, 281_000, "EU-North", 991_200, START + 30 * 86_400)
_PRICED = {"gpu": "RTX 4090", "price": 303_900, "before": 434_200, "floor": 122_100, "gpus": 29, "offers": 18}
EXAMPLES: Mapping[str, Event] = {
    title: Event("name", kind, payload, START)
    for title, kind, payload in (
        (FIRED, FIRED, _alert(_BELOW, Told(EventKind.FIRE, 3, 0, START, 341_200, START - 300))),
        (RESOLVED, RESOLVED, _alert(_BELOW, Told(EventKind.RESOLVE, 3, 0, START + 7200, 361_000, START - 300))),
        (
            f"{FIRED} of offers",
            FIRED,
            _alert(_OFFER, Told(EventKind.FIRE, 1, 0, START, 287_500, START - 300, offers=(_MATCH,), machines=1)),
        ),
        (PRICE, PRICE, {**_PRICED, "at": START}),
        (TEST, TEST, {"at": START}),
        (CHALLENGE, CHALLENGE, {"at": START}),
    )
}


def posted_body(title: str) -> dict[str, Any]:
    """What is posted of an example; the text of a challenge is the sender's."""
    body = envelope(EXAMPLES[title])
    return {**body, "data": {"challenge": "mWq1c0rXo8…"}} if title == CHALLENGE else body


def code(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


@dataclass
class Sent:
    """The real sender, to one receiver; ``at``: when it thinks that it is."""

    url: str
    keys: tuple[str, ...] = (NEW, OLD)
    challenge: str = ""
    skew: int = 0

    async def send(self, data: Mapping[str, Any], name: str = "evt1") -> Delivery:
        async def find(name: str) -> Endpoint | None:
            return Endpoint("wh1", self.url, self.keys, self.challenge)

        async def record(attempt: Attempt) -> None:
            pass

        guard = guard_of(self.url.split("/")[2])
        sender = WebhookSender(find, record, guard, lambda: int(time.time()) + self.skew)
        return await sender.send(Message(name, Address("webhook", "wh1", "wh1"), Card("", ""), "en", data=data))


async def arrived(skew: int = 0) -> Request:
    """A request as the sender really posts it, with two signatures and a text beyond ASCII."""
    event = envelope(EXAMPLES[PRICE])
    event["data"]["evidence"]["method"] = "mediana – São Paulo"
    async with receiving(answer(200)) as receiver:
        assert isinstance(await Sent(receiver.url, skew=skew).send(event), Delivered)
    return receiver.requests[0]


async def forged() -> list[tuple[str, Request]]:
    """Secrets and requests that must be refused."""
    good, old, ahead = await arrived(), await arrived(-301 - 5), await arrived(301 + 5)
    renamed = replace(good, headers=good.headers | {"webhook-id": "evt2"})
    unsigned = replace(good, headers=good.headers | {"webhook-signature": "v1,"})
    other = replace(good, headers=good.headers | {"webhook-signature": good.headers["webhook-signature"][3:47]})
    tampered = replace(good, body=good.body.replace(b"0.3039", b"0.0039"))
    assert tampered.body != good.body
    return [(new_secret(), good), *((NEW, one) for one in (old, ahead, renamed, unsigned, other, tampered))]


def test_the_bodies_of_the_guide_are_what_is_sent() -> None:
    said = dict(re.findall(r"<!-- ([a-z. ]+) -->\n```json\n(.*?)\n```", GUIDE, re.DOTALL))
    assert {title: json.loads(text) for title, text in said.items()} == {
        title: posted_body(title) for title in EXAMPLES
    }
    assert {event.kind for event in EXAMPLES.values()} == set(MODELS)


def test_the_figures_of_the_guide_are_the_programs() -> None:
    text = " ".join(GUIDE.split())
    waits = [f"{s} s" if s < 60 else f"{s // 60} min" if s < 3600 else f"{s // 3600} h" for s in WAITS_S]
    for said in (
        ", ".join(waits[:-1]) + f" and {waits[-1]}",
        f"2xx within {TOTAL_S:g} seconds",
        f"between {REST_S} seconds and {LONGEST_REST_S // 60} minutes",
        f"For {ROTATION_S // 3600} hours events carry two signatures",
        " or ".join(map(str, sorted(PORTS))),
        f"{MOST_OF_TEAM} endpoints a team; addresses of up to {LONGEST_URL:,} characters; {MOST_READ >> 10} KiB",
        f"the first {EXCERPT:,} bytes",
        *(f"`{name}`" for name in (*SIGNED, *SUBSCRIBED, *MODELS)),
    ):
        assert said in text, said
    assert (FAILING_S, LONGEST_WAIT_S, len(WAITS_S)) == (5 * 86_400, 86_400, 9)
    assert "five days of nothing but failures" in text
    assert "ten attempts" in text


def spoilt(body: Any) -> Iterator[Any]:
    """The body without each of its members by turns."""
    for name in body if isinstance(body, dict) else ():
        yield {other: value for other, value in body.items() if other != name}
        if isinstance(body[name], dict):
            yield from ({**body, name: less} for less in spoilt(body[name]))


@pytest.mark.parametrize("title", EXAMPLES)
def test_the_openapi_document_promises_what_is_sent(title: str) -> None:
    told, kind = document(COMMANDS, "0", require_key=True), EXAMPLES[title].kind
    components, described = told["components"]["schemas"], told["webhooks"][kind]["post"]
    schema = described["requestBody"]["content"]["application/json"]["schema"]
    body = envelope(EXAMPLES[title])
    assert fits(body, schema, components)
    assert not fits({**body, "type": "another"}, schema, components)
    assert [less for less in spoilt(body) if fits(less, schema, components)] == []
    assert {(one["name"], one["in"], one["required"]) for one in described["parameters"]} == {
        (name, "header", True) for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
    }
    assert described["security"] == []


async def test_the_openapi_document_names_every_header_that_is_sent() -> None:
    sent = {name for name in (await arrived()).headers if name.startswith("webhook-")}
    assert sent == set(SIGNED) == set(re.findall(r"`(webhook-[a-z]+)` \|", GUIDE))


@pytest.mark.parametrize("n", [0, 1], ids=["package", "standard library"])
async def test_the_python_examples_verify_what_is_sent_and_nothing_else(n: int) -> None:
    scope: dict[str, Any] = {}
    exec(code("python")[n], scope)
    verified: Callable[..., Any] = scope["verified"]
    good = await arrived()
    for secret in (NEW, OLD):
        assert verified(secret, good.headers, good.body) == json.loads(good.body)
    for secret, request in await forged():
        with pytest.raises(Exception, match=r".") as refused:
            verified(secret, request.headers, request.body)
        assert not isinstance(refused.value, (NameError, TypeError, AttributeError))


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node")
async def test_the_node_example_verifies_what_is_sent_and_nothing_else() -> None:
    def run(secret: str, request: Request) -> str:
        given = json.dumps([secret, request.headers, base64.b64encode(request.body).decode()])
        script = f"{code('js')[0]}\n{CALL}"
        done = subprocess.run(["node", "-e", script, given], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    good = await arrived()
    for secret in (NEW, OLD):
        assert json.loads(await asyncio.to_thread(run, secret, good)) == json.loads(good.body)
    for secret, request in await forged():
        said = await asyncio.to_thread(run, secret, request)
        assert said in ("refused: no signature fits", "refused: too old, or of the future")


@dataclass
class Running:
    """The example receiver as a process of its own."""

    url: str
    output: asyncio.StreamReader

    async def line(self) -> str:
        return (await self.output.readline()).decode().strip()


@asynccontextmanager
async def example(file: Path, secret: str = NEW) -> AsyncIterator[Running]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(EXAMPLE), "0", str(file), env={"WEBHOOK_SECRET": secret}, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        first = (await process.stdout.readline()).decode()
        assert first.startswith("listening on "), first
        yield Running(first.split()[-1] + "/hook", process.stdout)
    finally:
        process.kill()
        await process.wait()


def processed(file: Path) -> int:
    """How many events the receiver keeps as processed."""
    with sqlite3.connect(file) as db:
        return int(db.execute("SELECT count(*) FROM seen").fetchone()[0])


async def test_the_example_processes_each_event_once_also_after_a_restart(tmp_path: Path) -> None:
    file, event = tmp_path / "seen.db", envelope(EXAMPLES[FIRED])
    for lines in (["alert.fired", "known already: evt1"], ["known already: evt1", "known already: evt1"]):
        async with example(file) as running:
            for begins in lines:
                assert isinstance(await Sent(running.url).send(event), Delivered)
                assert begins in await running.line()
    assert processed(file) == 1


async def test_the_example_refuses_what_is_not_from_us(tmp_path: Path) -> None:
    file, event = tmp_path / "seen.db", envelope(EXAMPLES[FIRED])
    async with example(file) as running:
        for sent in (Sent(running.url, skew=-310), Sent(running.url, skew=310), Sent(running.url, (new_secret(),))):
            assert await sent.send(event) == TryLater("status 401", 0)
        good = await arrived()
        async with asyncio.timeout(20):
            reader, writer = await asyncio.open_connection("127.0.0.1", int(running.url.split(":")[2].split("/")[0]))
            body = good.body.replace(b"0.3039", b"0.0039")
            head = [f"{name}: {value}" for name, value in good.headers.items() if name != "connection"]
            writer.write("\r\n".join(["POST /hook HTTP/1.0", *head, "", ""]).encode() + body)
            assert b" 401 " in await reader.readline()
            writer.close()
    assert processed(file) == 0


@pytest.mark.parametrize("secret", [NEW, ""], ids=["with the secret", "before it has one"])
async def test_the_example_answers_the_challenge(tmp_path: Path, secret: str) -> None:
    event = envelope(EXAMPLES[CHALLENGE])
    async with example(tmp_path / "seen.db", secret) as running:
        assert isinstance(await Sent(running.url, challenge="mWq1c0rXo8").send(event), Delivered)
        if not secret:
            assert await Sent(running.url).send(envelope(EXAMPLES[FIRED])) == TryLater("status 401", 0)


@pytest.mark.skipif(not all(map(shutil.which, ("sh", "curl", "openssl", "od"))), reason="there is no curl or openssl")
async def test_the_request_from_the_shell_is_taken(tmp_path: Path) -> None:
    (script,) = [block for block in code("sh") if "RECEIVER" in block]

    async def run(url: str, secret: str) -> str:
        env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "RECEIVER": url, "WEBHOOK_SECRET": secret, "no_proxy": "*"}
        done = await asyncio.create_subprocess_exec(
            "sh", "-c", script, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )  # fmt: skip
        return (await done.communicate())[0].decode()

    async with example(tmp_path / "seen.db") as running:
        assert " 200 OK" in await run(running.url, NEW)
        assert "webhook.test" in await running.line()
        assert " 401 " in await run(running.url, new_secret())
