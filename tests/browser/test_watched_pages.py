"""What happens on a page while nobody looks fails its test; pictures are of the page they name."""

from __future__ import annotations

import struct

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.look import PHONE, grave, picture, sideways


@pytest.mark.parametrize(
    ("event", "script", "told"),
    [
        ("console", "console.error('said')", "console: said"),
        ("weberror", "setTimeout(() => { throw new Error('thrown') })", "page error: thrown"),
        ("console", "void fetch('http://elsewhere.invalid/').catch(() => 0)", "request to http://elsewhere.invalid/"),
    ],
)
def test_trouble_is_noticed(page: Page, troubles: list[str], event: str, script: str, told: str) -> None:
    with page.context.expect_event(event):
        page.evaluate(script)
    assert told in troubles
    troubles.clear()


def test_what_is_wrong_with_a_page_is_found(page: Page) -> None:
    page.set_content(
        "<html lang='en'><title>x</title><p style='width:200vw;color:#ccc;background:#fff'>pale</p></html>"
    )
    assert [found.partition(":")[0] for found in grave(page)] == ["color-contrast"]
    assert sideways(page) > 0


def test_a_picture_has_the_width_and_the_colours_asked_for(browser: Browser, site: str) -> None:
    light, dark = (picture(browser, f"{site}/", width=PHONE, dark=dark) for dark in (False, True))
    assert struct.unpack(">I", light[16:20]) == (PHONE,)
    assert light.startswith(b"\x89PNG")
    assert light != dark
