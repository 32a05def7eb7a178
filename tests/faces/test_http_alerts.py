"""Alerts over HTTP: for programs, each in the name of its key's owner."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httpx
import pytest
from httpx import AsyncClient

from analytics.errors import NotFound, Refused
from bot.accounts import Asker
from bot.commands import COMMANDS
from bot.commands.alerts.add import MOST_OF_PERSON, REQUEST_S
from bot.dispatch.dispatcher import Dispatcher
from bot.faces.http.openapi import document
from bot.store.api_keys import KeyOwner
from bot.store.engine import Store
from tests.faces.conftest import NOON, Clock, House
from tests.faces.test_http import problem
from tests.faces.test_http_open import fits

HERE, THERE = KeyOwner("slack", "T1", "C1"), KeyOwner("slack", "T2", "C1")
RULE = {"gpu": "RTX 4090", "condition": "< 0.35"}
ACTS = [
    ("GET", "", None),
    ("PATCH", "", {"condition": "< 0.30"}),
    ("POST", "/snooze", {"time": "4h"}),
    ("POST", "/ack", None),
    ("POST", "/test", None),
    ("DELETE", "", None),
]


@dataclass
class Programs:
    """An API with keys of several owners."""

    house: House
    clients: list[AsyncClient] = field(default_factory=list)

    async def of(self, owner: KeyOwner | None, *scopes: str) -> AsyncClient:
        """A program with a new key."""
        async with self.house.dispatcher.store.writer() as writer:
            secret, _ = await writer.create_key(
                "tests", scopes=scopes or ("read", "alerts"), per_minute=1000, at=NOON, owner=owner
            )
        self.clients.append(self.house.client(secret))
        return self.clients[-1]


@pytest.fixture
async def programs(store: Store) -> AsyncIterator[Programs]:
    clock = Clock()
    house = House(Dispatcher(store, COMMANDS, clock), clock)
    for _ in range(2):
        await house.polled()
        clock.now += 300
    made = Programs(house)
    yield made
    for client in made.clients:
        await client.aclose()


async def added(client: AsyncClient, rule: dict[str, str] = RULE, key: str | None = None) -> str:
    headers = {"Idempotency-Key": key} if key else {}
    answer = await client.post("/api/alerts", json=rule, headers=headers)
    assert answer.status_code == 200, answer.text
    name: str = answer.json()["id"]
    return name


async def ids(client: AsyncClient) -> list[str]:
    answer = await client.get("/api/alerts")
    assert answer.status_code == 200, answer.text
    return [alert["id"] for alert in answer.json()["alerts"]]


async def act(client: AsyncClient, method: str, path: str, body: dict[str, str] | None) -> httpx.Response:
    return await client.request(method, f"/api/alerts/{path}", json=body)


async def test_an_alert_lives_and_ends_over_http(programs: Programs) -> None:
    mine = await programs.of(HERE)
    name = await added(mine, {**RULE, "repeat": "4h"})
    for method, path, body in ACTS:
        answer = await act(mine, method, name + path, body)
        assert (answer.status_code, answer.json()["id"]) == (200, name), answer.text
    assert await ids(mine) == []
    problem(await act(mine, "GET", name, None), 404)


async def test_a_rule_on_offers_tells_its_filters(programs: Programs) -> None:
    mine = await programs.of(HERE)
    condition = "offer < 0.30 gpus>=2 region=EU reliability>=98% disk=1TB"
    answer = (await mine.post("/api/alerts", json={**RULE, "condition": condition})).json()
    assert answer["offer"] == {"gpus": 2, "reliability_ppm": 980_000, "disk_gb": 1000}
    assert (answer["threshold"], answer["tried"]) == (0.3, None)
    assert "not kept" in str(answer["untried"])
    problem(await mine.post("/api/alerts", json={**RULE, "condition": condition + " gpus>=3"}), 400)


async def test_what_is_answered_is_what_the_document_says(programs: Programs) -> None:
    mine = await programs.of(HERE)
    told = document(COMMANDS, "0", require_key=True)
    name = await added(mine)
    routes = [("get", "/api/alerts", None), ("post", "/api/alerts", RULE)]
    routes += [(method.lower(), "/api/alerts/{id}" + path, body) for method, path, body in ACTS]
    for method, path, body in routes:
        described = told["paths"][path][method]["responses"]["200"]["content"]["application/json"]["schema"]
        answer = (await mine.request(method.upper(), path.format(id=name), json=body)).json()
        assert fits(answer, described, told["components"]["schemas"]), (method, path, answer)
    described = told["paths"]["/api/alerts/preview"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert fits((await mine.get("/api/alerts/preview", params=RULE)).json(), described, told["components"]["schemas"])
    headers = [param["name"] for param in told["paths"]["/api/alerts"]["post"]["parameters"]]
    assert headers == ["Idempotency-Key"]


async def test_a_preview_is_what_adding_would_answer_and_saves_nothing(programs: Programs) -> None:
    mine = await programs.of(HERE)
    for rule in (RULE, {**RULE, "condition": "offer < 0.30 gpus>=2", "expires": "2h", "hold": "1h"}):
        key = rule["condition"][:5].replace(" ", "_")
        seen = await mine.get("/api/alerts/preview", params=rule)
        assert (seen.status_code, seen.json().get("direct")) == (200, False), seen.text
        assert await ids(mine) == []
        name = await added(mine, rule, key)
        made = (await mine.post("/api/alerts", json=rule, headers={"Idempotency-Key": key})).json()
        assert made == {**seen.json(), "id": name}
        await act(mine, "DELETE", name, None)


async def test_who_may_not_add_may_not_look_first(programs: Programs) -> None:
    reader = await programs.of(HERE, "read")
    problem(await reader.get("/api/alerts/preview", params=RULE), 403)
    nobodys = await programs.of(None)
    problem(await nobodys.get("/api/alerts/preview", params=RULE), 403)
    mine = await programs.of(HERE)
    problem(await mine.get("/api/alerts/preview", params={**RULE, "to": "dm"}), 403)
    problem(await mine.get("/api/alerts/preview", params={**RULE, "gpu": "B200"}), 400)
    problem(await mine.get("/api/alerts/preview", params={**RULE, "condition": "sometimes"}), 400)


async def test_it_is_told_in_the_channel_of_the_keys_owner(programs: Programs) -> None:
    mine = await programs.of(KeyOwner("slack", "T1", "C7", "E1"))
    shown = (await act(mine, "GET", await added(mine), None)).json()
    assert (shown["where"], shown["by"][:9]) == ("C7", "key:spot_")
    await act(mine, "POST", "last/test", None)
    async with programs.house.dispatcher.store.reader() as reader:
        (alert,) = await reader.alerts.of_team("slack", "E1", "T1")
        assert await reader.outbox.counts() == {"queued": 1}
    assert (alert.destination.enterprise, alert.destination.channel, alert.destination.person) == ("E1", "C7", "")


async def test_a_program_has_no_direct_messages(programs: Programs) -> None:
    mine = await programs.of(HERE)
    refused = problem(await mine.post("/api/alerts", json={**RULE, "to": "dm"}), 403)
    assert "no direct messages" in refused["detail"]
    assert await ids(mine) == []


@pytest.mark.parametrize(("method", "path", "body"), ACTS)
async def test_anothers_alert_is_as_one_that_is_not_there(
    programs: Programs, method: str, path: str, body: dict[str, str] | None
) -> None:
    mine, other = await programs.of(HERE), await programs.of(THERE)
    name = await added(mine)
    theirs = problem(await act(other, method, name + path, body), 404)
    assert theirs == problem(await act(other, method, "222222" + path, body), 404)
    assert name not in str(theirs)
    assert await ids(mine) == [name]


async def test_lists_are_not_shared_between_keys_nor_kept_for_a_while(programs: Programs) -> None:
    mine, other = await programs.of(HERE), await programs.of(THERE)
    assert await ids(mine) == []
    name = await added(mine)
    assert await asyncio.gather(ids(mine), ids(other), ids(mine)) == [[name], [], [name]]
    listed = await mine.get("/api/alerts")
    assert listed.headers["cache-control"] == "private, no-cache"
    unchanged = await mine.get("/api/alerts", headers={"If-None-Match": listed.headers["etag"]})
    assert (unchanged.status_code, unchanged.headers["cache-control"]) == (304, "private, no-cache")
    assert (await other.get("/api/alerts", headers={"If-None-Match": listed.headers["etag"]})).status_code == 200


async def test_the_team_sees_it_in_chat_and_its_members_may_not_change_it(programs: Programs) -> None:
    mine = await programs.of(HERE)
    name = await added(mine)
    dispatcher, member = programs.house.dispatcher, Asker("slack", "T1", "U1", "C1")
    listed = (await dispatcher.answer("alert list", member)).answer
    assert [(line.id, line.mine) for line in listed.alerts] == [(name, False)]
    with pytest.raises(Refused, match="only who made this alert"):
        await dispatcher.answer(f"alert delete {name}", member)
    await dispatcher.answer(f"alert delete {name}", Asker("slack", "T1", "U2", "C1", "manager"))
    assert await ids(mine) == []


async def test_each_act_is_written_down_with_the_key_that_did_it(programs: Programs) -> None:
    mine = await programs.of(HERE)
    name = await added(mine)
    by = (await act(mine, "GET", name, None)).json()["by"]
    for method, path, body in ACTS:
        await act(mine, method, name + path, body)
    async with programs.house.dispatcher.store.reader() as reader:
        acts = await reader.audit.of("slack", "T1", f"alert/{name}")
    assert [(one.actor, one.action) for one in acts] == [
        (by, action) for action in ("create", "edit", "snooze", "acknowledge", "test", "delete")
    ]


async def test_a_request_that_is_sent_again_makes_no_second_alert(programs: Programs) -> None:
    mine, beside = await programs.of(HERE), await programs.of(HERE)
    once = await asyncio.gather(*(added(mine, key="a-1") for _ in range(5)))
    assert len(set(once)) == 1
    again = await added(beside, key="a-1")
    assert sorted(await ids(mine)) == sorted({*once, again})
    assert len({*once, again}) == 2
    changed = problem(
        await mine.post("/api/alerts", json={**RULE, "condition": "< 0.2"}, headers={"Idempotency-Key": "a-1"}), 400
    )
    assert "another request" in changed["detail"]
    programs.house.clock.now += REQUEST_S - 1
    assert await added(mine, key="a-1") == once[0]
    programs.house.clock.now += 1
    assert await added(mine, key="a-1") not in once


async def test_what_was_deleted_is_not_made_again_by_the_same_request(programs: Programs) -> None:
    mine = await programs.of(HERE)
    await act(mine, "DELETE", await added(mine, key="a-1"), None)
    problem(await mine.post("/api/alerts", json=RULE, headers={"Idempotency-Key": "a-1"}), 404)
    assert await ids(mine) == []


@pytest.mark.parametrize("key", ["", " ", "two words", "é", "x" * 256])
async def test_an_idempotency_key_is_short_and_visible(programs: Programs, key: str) -> None:
    mine = await programs.of(HERE)
    problem(await mine.post("/api/alerts", json=RULE, headers={"Idempotency-Key": key.encode()}), 400)
    assert await ids(mine) == []


@pytest.mark.parametrize(("owner", "scopes", "status"), [(HERE, ("read",), 403), (None, ("read", "alerts"), 403)])
async def test_a_key_without_the_scope_or_without_an_owner_is_refused(
    programs: Programs, owner: KeyOwner | None, scopes: tuple[str, ...], status: int
) -> None:
    client = await programs.of(owner, *scopes)
    for answer in (
        await client.get("/api/alerts"),
        await client.post("/api/alerts", json=RULE),
        await client.delete("/api/alerts/last"),
    ):
        problem(answer, status)


async def test_where_no_key_is_asked_for_alerts_are_nobodys(programs: Programs) -> None:
    async with programs.house.client() as client:
        assert "an API key with an owner" in problem(await client.get("/api/alerts"), 403)["detail"]
        problem(await client.post("/api/alerts", json=RULE), 403)
        assert "/api/alerts" not in (await client.get("/")).text


async def test_a_key_with_an_owner_asks_questions_as_nobody(programs: Programs) -> None:
    mine = await programs.of(HERE)
    await programs.house.dispatcher.answer("settings team gpus=h100", Asker("slack", "T1", "U1", role="admin"))
    async with programs.house.client() as nobody:
        assert (await mine.get("/api/spot/monitor")).json() == (await nobody.get("/api/spot/monitor")).json()


async def test_one_alert_more_than_the_most_is_refused(programs: Programs) -> None:
    mine = await programs.of(HERE)
    for _ in range(MOST_OF_PERSON):
        await added(mine)
    assert "at most" in problem(await mine.post("/api/alerts", json=RULE), 403)["detail"]
    await act(mine, "DELETE", "last", None)
    await added(mine)
    assert len(await ids(mine)) == MOST_OF_PERSON


HOSTILE_RULES = [
    {"condition": "< 0"},
    {"condition": "below"},
    {"condition": "\x00"},
    {"condition": "< 0.35\n> 1"},
    {"condition": "< 1e999"},
    {"condition": "<" * 10_000},
    {"condition": "< 0.35", "gpu": "'; DROP TABLE alert; --"},
    {"condition": "< 0.35", "gpu": "H100 SXM"},
    {"condition": "< 0.35", "expires": "-1h"},
    {"condition": "< 0.35", "quiet": "99:99-1"},
    {"condition": "< 0.35", "quiet": "22:00-08:00", "tz": "../../etc/passwd"},
    {"condition": "< 0.35", "quiet": "22:00-08:00", "tz": "\x00"},
    {"condition": "< 0.35", "to": "U1"},
    {"condition": "< 0.35", "person": "U1"},
    {"condition": "< 0.35 in Nowhere"},
    {},
]


@pytest.mark.parametrize("rule", HOSTILE_RULES, ids=lambda rule: str(rule)[:40])
async def test_a_rule_that_cannot_be_is_refused_and_nothing_is_stored(programs: Programs, rule: dict[str, str]) -> None:
    mine = await programs.of(HERE)
    answer = await mine.post("/api/alerts", json={"gpu": "RTX 4090", **rule})
    assert answer.status_code in (400, 404), answer.text
    problem(answer, answer.status_code)
    assert await ids(mine) == []


@pytest.mark.parametrize("name", ["%00", "' OR 1=1 --", "a" * 3000, "..%2f..", "%ff", "ÄÖÜ", "１２３", "*", "_", "%25"])
async def test_a_forged_name_finds_nothing(programs: Programs, name: str) -> None:
    mine = await programs.of(HERE)
    kept = await added(mine)
    for method, path, body in ACTS:
        answer = await act(mine, method, name + path, body)
        assert answer.status_code in (400, 404), (method, answer.text)
    assert await ids(mine) == [kept]


@pytest.mark.parametrize("line", ["alert show {}", "alert delete {}", "alert snooze {} 1h", "alert edit {} < 0.2"])
async def test_in_chat_too_anothers_alert_is_as_one_that_is_not_there(programs: Programs, line: str) -> None:
    name = await added(await programs.of(HERE))
    stranger = Asker("slack", "T2", "U1", "C1", "admin")
    texts = []
    for forged in (name, "222222", "\x00"):
        with pytest.raises(NotFound, match="no alert of that name") as caught:
            await programs.house.dispatcher.answer(line.format(forged), stranger)
        texts.append(str(caught.value))
    assert len(set(texts)) == 1
