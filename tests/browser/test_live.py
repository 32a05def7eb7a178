"""Open pages stay true without being loaded anew, and keep what somebody chose on them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from playwright.sync_api import Page, expect

from bot.commands import COMMANDS
from bot.dispatch.dispatcher import Dispatcher
from bot.faces.console.sender import PERSON
from bot.faces.http.api import ForBrowsers, build_api, stored_keys
from bot.faces.http.metrics import Health, market_health
from bot.faces.web.site import Site
from bot.faces.web.visitors import AtThisMachine
from bot.store.engine import open_store
from tests.fakes.site import served
from tests.fakes.stored import NOW


class Served:
    """A site whose clock is moved by hand, and whose loop is another thread's."""

    now = NOW + 60
    address = ""
    site: Site
    loop: asyncio.AbstractEventLoop

    def call(self, name: str, *arguments: str) -> None:
        """Let its events do something."""
        self.loop.call_soon_threadsafe(getattr(self.site.events, name), *arguments)


@pytest.fixture
def house(market_file: Path) -> Iterator[Served]:
    found = Served()

    @contextlib.asynccontextmanager
    async def application() -> AsyncIterator[FastAPI]:
        store = await open_store(f"sqlite:///{market_file}", writer=False)
        dispatcher = Dispatcher(store, COMMANDS, lambda: found.now)

        async def health() -> Health:
            return await market_health(dispatcher, polling=False)

        found.site = Site(dispatcher, AtThisMachine(PERSON), signs_in=False)
        found.loop = asyncio.get_running_loop()
        browsers = ForBrowsers(pages=found.site.routes)
        yield build_api(dispatcher, keys=stored_keys(dispatcher), health=health, browsers=browsers)
        await store.close()

    with served(application) as found.address:
        yield found
        found.call("close")


@pytest.fixture
def site(house: Served) -> str:
    return house.address


def test_a_round_renews_what_is_shown_and_keeps_what_was_chosen(page: Page, site: str, house: Served) -> None:
    page.clock.install()
    with page.expect_response("**/events"):
        page.goto(f"{site}/dash/market?gpu=RTX+4090")
    panel = page.locator("[data-panel=history]")
    toggle = panel.get_by_role("button", name="median price")
    toggle.click()
    panel.locator("details").locator("summary").click()
    panel.get_by_role("button", name="Nearer").click()
    toggle.focus()
    house.now += 600
    house.call("publish", "round", "1")
    page.clock.run_for(40_000)
    expect(panel.locator(".age")).to_contain_text("11 min ago")
    expect(toggle).to_have_attribute("aria-pressed", "false")
    expect(toggle).to_be_focused()
    expect(panel.locator("details")).to_have_attribute("open", "")


def test_without_rounds_a_page_asks_anew_and_says_how_old_it_is(page: Page, site: str, house: Served) -> None:
    page.clock.install()
    page.goto(f"{site}/dash/market?gpu=RTX+4090")
    with page.expect_response(lambda got: "panel=status" in got.url):
        page.clock.run_for(40_000)  # once after the stream began: a round may have come before it did
    house.now += 3 * 86_400
    page.clock.run_for(70_000)
    expect(page.locator("[data-panel=prices] .card")).to_have_class("card stale")


def test_a_lost_stream_is_told_and_taken_up_again(page: Page, site: str, house: Served, troubles: list[str]) -> None:
    page.clock.install()
    with page.expect_response("**/events"):
        page.goto(f"{site}/dash/market?gpu=RTX+4090")
    house.call("close")  # as a server that is stopped: afterwards it refuses with 503
    expect(page.locator(".late")).to_be_visible()
    with page.expect_response("**/events"):
        page.clock.run_for(20_000)
    expect(page.locator(".late")).to_be_visible()
    house.call("open")
    page.clock.run_for(20_000)
    expect(page.locator(".late")).to_have_count(0)
    troubles.clear()
