"""The page at ``/`` in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.look import PHONE, grave, sideways

SCHEMES = ("light", "dark")


def test_it_loads_without_an_error_and_asks_nobody_else(page: Page, site: str) -> None:
    answer = page.goto(f"{site}/")
    assert answer
    assert answer.status == 200
    expect(page.get_by_role("heading", name="spotbot")).to_be_visible()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_everybody_can_read_it(page: Page, site: str, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{site}/")
    assert grave(page) == []


@pytest.mark.parametrize("scheme", SCHEMES)
def test_it_fits_a_phone(page: Page, site: str, scheme: str) -> None:
    page.set_viewport_size({"width": PHONE, "height": 844})
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{site}/")
    assert sideways(page) == 0
