"""The verbs of ``webhook`` in chat and over HTTP: what they tell, what they keep secret, and whom they refuse."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from bot.access import WEBHOOKS
from bot.commands import COMMANDS
from bot.faces.http.openapi import document
from bot.presentation.text import plain
from bot.store.api_keys import KeyOwner
from bot.store.engine import Store, open_store
from bot.webhooks.endpoints import Endpoints
from bot.webhooks.guard import REFUSAL, Guard
from tests.faces.conftest import House
from tests.faces.test_http import problem
from tests.faces.test_http_open import fits
from tests.fakes.receivers import answer
from tests.fakes.webhook_market import BOSS, WebhookMarket, secret_in, webhook_market
from tests.webhooks.test_guard import HIDDEN, ODD, answers

VERBS = ("show", "log", "test", "rotate", "replay", "delete")


@pytest.fixture
async def hooks(store: Store) -> AsyncIterator[WebhookMarket]:
    async with webhook_market(store) as made:
        yield made


async def test_a_secret_is_shown_once_and_stored_sealed(tmp_path: Path, sqlite_tables: str) -> None:
    file = Path(sqlite_tables.removeprefix("sqlite:///"))
    store = await open_store(sqlite_tables, writer=True)
    with capture_logs() as logs:
        async with webhook_market(store) as hooks:
            hooks.inbox.receiver.url += "/tok-5ecret?key=qu3ry"
            name, secret = await hooks.active()
            hooks.inbox.behave = answer(500, b"no")
            said = [await hooks.say(line) for line in ("webhook test last", "webhook list", "webhook rotate last")]
            rotated = secret_in(plain(said[-1].card))
            await hooks.deliver()
            said = said[:2] + [
                await hooks.say(f"webhook {verb} {name}") for verb in ("show", "log", "replay", "delete")
            ]
    await store.close()
    told = " ".join(plain(one.card) + repr(one.answer) + one.line for one in said) + repr(logs)
    told += dumped(file)
    for hidden in (secret, rotated, secret.removeprefix("whsec_"), "tok-5ecret", "qu3ry"):
        assert hidden not in told
        assert hidden.encode() not in file_bytes(tmp_path)
    assert all(one.ok for one in said)


def dumped(file: Path) -> str:
    """All rows of a database."""
    with closing(sqlite3.connect(file)) as read:
        return repr(list(read.iterdump()))


def file_bytes(folder: Path) -> bytes:
    """All that lies in a folder."""
    return b"".join(part.read_bytes() for part in folder.iterdir())


async def test_each_verb_tells_what_it_did(hooks: WebhookMarket) -> None:
    assert "none yet" in await hooks.hear("webhook list")
    name, _ = await hooks.add("events=alert.fired,price.changed gpus=4090 change=2.5")
    added = await hooks.say("webhook show last")
    line = added.answer.webhook
    assert (line.state, line.events, line.gpus) == ("pending", ("alert.fired", "price.changed"), ("RTX 4090",))
    assert (line.min_change_percent, line.by, line.host) == (2.5, "U2", f"127.0.0.1:{hooks.inbox.receiver.port}")
    await hooks.deliver()
    assert "on its way" in await hooks.hear(f"webhook test {name.upper()}")
    await hooks.deliver()
    log = (await hooks.say(f"webhook log {name}")).answer.attempts
    assert [(one.event, one.status, one.error) for one in log] == [
        ("webhook.test", 200, ""),
        ("webhook.challenge", 200, ""),
    ]
    assert log[0].message == hooks.inbox.ids[0]
    assert len((await hooks.say(f"webhook log {name} limit=1")).answer.attempts) == 1
    assert "deleted" in await hooks.hear(f"webhook delete {name}")
    assert "none yet" in await hooks.hear("webhook list")


async def test_members_are_refused_and_managers_are_not(hooks: WebhookMarket) -> None:
    await hooks.active()
    member = replace(BOSS, role="member")
    for line in (
        f"webhook add {hooks.inbox.receiver.url}",
        "webhook list",
        *(f"webhook {verb} last" for verb in VERBS),
    ):
        assert not (await hooks.say(line, member)).ok, line
        assert (await hooks.say(line)).ok, line


async def test_an_endpoint_of_another_team_is_as_one_that_is_not_there(hooks: WebhookMarket) -> None:
    name, _ = await hooks.active()
    for other in (replace(BOSS, team="T2"), replace(BOSS, enterprise="E1"), replace(BOSS, platform="discord")):
        assert "none yet" in await hooks.hear("webhook list", other)
        for verb in VERBS:
            hers = await hooks.hear(f"webhook {verb} {name}", other)
            assert hers == await hooks.hear(f"webhook {verb} abcdefgh", other)
            assert "no webhook of that name" in hers
    assert (await hooks.row(name)).state == "active"


async def test_a_team_has_twenty(hooks: WebhookMarket) -> None:
    for _ in range(20):
        await hooks.add()
    assert "at most: 20" in await hooks.hear(f"webhook add {hooks.inbox.receiver.url}")
    await hooks.add(asker=replace(BOSS, team="T2"))
    await hooks.say("webhook delete last")
    await hooks.add()


async def test_a_refused_address_has_one_text_and_leaves_nothing(hooks: WebhookMarket) -> None:
    hooks.use(Endpoints(hooks.endpoints.vault, Guard(resolver=answers("10.0.0.1"))))
    texts = {url: await hooks.hear(f'webhook add "{url}"') for url in [*HIDDEN, *ODD] if 0 < len(url) < 900}
    assert set(texts.values()) == {texts[HIDDEN[0]]}, texts
    assert str(REFUSAL)[:60] in texts[HIDDEN[0]]
    assert await hooks.counts() == {}
    async with hooks.store.reader() as reader:
        assert await reader.webhooks.sealed() == []


async def test_without_a_key_it_says_what_is_missing(hooks: WebhookMarket) -> None:
    await hooks.active()
    hooks.use(Endpoints(None, hooks.endpoints.guard))
    for line in (f"webhook add {hooks.inbox.receiver.url}", "webhook rotate last"):
        assert "SPOTBOT_SECRET_KEY" in await hooks.hear(line)
    assert len((await hooks.say("webhook list")).answer.webhooks) == 1


@pytest.mark.parametrize(
    "events", ["nonsense", "webhook.test", "webhook.challenge", ",", "alert.fired;drop", "a" * 90, "\u202ealert.fire"]
)
async def test_unknown_events_are_refused_with_those_that_there_are(hooks: WebhookMarket, events: str) -> None:
    said = await hooks.say(f'webhook add {hooks.inbox.receiver.url} events="{events}"')
    text = plain(said.card)
    assert not said.ok
    assert "price.changed" in text
    assert len(text) < 600
    assert "\u202e" not in text


async def test_hostile_names_are_those_of_nobody(hooks: WebhookMarket) -> None:
    await hooks.active()
    for name in (
        "\x00",
        "' or 1=1 --",
        "<!channel>",
        "*",
        "a" * 4000,
        "ЛАСТ",
        "\u202e",
        "%",
        "LÄST",
        "..",
        "null",
    ):
        for verb in VERBS:
            said = await hooks.say(f'webhook {verb} "{name}"')
            assert not said.ok, (verb, name)
            assert "our side" not in plain(said.card)
    assert len((await hooks.say("webhook list")).answer.webhooks) == 1


async def test_what_is_not_seen_makes_no_other_name(hooks: WebhookMarket) -> None:
    name, _ = await hooks.active()
    for text in (f"{name}\u200b", f"\u202e{name}", "LAST\u200b"):
        assert name in await hooks.hear(f'webhook show "{text}"')


async def test_it_speaks_portuguese(hooks: WebhookMarket) -> None:
    ana = replace(BOSS, locale="pt-BR")
    heard = [await hooks.hear(f"webhook add {hooks.inbox.receiver.url}", ana)]
    await hooks.deliver()
    heard += [await hooks.hear(f"webhook {verb} last", ana) for verb in VERBS]
    for text in heard:
        assert not any(word in text for word in (" is ", "Secret:", "Attempts", "the ", "again")), text
    assert "Segredo:" in heard[0]


async def test_what_was_done_is_in_the_audit(hooks: WebhookMarket) -> None:
    name, _ = await hooks.active()
    for verb in ("test", "rotate", "replay", "delete"):
        await hooks.say(f"webhook {verb} {name}")
    async with hooks.store.reader() as reader:
        entries = await reader.audit.of("slack", "T1", f"webhook/{name}")
    assert sorted(one.action for one in entries) == ["create", "delete", "replay", "rotate", "test"]
    assert {one.actor for one in entries} == {"U2"}


async def program(hooks: WebhookMarket, owner: KeyOwner | None, *scopes: str) -> httpx.AsyncClient:
    """A client of the API with a new key."""
    async with hooks.store.writer() as writer:
        key, _ = await writer.create_key("tests", scopes=scopes, per_minute=1000, at=hooks.clock(), owner=owner)
    return House(hooks.dispatcher, hooks.clock).client(key)


ACTS = [("GET", ""), ("GET", "/log"), ("POST", "/test"), ("POST", "/rotate"), ("POST", "/replay"), ("DELETE", "")]


async def test_programs_have_all_of_it_with_the_scope_and_for_their_own_team(hooks: WebhookMarket) -> None:
    mine = await program(hooks, KeyOwner("slack", "T1", "C1"), WEBHOOKS)
    told = document(COMMANDS, "0", require_key=True)
    added = await mine.post("/api/webhooks", json={"url": hooks.inbox.receiver.url, "events": "price.changed"})
    assert added.status_code == 200, added.text
    name = added.json()["id"]
    await hooks.deliver()
    assert [one["id"] for one in (await mine.get("/api/webhooks")).json()["webhooks"]] == [name]
    for who, status in (
        (await program(hooks, KeyOwner("slack", "T1", "C1"), "read", "alerts"), 403),
        (await program(hooks, KeyOwner("slack", "T2", "C1"), WEBHOOKS), 404),
        (await program(hooks, None, WEBHOOKS), 403),
        (mine, 200),
    ):
        for method, path in ACTS:
            answered = await who.request(method, f"/api/webhooks/{name}{path}")
            assert answered.status_code == status, (method, path, answered.text)
            if status != 200:
                problem(answered, status)
                continue
            route = told["paths"]["/api/webhooks/{id}" + path][method.lower()]
            described = route["responses"]["200"]["content"]["application/json"]["schema"]
            assert fits(answered.json(), described, told["components"]["schemas"]), (method, path)
        await who.aclose()


async def test_programs_are_told_what_is_wrong_and_nothing_of_our_network(hooks: WebhookMarket) -> None:
    mine = await program(hooks, KeyOwner("slack", "T1", "C1"), WEBHOOKS)
    for body in (
        {"url": "https://10.0.0.1/"},
        {"url": "https://169.254.169.254/"},
        {"url": "https://no.such.invalid/"},
    ):
        told = problem(await mine.post("/api/webhooks", json=body), 403)
        assert told["detail"] == str(REFUSAL)
    for body in (
        {},
        {"url": hooks.inbox.receiver.url, "events": "x"},
        {"url": "https://a.example/", "change": 99},
    ):
        problem(await mine.post("/api/webhooks", json=body), 400)
    await mine.aclose()


async def test_the_owner_of_a_programs_endpoint_is_told_in_the_channel_of_its_key(hooks: WebhookMarket) -> None:
    mine = await program(hooks, KeyOwner("slack", "T1", "C7"), WEBHOOKS)
    name = (await mine.post("/api/webhooks", json={"url": hooks.inbox.receiver.url})).json()["id"]
    await hooks.deliver()
    hooks.inbox.behave = answer(410)
    await mine.post(f"/api/webhooks/{name}/test")
    await hooks.deliver()
    (told,) = await hooks.told()
    assert (told.address.channel, told.address.person) == ("C7", "")
    await mine.aclose()
