"""One Chromium for all tests of pages, and the real application for it to visit.

These tests are plain functions. One that wants an async fixture too names it before ``page``.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser.look import MISSING, find_chromium, start_chromium
from tests.fakes.site import served, stored_application


def pytest_runtest_setup() -> None:
    """Without Chromium none of these tests runs, and CI must not take that for a success."""
    if find_chromium() is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(MISSING)


@contextmanager
def _marked_as_running(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Playwright's calls need its loop marked as running, and leave it so: then no other could run in this thread."""
    asyncio._set_running_loop(loop)
    try:
        yield
    finally:
        asyncio._set_running_loop(None)


@pytest.fixture(scope="session")
def site(market_file: Path) -> Iterator[str]:
    """The address of the real application on the stored market. A file of tests may serve its own under this name."""
    with served(partial(stored_application, market_file)) as url:
        yield url


@pytest.fixture(scope="session")
def _chromium() -> Iterator[tuple[Browser, asyncio.AbstractEventLoop]]:
    playwright = sync_playwright().start()
    loop = asyncio.get_running_loop()
    with _marked_as_running(loop):
        browser = start_chromium(playwright)
    yield browser, loop
    with _marked_as_running(loop):
        browser.close()
        playwright.stop()


@pytest.fixture
def browser(_chromium: tuple[Browser, asyncio.AbstractEventLoop]) -> Iterator[Browser]:
    """The Chromium that all tests share, ready to be spoken to during this one."""
    chromium, loop = _chromium
    with _marked_as_running(loop):
        yield chromium


@pytest.fixture
def troubles() -> list[str]:
    """What went wrong on the test's pages. The test fails where any is left; one that wants some looks and clears."""
    return []


@pytest.fixture
def context(site: str, browser: Browser, troubles: list[str]) -> Iterator[BrowserContext]:
    """A browser window of this test alone. Errors on its pages and requests beyond ``site`` fail the test."""
    with browser.new_context() as fresh:
        _watch(fresh, site, troubles)
        yield fresh
    assert not troubles, "\n".join(troubles)


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """An empty page in the window."""
    return context.new_page()


def _watch(context: BrowserContext, site: str, troubles: list[str]) -> None:
    at_home = (f"{site}/", "data:", "blob:")

    def on_request(url: str) -> None:
        if not url.startswith(at_home):
            troubles.append(f"request to {url}")

    context.on("request", lambda request: on_request(request.url))
    context.on("weberror", lambda error: troubles.append(f"page error: {error.error}"))
    context.on("console", lambda said: troubles.append(f"console: {said.text}") if said.type == "error" else None)
