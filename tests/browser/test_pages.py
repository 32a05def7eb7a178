"""The pages in a real browser: quick, quiet, readable by anybody, and of use without script."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, Page, expect

from bot.accounts import Asker
from bot.app import describe
from bot.commands import COMMANDS
from bot.dispatch.dispatcher import Dispatcher
from bot.faces.http.api import ForBrowsers, build_api, stored_keys
from bot.faces.http.metrics import Health, market_health
from bot.faces.web.site import Site
from bot.faces.web.visitors import AtThisMachine
from bot.store.engine import open_store
from tests.browser.look import PHONE, grave, sideways
from tests.fakes.site import served
from tests.fakes.stored import NOW

PERSON = Asker("console", "local", "you", channel="prompt", role="admin")
PAGES = (
    "/dash/market",
    "/dash/reliability",
    "/dash/cost",
    "/gpu/RTX%204090",
    "/questions",
    "/questions/fleet?budget=500",
    "/questions/accuracy",
    "/docs",
)
CHARTED = "/dash/market?gpu=RTX+4090&days=30"


@pytest.fixture(scope="module")
def site(market_file: Path) -> Iterator[str]:
    @contextlib.asynccontextmanager
    async def application() -> AsyncIterator[FastAPI]:
        store = await open_store(f"sqlite:///{market_file}", writer=False)
        dispatcher = Dispatcher(store, COMMANDS, lambda: NOW + 60)

        async def health() -> Health:
            return await market_health(dispatcher, polling=False)

        pages = Site(dispatcher, AtThisMachine(PERSON), signs_in=False)
        describe(pages)
        yield build_api(
            dispatcher, keys=stored_keys(dispatcher), health=health, browsers=ForBrowsers(pages=pages.routes)
        )
        pages.events.close()
        await store.close()

    with served(application) as address:
        yield address


@pytest.mark.parametrize(
    ("path", "scheme"),
    [*((path, "light") for path in PAGES), ("/dash/reliability", "dark"), ("/gpu/RTX%204090", "dark")],
)
def test_nobody_is_kept_from_reading_a_page(page: Page, site: str, path: str, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{site}{path}")
    assert grave(page) == []
    page.set_viewport_size({"width": PHONE, "height": 800})
    assert sideways(page) == 0


def test_a_diagram_of_shares_tells_shares_across_too(page: Page, site: str) -> None:
    page.goto(f"{site}/ask?line=accuracy")
    chart = page.locator("figure.chart").first
    expect(chart.locator("canvas")).to_be_visible()
    chart.locator(".plot").focus()
    page.keyboard.press("End")
    expect(chart.locator("output")).to_contain_text("100.0%")
    page.keyboard.press("ArrowLeft")
    expect(chart.locator("output")).to_contain_text("96.0%")
    expect(chart.locator("output")).to_contain_text("in 1 h")
    assert chart.locator("tbody th").first.text_content() == "0%"


def test_a_chart_is_read_zoomed_and_switched_with_the_keyboard(page: Page, site: str) -> None:
    page.goto(f"{site}{CHARTED}")
    chart = page.locator("figure.chart").first
    expect(chart.locator("canvas")).to_be_visible()
    plot, told = chart.locator(".plot"), chart.locator("output")
    plot.focus()
    page.keyboard.press("End")
    last = chart.locator("tbody tr").first.locator("th").text_content()
    price = chart.locator("tbody tr").first.locator("td").first.text_content()
    expect(told).to_contain_text(f"{last} UTC")
    expect(told).to_contain_text(f"median price {price}")
    page.keyboard.press("ArrowLeft")
    expect(told).not_to_contain_text(f"{last} UTC")
    toggle = chart.get_by_role("button", name="median price")
    toggle.press("Enter")
    expect(toggle).to_have_attribute("aria-pressed", "false")
    plot.focus()
    page.keyboard.press("End")
    expect(told).not_to_contain_text("median price")
    before = chart.locator("canvas").screenshot()
    chart.get_by_role("button", name="Nearer").click()
    assert chart.locator("canvas").screenshot() != before


def test_clouds_are_switched_on_where_somebody_wants_them(page: Page, site: str) -> None:
    page.goto(f"{site}/gpu/H100%20SXM")
    aws = page.locator("figure.chart").first.get_by_role("button", name="AWS")
    expect(aws).to_have_attribute("aria-pressed", "false")
    aws.click()
    expect(aws).to_have_attribute("aria-pressed", "true")


def test_a_slider_asks_anew_and_the_address_is_that_of_the_answer(page: Page, site: str) -> None:
    page.goto(f"{site}/questions/fleet?budget=500&workload=training")
    page.get_by_role("slider").focus()
    with page.expect_response(lambda got: "panel=answer" in got.url):
        page.keyboard.press("ArrowRight")
    expect(page.locator("[data-panel=answer] .lead")).to_contain_text("$510.00")
    assert "budget=510" in page.url
    page.reload()
    expect(page.locator("[data-panel=answer] .lead")).to_contain_text("$510.00")


def test_without_script_tables_and_forms_do(browser: Browser, site: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    try:
        page = context.new_page()
        page.goto(f"{site}{CHARTED}")
        expect(page.locator("figure.chart details")).to_have_count(1)
        assert page.locator("figure.chart tbody tr").count() > 20
        page.locator("input[name=gpu]").fill("H100 SXM")
        page.get_by_role("button", name="Show").click()
        expect(page.locator("[data-panel=history] h2")).to_contain_text("H100 SXM")
        page.goto(f"{site}/questions/savings")
        page.locator("input[name=gpu]").fill("4090")
        page.get_by_role("button", name="Ask").click()
        expect(page.locator("[data-panel=answer] h2")).to_contain_text("RTX 4090")
    finally:
        context.close()
