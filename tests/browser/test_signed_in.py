"""Signing in, and acting, in a real browser: the cookies, the forms and their origins are the browser's own."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, Page, expect

from bot.accounts import Asker
from bot.commands import COMMANDS
from bot.dispatch.dispatcher import Dispatcher
from bot.faces.http.api import ForBrowsers, build_api, stored_keys
from bot.faces.http.metrics import market_health
from bot.faces.web.cookies import CookieCarrier
from bot.faces.web.setup import build_site
from bot.store.engine import open_store
from tests.browser.look import PHONE, grave, sideways
from tests.fakes.site import served
from tests.fakes.stored import NOW

ANA = Asker("slack", "T1", "U1", "C1", "manager")


class Served:
    """An address, and links that would be given in chat."""

    address = ""
    links: list[str]


@pytest.fixture
def house(market_file: Path, tmp_path: Path) -> Iterator[Served]:
    found = Served()
    file = shutil.copy(market_file, tmp_path / "market.db")

    @contextlib.asynccontextmanager
    async def application() -> AsyncIterator[FastAPI]:
        store = await open_store(f"sqlite:///{file}", writer=True)
        dispatcher = Dispatcher(store, COMMANDS, lambda: NOW + 60, site=lambda: "http://127.0.0.1")
        site = build_site(dispatcher, None)
        health = partial(market_health, dispatcher, polling=False)
        browsers = ForBrowsers(pages=site.routes)
        api = build_api(dispatcher, keys=stored_keys(dispatcher), health=health, browsers=browsers)
        api.add_middleware(CookieCarrier)
        found.links = [(await dispatcher.answer("dashboard link", ANA)).answer.url.removeprefix("http://127.0.0.1")]
        yield api
        site.events.close()
        await store.close()

    with served(application) as found.address:
        yield found


@pytest.fixture
def site(house: Served) -> str:
    return house.address


def signed_in(page: Page, site: str, house: Served) -> None:
    page.goto(f"{site}{house.links[0]}")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/dash/market*")


def test_a_link_signs_in_once_and_signing_out_ends_it(page: Page, site: str, house: Served) -> None:
    page.goto(f"{site}/dash/market")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert grave(page) == []
    signed_in(page, site, house)
    page.goto("about:blank")  # its stream of events would keep the network busy
    page.goto(f"{site}/questions")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.goto(f"{site}/questions")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


@pytest.mark.parametrize("script", [True, False])
def test_an_alert_is_looked_at_made_and_deleted(browser: Browser, site: str, house: Served, *, script: bool) -> None:
    context = browser.new_context(java_script_enabled=script)
    page = context.new_page()
    try:
        signed_in(page, site, house)
        page.goto(f"{site}/alerts")
        page.locator("input[name=gpu]").fill("RTX 4090")
        page.locator("input[name=condition]").fill("< 0.35")
        page.get_by_role("button", name="Look first").click()
        expect(page.locator("main")).to_contain_text("last 30 days")
        expect(page.locator("input[name=condition]")).to_have_value("< 0.35")
        page.get_by_role("button", name="Save").click()
        page.goto(f"{site}/alerts")
        expect(page.locator("main")).to_contain_text("below $0.35")
        if script:
            assert grave(page) == []
            page.set_viewport_size({"width": PHONE, "height": 800})
            assert sideways(page) == 0
        page.get_by_role("link", name="Delete").or_(page.get_by_role("button", name="Delete")).first.click()
        page.get_by_role("button", name="Delete").or_(page.get_by_role("button", name="Do it")).first.click()
        page.goto(f"{site}/alerts")
        expect(page.locator("main")).to_contain_text("There are none yet")
    finally:
        context.close()
