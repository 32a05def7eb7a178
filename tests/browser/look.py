"""Looking at pages with the Chromium of this machine: starting it, what axe finds, pictures."""

from __future__ import annotations

import shutil
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
MISSING = "the browser tests need Chromium. On Debian: apt install chromium"

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # whatever a page asks for, nothing leaves the machine
)

PHONE = 390
"""Pixels of width of a common phone."""


def find_chromium() -> str | None:
    """Where this machine has one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def start_chromium(playwright: Playwright) -> Browser:
    """Start it, without a window."""
    found = find_chromium()
    if found is None:
        raise FileNotFoundError(MISSING)
    return playwright.chromium.launch(executable_path=found, args=ARGUMENTS)


def grave(page: Page) -> list[str]:
    """What axe finds on the page that is serious or critical: the rule and where it is broken."""
    return [
        f"{broken['id']}: {node['target']}"
        for broken in Axe().run(page).response["violations"]
        if broken["impact"] in ("serious", "critical")
        for node in broken["nodes"]
    ]


def sideways(page: Page) -> int:
    """By how many pixels the page can be scrolled to the side."""
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def picture(browser: Browser, url: str, *, width: int, dark: bool) -> bytes:
    """The whole page at ``url`` as PNG."""
    scheme = "dark" if dark else "light"
    with browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme) as context:
        page = context.new_page()
        page.goto(url, wait_until="networkidle")
        return page.screenshot(full_page=True)


def shoot(url: str, file: Path, width: int, dark: bool) -> None:
    """Draw the page at ``url`` into a PNG file, with a Chromium of its own: for documents, not within browser tests."""
    with sync_playwright() as playwright, start_chromium(playwright) as browser:
        file.write_bytes(picture(browser, url, width=width, dark=dark))
