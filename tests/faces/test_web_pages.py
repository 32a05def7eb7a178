"""The pages for browsers: each is what the commands answer, in both languages, and a link never changes anything."""

from __future__ import annotations

import csv
import html
import re
import shutil
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from bot.accounts import Asker
from bot.commands import COMMANDS
from bot.dispatch.dispatcher import Dispatcher
from bot.faces.http.api import ForBrowsers, build_api, stored_keys
from bot.faces.http.metrics import market_health
from bot.faces.http.page import _address as api_address
from bot.faces.web.pages import PAGES
from bot.faces.web.seen import POLICY
from bot.faces.web.site import Site
from bot.faces.web.visitors import AtThisMachine
from bot.presentation.text import without_empty_columns
from bot.presentation.words import LOCALES, Words
from bot.store.engine import open_store
from tests.fakes.stored import NOW

PERSON = Asker("console", "local", "you", channel="prompt", role="admin")
ADDRESSES = [page.path.replace("{gpu}", "RTX 4090") for page in PAGES]
QUESTIONS = [command.name for command in COMMANDS if command.path and command.shared]


class Clock:
    """Moved by hand."""

    now = NOW + 60

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def dispatcher(market_file: Path, tmp_path: Path, clock: Clock) -> AsyncIterator[Dispatcher]:
    file = shutil.copy(market_file, tmp_path / "market.db")
    store = await open_store(f"sqlite:///{file}", writer=True)
    yield Dispatcher(store, COMMANDS, clock)
    await store.close()


@pytest.fixture
async def browser(dispatcher: Dispatcher) -> AsyncIterator[httpx.AsyncClient]:
    """The pages beside the API."""
    site = Site(dispatcher, AtThisMachine(PERSON), signs_in=False)
    health = partial(market_health, dispatcher, polling=False)
    pages = ForBrowsers(pages=site.routes)
    app = build_api(dispatcher, keys=stored_keys(dispatcher), health=health, require_key=False, browsers=pages)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
        yield client


def panels(page: str) -> dict[str, str]:
    """The parts of a page by name."""
    return dict(re.findall(r'data-panel="(\w+)">(.*?)</section>', page, re.DOTALL))


@pytest.mark.parametrize("language", LOCALES)
@pytest.mark.parametrize("address", ADDRESSES)
async def test_each_page_shows_all_its_answers_and_lets_nothing_else_in(
    browser: httpx.AsyncClient, address: str, language: str
) -> None:
    got = await browser.get(address, headers={"Accept-Language": language})
    assert got.status_code == 200
    assert got.headers["content-security-policy"] == POLICY
    assert f'<html lang="{language}">' in got.text
    page = next(page for page in PAGES if page.path.split("{")[0] == address.split("RTX")[0])
    shown = panels(got.text)
    assert list(shown) == [panel.name for panel in page.panels]
    assert [name for name, part in shown.items() if "<h2>" not in part] == []
    assert "trouble" not in got.text, "the stored market has enough for every answer"
    assert not re.search(r"<[^>]* (style|on\w+)=", got.text), "the policy forbids them"
    for name, part in shown.items():
        alone = await browser.get(address, params={"panel": name}, headers={"Accept-Language": language})
        assert alone.text.strip() == part.strip(), "a part that is asked for alone is the same"


@pytest.mark.parametrize("address", ADDRESSES)
async def test_figures_of_a_page_are_those_of_the_api(
    browser: httpx.AsyncClient, dispatcher: Dispatcher, address: str
) -> None:
    """Every panel: its file is what the API answers to the same question, its tables what that answer's card says."""
    shown = panels((await browser.get(address)).text)
    for name, part in shown.items():
        [file] = re.findall(r'href="(/ask\.json[^"]*)"', part)
        command, texts = await dispatcher.read(httpx.URL(html.unescape(file)).params["line"])
        got = await browser.get(html.unescape(file))
        assert got.json() == (await browser.get(api_address(command, texts))).json(), name
        card = without_empty_columns(command.card(await dispatcher.ask(command, texts), Words("en", NOW + 60)))
        told = [html.unescape(text) for text in re.findall(r"<td[^>]*>(?:<a[^>]*>)?([^<]*)", part)]
        tables = (
            card.tables if card.commands and "vastai create" in part else card.tables[: -1 if card.commands else None]
        )
        missing = [cell for table in tables for row in table.rows for cell in row if cell not in told]
        assert (name, missing) == (name, [])


@pytest.mark.parametrize("verb", QUESTIONS)
async def test_each_question_is_a_form_whose_address_is_its_answer(browser: httpx.AsyncClient, verb: str) -> None:
    command = next(command for command in COMMANDS if command.name == verb)
    empty = (await browser.get(f"/questions/{verb}")).text
    for param in command.params:
        assert f'name="{param.name}"' in empty
    needed = {"gpu": "RTX 4090", "llm": "llama2-7b", "usd_per_month": "500"}
    said = {param.name: needed[param.kind] for param in command.params if param.required}
    got = (await browser.get(f"/questions/{verb}", params=said)).text
    assert "<h2>" in got
    assert "trouble" not in got
    for name, text in said.items():
        assert f'name="{name}" value="{text}"' in got


async def test_a_link_never_changes_anything(browser: httpx.AsyncClient) -> None:
    for line in ("alert 4090 < 0.35", "/spot alert 4090 < 0.35", "why alert 4090 < 0.35", "alert add 4090 < 0.35"):
        for path in ("/ask", "/ask.json", "/ask.csv", "/form"):
            await browser.get(path, params={"line": line, "table": "answer"})
    listed = (await browser.get("/ask", params={"line": "alert list"})).text
    assert "RTX 4090" not in re.sub(r"<datalist.*", "", listed, flags=re.DOTALL)


async def test_what_acts_needs_the_secret_of_a_page_and_its_origin(browser: httpx.AsyncClient) -> None:
    asked = (await browser.get("/ask", params={"line": "alert 4090 < 0.35"})).text
    csrf = re.search(r'name="csrf" value="([^"]+)"', asked)
    assert csrf
    form = {"line": "alert 4090 < 0.35", "csrf": csrf[1]}
    assert (await browser.post("/ask", data={"line": form["line"]})).status_code == 403
    assert (await browser.post("/ask", data={**form, "csrf": "x"})).status_code == 403
    foreign = await browser.post("/ask", data=form, headers={"Origin": "http://evil.example"})
    assert foreign.status_code == 403
    own = await browser.post("/ask", data=form, headers={"Origin": "http://127.0.0.1"})
    assert own.status_code == 200
    assert "$0.35" in (await browser.get("/ask", params={"line": "alert list"})).text


async def test_what_is_stale_is_marked(clock: Clock, browser: httpx.AsyncClient) -> None:
    assert "card stale" not in (await browser.get("/dash/market?panel=prices")).text
    clock.now = NOW + 3 * 86_400
    late = (await browser.get("/dash/market?panel=prices")).text
    assert "card stale" in late
    assert "STALE" in late


async def test_a_name_that_leads_to_this_machine_is_refused(browser: httpx.AsyncClient) -> None:
    assert (await browser.get("/dash/market", headers={"Host": "evil.example"})).status_code == 403
    assert (await browser.get("/dash/market", headers={"Host": "localhost:8080"})).status_code == 200


async def test_hostile_texts_are_shown_as_texts(browser: httpx.AsyncClient) -> None:
    bad = '"><script>alert(1)</script>'
    for address, status in (
        ("/dash/market", 200), ("/questions/savings", 200), ("/ask", 200), ("/gpu/%22%3E%3Cscript%3E", 404),
    ):  # fmt: skip
        got = await browser.get(address, params={"gpu": bad, "line": bad, "days": bad})
        assert got.status_code == status
        assert "<script>" not in got.text
    away = await browser.get("/language", params={"to": "pt-BR", "next": "//evil.example/"})
    assert away.headers["location"] == "/"


async def test_tables_are_files_with_the_figures_of_the_answer(browser: httpx.AsyncClient) -> None:
    got = await browser.get("/ask.csv", params={"line": "monitor", "table": "price_trends"})
    rows = list(csv.DictReader(got.text.splitlines()))
    answer = (await browser.get("/ask.json", params={"line": "monitor"})).json()
    assert [row["gpu_name"] for row in rows] == [row["gpu_name"] for row in answer["price_trends"]]
    assert [float(row["current_price"]) for row in rows] == [row["current_price"] for row in answer["price_trends"]]
    assert (await browser.get("/ask.csv", params={"line": "monitor", "table": "none"})).status_code == 404
    assert (await browser.get("/ask.csv", params={"line": "predict nonsense", "table": "x"})).status_code == 404


async def test_a_language_is_remembered_and_a_kiosk_has_no_menu(browser: httpx.AsyncClient) -> None:
    chosen = await browser.get("/language", params={"to": "pt-BR", "next": "/dash/cost"})
    assert chosen.headers["location"] == "/dash/cost"
    assert '<html lang="pt-BR">' in (await browser.get("/dash/cost", headers={"Accept-Language": "en"})).text
    assert '<body class="kiosk"' in (await browser.get("/dash/market?kiosk=1")).text


async def test_files_are_kept_for_ever_under_an_address_of_their_content(browser: httpx.AsyncClient) -> None:
    page = (await browser.get("/questions")).text
    files = re.findall(r'(?:src|href)="(/assets/[^"]+)"', page)
    assert len(files) == 5
    for address in files:
        got = await browser.get(address)
        assert got.status_code == 200
        assert "immutable" in got.headers["cache-control"]
        wrong = address.replace(address.split("/")[2], "0" * 16)
        assert (await browser.get(wrong)).status_code == 404
