"""Commands that act, over HTTP: their methods, bodies and scopes."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from bot.dispatch.command import Command, Param, QueryContext
from bot.dispatch.dispatcher import Dispatcher
from tests.faces.conftest import no_card
from tests.faces.test_http import problem

PARAMS = (
    Param("id", "text", "which"),
    Param("gpus", "gpus", "models"),
    Param("usd", "usd_per_month", "at most", minimum=0),
    Param("on", "flag", "whether"),
)


async def _echo(query: QueryContext, **values: Any) -> dict[str, Any]:
    return values


def _command(name: str, path: str, method: Literal["GET", "POST", "PATCH", "DELETE"]) -> Command:
    return Command(name, name, path, PARAMS, _echo, no_card, (name,), method=method, scope="alerts")


COMMANDS = (
    _command("rule list", "/api/rules", "GET"),
    _command("rule add", "/api/rules", "POST"),
    _command("rule edit", "/api/rules/{id}", "PATCH"),
    _command("rule delete", "/api/rules/{id}", "DELETE"),
)


@pytest.fixture
async def web(house):
    await house.polled()
    house.dispatcher = Dispatcher(house.dispatcher.store, COMMANDS, house.clock)
    async with house.client() as client:
        yield client


async def test_each_method_of_a_path_is_its_own_command(web):
    body = {"id": "a", "gpus": ["RTX 4090"], "usd": 0.0000025, "on": True}
    typed = {**body, "usd": 2.5e-06}
    assert (await web.post("/api/rules", json=body)).json() == typed
    assert (await web.patch("/api/rules/a", json={"usd": 1, "gpus": None})).json() == {
        "id": "a", "gpus": None, "usd": 1.0, "on": None,
    }  # fmt: skip
    assert (await web.delete("/api/rules/a")).json()["id"] == "a"
    listed = await web.get("/api/rules", params={"usd": "$2"})
    assert (listed.json()["usd"], "etag" in listed.headers) == (2.0, True)
    problem(await web.put("/api/rules", json=body), 405)


async def test_what_acts_is_not_kept_by_anybody(web):
    assert (await web.post("/api/rules", json={})).headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"[1]", "application/json", 400),
        (b'{"usd": NaN}', "application/json", 400),
        (b'{"usd": 1, "usd": 2}', "application/json", 400),
        (b'{"usd": {"a": 1}}', "application/json", 400),
        (b'{"gpus": ["a,b"]}', "application/json", 400),
        (b'{"unknown": 1}', "application/json", 400),
        (b'{"usd": -1}', "application/json", 400),
        (b"[" * 60_000, "application/json", 400),
        (b'"\xff"', "application/json", 400),
        (b"usd=1", "application/x-www-form-urlencoded", 415),
        (b'{"id": "' + b"x" * 70_000 + b'"}', "application/json", 413),
    ],
)
async def test_a_body_that_is_no_object_of_parameters_is_refused(web, body, kind, status):
    problem(await web.post("/api/rules", content=body, headers={"Content-Type": kind}), status)


@pytest.mark.parametrize("usd", ["5e-324", "1e300", "0.1", "250", "1E2"])
async def test_every_number_of_json_is_read(web, usd):
    answer = await web.post("/api/rules", content=f'{{"usd": {usd}}}', headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["usd"]) == (200, float(usd))


async def test_what_is_in_the_path_may_not_be_in_the_body_too(web):
    problem(await web.patch("/api/rules/a", json={"id": "b"}), 400)


async def test_a_key_needs_the_commands_scope(house, web):
    async with house.client(await house.key()) as client:
        for answer in (await client.get("/api/rules"), await client.post("/api/rules", json={})):
            assert problem(answer, 403)["detail"] == "this key lacks the scope “alerts”"
            assert 'scope="alerts"' in answer.headers["www-authenticate"]


async def test_the_document_tells_methods_and_bodies(web):
    paths = (await web.get("/openapi.json")).json()["paths"]
    assert set(paths["/api/rules"]) == {"get", "post"}
    assert set(paths["/api/rules/{id}"]) == {"patch", "delete"}
    schema = paths["/api/rules/{id}"]["patch"]["requestBody"]["content"]["application/json"]["schema"]
    assert set(schema["properties"]) == {"gpus", "usd", "on"}
    assert [param["name"] for param in paths["/api/rules"]["get"]["parameters"]] == ["id", "gpus", "usd", "on"]
