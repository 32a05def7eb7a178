"""What the OpenAPI document promises of requests and refusals, held against what the API does."""

from __future__ import annotations

import re
from typing import Any

import pytest

import bot.commands
from analytics.quantities import PLAIN, quantity
from analytics.units import GIGABYTES, HOURS
from bot.dispatch.command import Param
from bot.dispatch.kinds import KINDS, with_unit
from bot.faces.http.openapi import document, parameter
from bot.faces.http.parameters import MAX_ADDRESS, MAX_BODY
from tests.faces.test_http import PRICE_OF_4090, problem
from tests.faces.test_http_acting import web as acting  # noqa: F401  a fixture

DECLARED = [
    pytest.param(param, command.path, id=f"{command.name}-{param.name}")
    for command in bot.commands.COMMANDS
    for param in command.params
    if command.path
]
KEYS, BODIES = {"401", "429"}, {"413", "415"}


@pytest.mark.parametrize(("param", "path"), DECLARED)
def test_every_limit_of_a_declared_number_is_in_the_document(param, path):
    schema = parameter(param, path)["schema"]
    forms = [form for form in schema.get("anyOf", [schema]) if form["type"] in ("integer", "number")]
    assert bool(forms) == KINDS[param.kind].is_number
    for form in forms:
        assert (form.get("minimum"), form.get("maximum")) == (param.minimum, param.maximum)


@pytest.mark.parametrize(("param", "path"), DECLARED)
def test_a_text_may_be_empty_only_where_it_may_be_left_out(param, path):
    told = parameter(param, path)
    for form in told["schema"].get("anyOf", [told["schema"]]):
        if form["type"] == "string" and "enum" not in told["schema"]:
            assert form.get("minLength") == (1 if told["required"] else None)


def test_a_declaration_is_not_changed_by_its_description():
    wide, narrow = Param("hours", "hours", ""), Param("hours", "hours", "", minimum=1, maximum=2)
    assert parameter(narrow, "/")["schema"]["anyOf"][0] == {"type": "number", "minimum": 1, "maximum": 2}
    assert parameter(wide, "/")["schema"]["anyOf"][0] == {"type": "number"}


@pytest.mark.parametrize("units", [HOURS, GIGABYTES], ids=["hours", "sizes"])
def test_texts_with_a_unit_are_those_that_are_read(units):
    pattern = re.compile(with_unit(units))
    for unit in filter(None, units):
        for text in (f"3{unit}", f"0.5 {unit}", f"12{unit.upper()}"):
            assert pattern.search(text), text
            assert quantity(text, units, PLAIN) is not None
    for text in ("3", "", "3kg", "h", "1,5h", "1_5h", "3hh", "x3h", "3h x", "007h", "-3h"):
        assert not pattern.search(text), text


def responses(**options: Any) -> dict[str, set[str]]:
    paths = document(bot.commands.COMMANDS, "0", **options)["paths"]
    return {f"{method} {path}": set(told["responses"]) for path, ways in paths.items() for method, told in ways.items()}


def test_each_operation_names_the_refusals_that_it_can_meet():
    with_keys, without = responses(require_key=True), responses(require_key=False)
    for name, statuses in with_keys.items():
        asks = name.partition(" ")[2].startswith("/api/")
        assert {"200", "500", "503"} <= statuses
        assert {"400", "401", "403", "404", "409", "414", "429"} <= statuses or not asks
        assert (statuses & BODIES == BODIES) == name.startswith(("post", "patch")), name
        assert ("304" in statuses) == (asks and name.startswith("get"))
        assert statuses - without[name] == (KEYS if asks else set())


async def test_the_refusals_by_length_are_those_of_the_document(house, web, acting):  # noqa: F811
    problem(await web.get(PRICE_OF_4090, params={"note": "x" * MAX_ADDRESS}), 414)
    problem(await acting.post("/api/rules", content=b" " * (MAX_BODY + 1)), 413)
    problem(await acting.post("/api/rules", content=b"{}", headers={"Content-Type": "text/plain"}), 415)


async def test_bodies_take_null_for_what_may_be_left_out_and_nothing_unknown(acting):  # noqa: F811
    paths = (await acting.get("/openapi.json")).json()["paths"]
    body = paths["/api/rules"]["post"]["requestBody"]
    schema = body["content"]["application/json"]["schema"]
    assert (body["required"], schema["additionalProperties"]) == (False, False)
    assert all({"type": "null"} in member["anyOf"] for member in schema["properties"].values())
    assert (await acting.post("/api/rules", json=dict.fromkeys(schema["properties"]))).status_code == 200
    problem(await acting.post("/api/rules", json={"unheard": None, "heard": 1}), 400)


def test_a_body_is_required_where_a_member_is():
    paths = document(bot.commands.COMMANDS, "0", require_key=True)["paths"]
    assert paths["/api/alerts"]["post"]["requestBody"]["required"] is True
    assert paths["/api/alerts/{id}/ack"]["post"]["requestBody"]["required"] is False


@pytest.mark.parametrize(
    ("path", "allowed"), [("/api/rules", {"GET", "HEAD", "POST"}), ("/api/rules/a", {"PATCH", "DELETE"})]
)
async def test_a_method_that_a_path_has_not_is_told_all_that_it_has(acting, path, allowed):  # noqa: F811
    answer = await acting.put(path)
    problem(answer, 405)
    assert set(answer.headers["allow"].split(", ")) == allowed


async def test_answers_carry_the_headers_that_the_document_requires(house):
    await house.polled()
    async with house.client(await house.key(per_minute=1)) as web:
        told = (await web.get("/openapi.json")).json()["paths"]["/api/spot/price/{gpu_name}"]["get"]["responses"]
        answers = [await web.get(PRICE_OF_4090), await web.get(PRICE_OF_4090)]
        answers.append(await web.get(PRICE_OF_4090, headers={"Authorization": "none"}))
    assert [answer.status_code for answer in answers] == [200, 429, 401]
    for answer in answers:
        headers = told[str(answer.status_code)]["headers"]
        assert {name for name in headers if name.lower() not in answer.headers} == set()
