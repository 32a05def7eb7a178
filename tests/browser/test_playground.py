"""The playground in a real browser: what is typed is answered, what is pressed is done, alerts arrive."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fastapi import FastAPI
from playwright.sync_api import Page, expect

from bot.app import describe
from bot.cli.previews import discord_payload, slack_payload
from bot.commands import COMMANDS
from bot.dispatch.dispatcher import Dispatcher
from bot.faces.console.sender import PERSON
from bot.faces.http.api import ForBrowsers, build_api, stored_keys
from bot.faces.http.metrics import Health, market_health
from bot.faces.web.playground import Playground
from bot.faces.web.site import Site
from bot.faces.web.visitors import AtThisMachine
from bot.outbox.sender import Address, Delivered, Message, Receipt
from bot.presentation.card import Card
from bot.presentation.gallery import Gallery
from bot.store.engine import open_store
from tests.browser.look import PHONE, grave, sideways
from tests.fakes.site import served
from tests.fakes.stored import NOW


@dataclass
class Demo:
    """The playground as it is served; its loop is another thread's."""

    address: str = ""
    playground: Playground | None = None
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def tell(self, card: Card) -> None:
        """Let a message arrive that nobody asked for."""
        self.send(Message("m1", Address(PERSON.platform, PERSON.team, "prompt"), card, "en"))

    def send(self, message: Message) -> Receipt:
        """Let a message arrive, be edited or be removed."""
        assert self.playground is not None
        sent = asyncio.run_coroutine_threadsafe(self.playground.send(message), self.loop).result()
        assert isinstance(sent, Delivered)
        return sent.receipt


@pytest.fixture
def demo(market_file: Path, tmp_path: Path) -> Iterator[Demo]:
    found = Demo()
    found.loop.close()
    file = shutil.copy(market_file, tmp_path / "demo.db")

    @contextlib.asynccontextmanager
    async def application() -> AsyncIterator[FastAPI]:
        store, gallery = await open_store(f"sqlite:///{file}", writer=True), Gallery()
        dispatcher = Dispatcher(store, COMMANDS, lambda: NOW + 60)

        async def health() -> Health:
            return await market_health(dispatcher, polling=False)

        site = Site(dispatcher, AtThisMachine(PERSON), signs_in=False, home="/play")
        found.playground = Playground(site, {"Slack": slack_payload, "Discord": discord_payload}, gallery)
        found.loop = asyncio.get_running_loop()
        site.extra += found.playground.routes
        describe(site, require_key=True)
        browsers = ForBrowsers(pages=site.routes)
        yield build_api(dispatcher, keys=stored_keys(dispatcher), health=health, browsers=browsers)
        site.events.close()
        await gallery.close()
        await store.close()

    with served(application) as found.address:
        yield found
        assert found.playground is not None  # streams end before the server does, as in a process that is stopped
        found.loop.call_soon_threadsafe(found.playground.site.events.close)


@pytest.fixture
def site(demo: Demo) -> str:
    return demo.address


def say(page: Page, line: str) -> None:
    page.fill(".say input[name=line]", line)
    page.press(".say input[name=line]", "Enter")


def test_who_comes_first_sees_the_market_a_chart_and_links_that_work(page: Page, site: str) -> None:
    page.goto(site)
    shown = page.locator(".said.spotbot")
    expect(shown).to_have_count(2)
    expect(shown.first.locator(".as-page table").first).to_be_visible()
    expect(shown.last.locator(".as-page canvas")).to_be_visible()
    links = page.locator("header a, footer a, .said a").evaluate_all("all => all.map(one => one.href)")
    assert len(set(links)) > 12
    for address in dict.fromkeys(links):
        assert address.startswith(site)
        assert page.request.get(address).status == 200, address


def test_a_question_is_answered_and_shown_as_each_chat_shows_it(page: Page, site: str) -> None:
    page.goto(site)
    expect(page.locator(".said.spotbot h2").first).to_contain_text("Spot prices")
    say(page, "predict 4090")
    answer = page.locator(".said.spotbot").last
    expect(answer.locator("h2")).to_contain_text("RTX 4090")
    expect(answer.locator(".as-page canvas")).to_be_visible()
    lead = answer.locator(".as-page .lead").text_content() or ""
    for view in ("slack", "discord"):
        page.locator(f"#view-{view}").check()
        shown = answer.locator(f".as-{view}")
        expect(shown).to_contain_text(lead.split(".")[0])
        picture = shown.locator("img").first
        expect(picture).to_be_visible()
        page.wait_for_function("one => one.complete && one.naturalWidth > 0", arg=picture.element_handle())
        payload = json.loads(shown.locator("pre").last.text_content() or "")
        assert payload.keys() & {"blocks", "embeds"}
        assert grave(page) == []


def test_buttons_are_lines_and_an_alert_can_be_made_and_deleted(page: Page, site: str) -> None:
    page.goto(f"{site}/play")
    say(page, "alert 4090 < 0.35")
    expect(page.locator(".said.spotbot").last.locator("h2")).to_contain_text("Alert")
    say(page, "alert delete last")
    say(page, "alert list")
    expect(page.locator(".said.you")).to_have_count(5)
    expect(page.locator(".said.spotbot")).to_have_count(5)
    expect(page.locator(".said.spotbot").nth(3)).to_contain_text("deleted")
    expect(page.locator(".said.spotbot").last.locator(".as-page")).to_contain_text("There are none yet")
    page.locator(".said.spotbot").nth(0).get_by_role("link", name="Why?").locator("visible=true").click()
    expect(page.locator(".said.you").last).to_contain_text("why monitor")


def test_what_nobody_asked_for_arrives_and_stays_after_a_reload(page: Page, site: str, demo: Demo) -> None:
    page.goto(f"{site}/play")
    newer = page.get_by_role("button", name="Something new below")
    expect(newer).to_be_hidden()
    demo.tell(Card("Alert: RTX 4090 below $0.35", "It is $0.34 <now> & falling."))
    alert = page.locator(".said.alert")
    expect(alert.locator(".as-page")).to_contain_text("It is $0.34 <now> & falling.")
    page.reload()
    expect(alert.locator(".as-page")).to_contain_text("It is $0.34 <now> & falling.")


def test_lines_come_back_and_are_completed(page: Page, site: str) -> None:
    page.goto(f"{site}/play")
    say(page, "status")
    expect(page.locator(".said.spotbot")).to_have_count(2)
    page.press(".say input[name=line]", "ArrowUp")
    assert page.input_value(".say input[name=line]") == "status"
    with page.expect_response("**/play/complete*"):
        page.fill(".say input[name=line]", "reli")
    expect(page.locator("#lines option").first).to_have_attribute("value", "reliability")


def test_a_phone_has_room_for_it(page: Page, site: str) -> None:
    page.set_viewport_size({"width": PHONE, "height": 800})
    page.goto(f"{site}/play")
    for view in ("page", "slack", "discord"):
        page.locator(f"#view-{view}").check()
        assert sideways(page) == 0


def test_pages_of_a_long_answer_turn_in_each_chat(page: Page, site: str) -> None:
    page.goto(f"{site}/play")
    say(page, "help")
    expect(page.locator(".said.spotbot")).to_have_count(3)
    for n, view in enumerate(("slack", "discord"), 4):
        page.locator(f"#view-{view}").check()
        page.locator(f".as-{view}").nth(2).get_by_role("link", name="Next").click()
        expect(page.locator(".said.spotbot")).to_have_count(n)
        expect(page.locator(f".as-{view}").last).to_contain_text("2/")
        expect(page.locator(f".as-{view}").last.get_by_role("link", name="Previous")).to_be_visible()


def test_a_dashboard_is_edited_where_it_stands_and_taken_away(page: Page, site: str, demo: Demo) -> None:
    page.goto(site)
    place = Address(PERSON.platform, PERSON.team, "prompt")
    receipt = demo.send(Message("m1", place, Card("Market", "first"), "en"))
    demo.tell(Card("Something else", "below"))
    shown = page.locator(".said.alert")
    expect(shown).to_have_count(2)
    edit = Message("m2", place, Card("Market", "second"), "en", edit=receipt, edit_only=True)
    assert demo.send(edit) == receipt
    expect(shown.first.locator(".as-page")).to_contain_text("second")
    expect(shown).to_have_count(2)
    demo.send(Message("m3", place, Card("", ""), "en", remove=receipt))
    expect(shown).to_have_count(1)
    page.reload()
    expect(page.locator(".said.alert .as-page")).to_contain_text("Something else")
