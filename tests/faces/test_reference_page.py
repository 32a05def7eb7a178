"""The API's reference as a page: it says what the OpenAPI document says, to anybody, and loads nothing of elsewhere."""

from __future__ import annotations

import html
import re
import shutil
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from bot.app import describe
from bot.commands import COMMANDS
from bot.dispatch.dispatcher import Dispatcher
from bot.faces.http import openapi
from bot.faces.http.api import ForBrowsers, build_api, stored_keys
from bot.faces.http.metrics import market_health
from bot.faces.web.reference import PATH, kind_of
from bot.faces.web.seen import POLICY
from bot.faces.web.setup import build_site
from bot.presentation.words import LOCALES, Words
from bot.store.engine import open_store
from tests.fakes.stored import NOW


@pytest.fixture
async def stranger(market_file: Path, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who has no key and did not sign in, before what a process serves."""
    store = await open_store(f"sqlite:///{shutil.copy(market_file, tmp_path / 'market.db')}", writer=True)
    dispatcher = Dispatcher(store, COMMANDS, lambda: NOW + 60)
    site = build_site(dispatcher, None)
    describe(site)
    health = partial(market_health, dispatcher, polling=False)
    app = build_api(dispatcher, keys=stored_keys(dispatcher), health=health, browsers=ForBrowsers(pages=site.routes))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
        yield client
    await store.close()


def sections(page: str) -> dict[str, str]:
    """The text of each operation by its id."""
    found = re.findall(r'<section class="panel" id="op-(\w+)">(.*?)</section>', page, re.DOTALL)
    return {name: " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split()) for name, text in found}


async def test_every_operation_is_there_with_its_parameters_and_answers(stranger: httpx.AsyncClient) -> None:
    got = await stranger.get(PATH)
    assert got.status_code == 200
    shown = sections(got.text)
    document = (await stranger.get("/openapi.json")).json()
    described = [(path, method, one) for path, some in document["paths"].items() for method, one in some.items()]
    assert list(shown) == [one["operationId"] for _, _, one in described]
    for path, method, one in described:
        text = shown[one["operationId"]]
        assert f"{method.upper()} {path}" in text
        assert one["summary"] in text
        assert all(f"{status}: " in text for status in one["responses"])
        assert ("needs no key" in text) is not bool(one["security"])
        names = [param["name"] for param in one.get("parameters", ())]
        body = one.get("requestBody", {"content": {"application/json": {"schema": {}}}})
        names += body["content"]["application/json"]["schema"].get("properties", {})
        assert all(f"{name} " in text for name in names)


async def test_every_link_within_the_page_leads_somewhere(stranger: httpx.AsyncClient) -> None:
    text = (await stranger.get(PATH)).text
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', text)) <= set(ids)
    components = (await stranger.get("/openapi.json")).json()["components"]["schemas"]
    assert set(components) <= set(ids)


async def test_examples_are_addresses_that_answer_and_questions_have_their_page(stranger: httpx.AsyncClient) -> None:
    page = (await stranger.get(PATH)).text
    examples = {html.unescape(link) for link in re.findall(r'href="(/api/[^"]+)"', page)}
    assert len(examples) > 10
    for address in examples:
        assert (await stranger.get(address)).status_code == 401, "it is there, and asks for a key"
    verbs = set(re.findall(r'href="/questions/([^"]+)"', page))
    assert verbs == {command.name.replace(" ", "-") for command in COMMANDS if command.path and not command.acts}
    for verb in verbs:
        got = await stranger.get(f"/questions/{verb}")
        assert got.status_code == 303, "it is there, and asks who one is"


@pytest.mark.parametrize("language", LOCALES)
async def test_the_page_is_public_in_either_language_under_the_policy_of_all_pages(
    stranger: httpx.AsyncClient, language: str
) -> None:
    got = await stranger.get(PATH, headers={"Accept-Language": language})
    assert got.headers["content-security-policy"] == POLICY
    assert f'<html lang="{language}">' in got.text
    assert not re.search(r"<[^>]* (style|on\w+)=|<style|<script(?! src=\"/)|(src|href)=.(https?:|//)", got.text)
    assert "Sign out" not in got.text


async def test_the_page_is_linked_from_where_people_look(stranger: httpx.AsyncClient) -> None:
    for address in ("/sign-in", "/api"):
        assert f'href="{PATH}"' in (await stranger.get(address)).text, address


async def test_an_api_without_pages_links_to_none(house) -> None:
    async with house.client() as web:
        assert PATH not in (await web.get("/")).text
        assert (await web.get(PATH)).status_code == 404


def test_what_is_said_of_answers_is_translated() -> None:
    texts = {
        *openapi.ERRORS.values(),
        *openapi.ERRORS_OF_KEYS.values(),
        *openapi.ERRORS_OF_BODIES.values(),
        openapi.IDEMPOTENCY_KEY["description"],
    }
    document = openapi.document(COMMANDS, "0", require_key=True)
    for methods in document["paths"].values():
        for one in methods.values():
            texts |= {one["summary"], *(some["description"] for some in one["responses"].values())}
            texts |= {param["in"] for param in one.get("parameters", ())}
    words = Words("pt-BR", 0)
    assert {text for text in texts if words(text) == text} == set()


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "string"}, "string"),
        ({}, "any"),
        ({"anyOf": [{"type": "number"}, {"type": "null"}]}, "number or null"),
        ({"enum": ["a", "b"]}, "a | b"),
        ({"const": 1}, "1"),
        ({"type": "array", "items": {"$ref": "#/components/schemas/Point"}}, "[Point, …]"),
        ({"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}]}, "[string, integer]"),
        ({"type": "object", "additionalProperties": {"type": "number"}}, "{name: number, …}"),
        ({"type": "object", "additionalProperties": True}, "object"),
    ],
)
def test_a_type_in_words(schema: dict, said: str) -> None:
    words = kind_of(schema)
    assert "".join(word.text for word in words) == said
    assert [word.component for word in words if word.component] == (["Point"] if "Point" in said else [])
