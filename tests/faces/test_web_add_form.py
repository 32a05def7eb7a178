"""The form of ``alert add`` on the pages, and as the console names it."""

from __future__ import annotations

import io
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from rich.console import Console
from starlette.applications import Starlette
from starlette.routing import Route

from bot.accounts import Asker
from bot.commands import COMMANDS
from bot.dispatch.dispatcher import Dispatcher
from bot.dispatch.reply import reply
from bot.faces.console.face import show
from bot.faces.web.site import Site
from bot.store.engine import open_store
from tests.faces.test_web_acting import ANA, SignedInAs
from tests.fakes.forms import form_to
from tests.fakes.stored import NOW

ADDRESS = "/form?line=alert+add"


@pytest.fixture
async def here(market_file: Path, tmp_path: Path) -> AsyncIterator[SignedInAs]:
    file = shutil.copy(market_file, tmp_path / "market.db")
    store = await open_store(f"sqlite:///{file}", writer=True)
    yield SignedInAs(Dispatcher(store, COMMANDS, lambda: NOW + 60))
    await store.close()


@pytest.fixture
async def browser(here: SignedInAs) -> AsyncIterator[httpx.AsyncClient]:
    app = Starlette(
        routes=[Route(path, door, methods=methods) for path, methods, door in Site(here.dispatcher, here).routes]
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://spot.example.com") as client:
        yield client


async def alerts(here: SignedInAs) -> list[str]:
    return [one["rule"] for one in (await here.told("alert list"))["alerts"]]


async def test_a_form_that_is_sent_twice_adds_one_alert(here: SignedInAs, browser: httpx.AsyncClient) -> None:
    sheet = form_to((await browser.get(ADDRESS)).text, "/form")
    assert {"gpu", "condition", "to", "hold", "quiet"} <= set(sheet.fields)
    assert sheet.fields["to"] == "channel"
    for _ in range(2):
        got = await sheet.send(browser, gpu="4090", condition="< 0.21")
        assert "below $0.21" in got.text
    assert len(await alerts(here)) == 1
    anew = form_to((await browser.get(ADDRESS)).text, "/form")
    await anew.send(browser, gpu="4090", condition="< 0.21")
    assert len(await alerts(here)) == 2


async def test_what_is_missing_is_told_and_adds_nothing(here: SignedInAs, browser: httpx.AsyncClient) -> None:
    sheet = form_to((await browser.get(ADDRESS)).text, "/form")
    got = await sheet.send(browser, gpu="4090", condition="")
    assert "alert add needs condition" in got.text
    assert await alerts(here) == []


async def test_the_first_of_ones_own_models_is_proposed_and_sent_back(
    here: SignedInAs, browser: httpx.AsyncClient
) -> None:
    await reply(here.dispatcher, ANA, "settings me gpus=l40s,4090", default="en")
    sheet = form_to((await browser.get(ADDRESS)).text, "/form")
    assert sheet.fields["gpu"] == "L40S"
    await sheet.send(browser, condition="< 0.21", to="dm")
    (rule,) = await alerts(here)
    assert rule.startswith("L40S")


async def test_the_console_names_the_form(here: SignedInAs) -> None:
    out = Console(file=io.StringIO(), width=120)
    asker = Asker("console", "local", "you", channel="prompt", role="admin")
    show((await reply(here.dispatcher, asker, "home", default="en")).card, out)
    assert isinstance(out.file, io.StringIO)
    assert "Add an alert: alert add …" in out.file.getvalue()
