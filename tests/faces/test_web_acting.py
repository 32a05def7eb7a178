"""Alerts and webhooks on their pages: every act by the form that a page shows, and what the API then says of it."""

from __future__ import annotations

import html
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from analytics.evidence import iso, plain
from analytics.market import HOUR
from bot.access import ALERTS, READ
from bot.accounts import Asker
from bot.commands import COMMANDS
from bot.dispatch.dispatcher import Dispatcher
from bot.faces.web.seen import POLICY
from bot.faces.web.site import Site
from bot.faces.web.things import THINGS
from bot.faces.web.visitors import EVERYTHING, Visitor
from bot.presentation.words import LOCALES, Words
from bot.store.engine import open_store
from tests.fakes.endpoints import public_endpoints
from tests.fakes.forms import form_to, forms_of
from tests.fakes.stored import NOW

ANA = Asker("slack", "T1", "UA", "C1", "manager")
BEN = replace(ANA, person="UB", role="member")
HOOK = "https://example.com/hook"


@dataclass
class SignedInAs:
    """A site whose visitor is whom the test says."""

    dispatcher: Dispatcher
    visitor: Visitor = field(default=Visitor(ANA, EVERYTHING, "secret-of-ana"))

    async def of(self, request: Request) -> Visitor | None:
        """Whoever it is now, in the language of their browser."""
        locale = request.headers.get("accept-language")
        return replace(self.visitor, asker=replace(self.visitor.asker, locale=locale))

    def become(self, asker: Asker = ANA, scopes: frozenset[str] = EVERYTHING, *, only_asks: bool = False) -> None:
        """Somebody else, or the same person signed in otherwise."""
        self.visitor = Visitor(asker, scopes, f"secret-of-{asker.person}", only_asks)

    async def told(self, verb: str, **texts: str) -> Any:
        """What the API says: the command's answer to a program."""
        return plain(await self.dispatcher.ask(self.dispatcher.command(verb), texts, self.visitor.asker))


@pytest.fixture
async def here(market_file: Path, tmp_path: Path) -> AsyncIterator[SignedInAs]:
    file = shutil.copy(market_file, tmp_path / "market.db")
    store = await open_store(f"sqlite:///{file}", writer=True)
    endpoints = public_endpoints()
    yield SignedInAs(Dispatcher(store, COMMANDS, lambda: NOW + 60, endpoints=lambda: endpoints))
    await store.close()


@pytest.fixture
async def browser(here: SignedInAs) -> AsyncIterator[httpx.AsyncClient]:
    site = Site(here.dispatcher, here)
    app = Starlette(routes=[Route(path, handler, methods=methods) for path, methods, handler in site.routes])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://spot.example.com") as client:
        yield client


async def page(browser: httpx.AsyncClient, address: str, language: str = "en") -> str:
    got = await browser.get(address, headers={"Accept-Language": language})
    assert (got.status_code, got.headers["content-security-policy"]) == (200, POLICY)
    return got.text


async def add(browser: httpx.AsyncClient, condition: str = "< 0.35", **texts: str) -> str:
    """The name of a new alert."""
    new = form_to(await page(browser, "/alerts"), "/alerts")
    got = await new.send(browser, "Save", gpu="RTX 4090", condition=condition, **texts)
    return name_in(got)


async def add_hook(browser: httpx.AsyncClient, **texts: str) -> str:
    new = form_to(await page(browser, "/webhooks"), "/webhooks")
    return name_in(await new.send(browser, "Save", url=HOOK, **texts))


def name_in(got: httpx.Response) -> str:
    assert got.status_code == 200
    found = re.search(r'class="button primary" href="/\w+/(\w+)"', got.text)
    assert found, "nothing was made: " + got.text[-1500:]
    return found[1]


def shown(text: str) -> str:
    """A page as it is read."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())


# -- alerts


@pytest.mark.parametrize("language", LOCALES)
async def test_looking_first_tells_how_often_it_would_have_fired_and_saves_nothing(
    here: SignedInAs, browser: httpx.AsyncClient, language: str
) -> None:
    words = Words(language, NOW)
    mark = "0.35" if language == "en" else "0,35"
    headers = {"Accept-Language": language}
    browser.headers.update(headers)
    new = form_to(await page(browser, "/alerts", language), "/alerts")
    got = await new.send(browser, words("Look first"), gpu="RTX 4090", condition=f"< {mark}", hold="2h", expires="48h")
    texts = {"gpu": "RTX 4090", "condition": "< 0.35", "hold": "2h", "expires": "48h"}
    answer = await here.dispatcher.ask(here.dispatcher.command("alert preview"), texts, here.visitor.asker)
    assert answer.tried.fired > 0
    assert words(answer.rule) in shown(got.text)
    assert f" {answer.tried.fired}×" in shown(got.text)
    assert 'class="chart"' in got.text
    assert (await here.told("alert list"))["alerts"] == []
    again = form_to(got.text, "/alerts")
    assert (again.fields["condition"], again.fields["hold"], again.fields["expires"]) == (f"< {mark}", "2h", "48h")
    assert "<details open>" in got.text, "what was said is not folded away"
    saved = name_in(await again.send(browser, words("Save")))
    told = await here.told("alert show", id=saved)
    assert (told["threshold"], told["rule"]) == (0.35, str(answer.rule))
    assert told["terms"] == plain(answer.terms)


async def test_what_is_saved_is_what_the_api_says(here: SignedInAs, browser: httpx.AsyncClient) -> None:
    name = await add(browser, hold="1h", repeat="4h", to="dm", margin="5")
    (listed,) = (await here.told("alert list"))["alerts"]
    told = await here.told("alert show", id=name)
    assert (listed["id"], listed["by"], listed["where"]) == (name, "UA", "dm")
    read = shown(await page(browser, "/alerts"))
    assert f"{name} {listed['rule']} waiting" in read
    one = await page(browser, f"/alerts/{name}")
    for text in (told["rule"], told["reason"], *told["terms"]):
        assert text in shown(one)
    assert 'class="chart"' in one, "the price that it watches"
    assert "create" in shown(one), "its history"


@pytest.mark.parametrize("language", LOCALES)
async def test_each_act_is_a_form_on_the_list_and_on_the_alerts_own_page(
    here: SignedInAs, browser: httpx.AsyncClient, language: str
) -> None:
    name = await add(browser)
    browser.headers["Accept-Language"] = language
    for address in ("/alerts", f"/alerts/{name}"):
        snooze = form_to(await page(browser, address, language), f"/alerts/{name}/snooze")
        assert snooze.choices["time"] == ["30m", "1h", "4h", "24h"]
        got = await snooze.send(browser, Words(language, NOW)("Snooze"), time="4h")
        assert f'href="/alerts/{name}"' in got.text
        assert 'href="/alerts"' in got.text
        assert (await here.told("alert show", id=name))["snoozed_until"] == iso(NOW + 60 + 4 * HOUR)
        ack = form_to(await page(browser, address, language), f"/alerts/{name}/ack")
        assert Words(language, NOW)("It does not fire now.") in shown((await ack.send(browser)).text)
        test = form_to(await page(browser, address, language), f"/alerts/{name}/test")
        assert Words(language, NOW)("A test message is on its way to where this alert is told.") in shown(
            (await test.send(browser)).text
        )
    done = [act["action"] for act in (await here.told("alert show", id=name))["history"]]
    assert sorted(done) == ["acknowledge"] * 2 + ["create"] + ["snooze"] * 2 + ["test"] * 2


async def test_a_link_deletes_nothing_and_deleting_is_asked_first(here: SignedInAs, browser: httpx.AsyncClient) -> None:
    name = await add(browser)
    address = f"/alerts/{name}/delete"
    assert f'href="{address}"' in await page(browser, "/alerts")
    asked = await page(browser, address)
    assert "$0.35" in shown(asked), "it says what would be deleted"
    assert len((await here.told("alert list"))["alerts"]) == 1
    for other in ("snooze", "ack", "test"):
        assert (await browser.get(f"/alerts/{name}/{other}")).headers["location"] == f"/alerts/{name}"
    assert [act["action"] for act in (await here.told("alert show", id=name))["history"]] == ["create"]
    sure = form_to(asked, address)
    assert "It is deleted." in shown((await sure.send(browser, "Delete")).text)
    assert (await here.told("alert list"))["alerts"] == []
    assert "It is deleted." in shown((await sure.send(browser)).text), "loaded anew, it is the same answer"
    sure.fields["key"] = ""
    assert "there is no alert of that name here" in shown((await sure.send(browser)).text)


async def test_edit_is_a_sheet_that_takes_back_nobodys_change(here: SignedInAs, browser: httpx.AsyncClient) -> None:
    name = await add(browser, repeat="4h")
    sheet = form_to(await page(browser, f"/alerts/{name}/edit"), f"/alerts/{name}/edit")
    assert (sheet.fields["condition"], sheet.fields["repeat"]) == ("< 0.35", "4h")
    got = await sheet.send(browser, condition="< 0.31", repeat="", quiet="22:00-08:00")
    assert "It is changed." in shown(got.text)
    told = await here.told("alert show", id=name)
    assert told["threshold"] == 0.31
    assert "22:00" in " ".join(told["terms"])
    for typed, fault in (("< 0.2", "this was changed meanwhile"), ("nonsense", "nonsense")):
        refused = await sheet.send(browser, condition=typed)
        assert fault in shown(refused.text)
        assert "now: < 0.31" in shown(refused.text)
        assert (await here.told("alert show", id=name))["threshold"] == 0.31
        sheet = form_to(refused.text, f"/alerts/{name}/edit")
        assert sheet.fields["condition"] == typed, "nothing that was typed is lost"
    await sheet.send(browser, condition="< 0.25")
    assert (await here.told("alert show", id=name))["threshold"] == 0.25


async def test_a_form_that_is_sent_twice_makes_one_alert(here: SignedInAs, browser: httpx.AsyncClient) -> None:
    new = form_to(await page(browser, "/alerts"), "/alerts")
    said = {"gpu": "RTX 4090", "condition": "< 0.35"}
    first, second = [await new.send(browser, "Save", **said) for _ in range(2)]
    assert name_in(first) == name_in(second)
    assert len((await here.told("alert list"))["alerts"]) == 1
    changed = await new.send(browser, "Save", gpu="RTX 4090", condition="< 0.30")
    assert name_in(changed) != name_in(first), "gone back to and filled in otherwise, it is another request"
    shown_anew = form_to(await page(browser, "/alerts"), "/alerts")
    assert name_in(await shown_anew.send(browser, "Save", **said)) != name_in(first)
    assert len((await here.told("alert list"))["alerts"]) == 3


async def test_what_cannot_be_made_is_said_above_the_form_as_it_was_filled_in(
    here: SignedInAs, browser: httpx.AsyncClient
) -> None:
    new = form_to(await page(browser, "/alerts"), "/alerts")
    for button in ("Save", "Look first"):
        got = await new.send(browser, button, gpu="RTX 4091", condition="< 0.35", quiet="never ever")
        assert "trouble" in got.text
        again = form_to(got.text, "/alerts")
        assert (again.fields["gpu"], again.fields["quiet"]) == ("RTX 4091", "never ever")
        assert again.fields["key"] != new.fields["key"]
    assert (await here.told("alert list"))["alerts"] == []


# -- webhooks


async def test_a_webhook_is_made_and_its_secret_shown_once(here: SignedInAs, browser: httpx.AsyncClient) -> None:
    new = form_to(await page(browser, "/webhooks"), "/webhooks")
    got = await new.send(browser, "Save", url=HOOK, events="price.changed", gpus="RTX 4090", change="5%")
    name, secret = name_in(got), re.search(r"whsec_[\w+/=]+", html.unescape(got.text))
    assert secret
    assert got.headers["cache-control"] == "no-store"
    (told,) = (await here.told("webhook list"))["webhooks"]
    assert (told["id"], told["events"], told["gpus"]) == (name, ["price.changed"], ["RTX 4090"])
    assert told["min_change_percent"] == 5.0
    for address in ("/webhooks", f"/webhooks/{name}"):
        read = await page(browser, address)
        assert secret[0] not in html.unescape(read)
        assert "example.com" in read
        assert "price.changed" in read


async def test_the_acts_of_a_webhook(here: SignedInAs, browser: httpx.AsyncClient) -> None:
    name = await add_hook(browser)
    for address in ("/webhooks", f"/webhooks/{name}"):
        test = form_to(await page(browser, address), f"/webhooks/{name}/test")
        assert "It is challenged again" in shown((await test.send(browser, "Test it")).text)
    replay = form_to(await page(browser, f"/webhooks/{name}"), f"/webhooks/{name}/replay")
    got = await replay.send(browser, "Send again", message="nothing", since="2h")
    assert "there is no message of that id" in shown(got.text)
    assert "Messages that are sent again: 0" in shown((await replay.send(browser)).text)
    rotate = form_to(await page(browser, f"/webhooks/{name}/rotate"), f"/webhooks/{name}/rotate")
    secrets = [re.findall(r"whsec_[\w+/=]+", html.unescape((await rotate.send(browser)).text)) for _ in range(2)]
    assert [len(some) for some in secrets] == [1, 1]
    delete = form_to(await page(browser, f"/webhooks/{name}/delete"), f"/webhooks/{name}/delete")
    assert "It is deleted" in shown((await delete.send(browser, "Delete")).text)
    assert (await here.told("webhook list"))["webhooks"] == []


# -- who may


async def test_the_menu_has_what_a_visitor_may_use(here: SignedInAs, browser: httpx.AsyncClient) -> None:
    def menu(text: str) -> list[str]:
        return [path for path in ("/alerts", "/webhooks") if f'<a href="{path}"' in text.split("</nav>")[0]]

    assert menu(await page(browser, "/questions")) == ["/alerts", "/webhooks"]
    assert 'href="/alerts" aria-current="page">Alertas' in await page(browser, "/alerts", "pt-BR")
    here.become(BEN)
    assert menu(await page(browser, "/questions")) == ["/alerts"]
    here.become(scopes=frozenset((READ, ALERTS)))
    assert menu(await page(browser, "/questions")) == ["/alerts"]
    here.become(scopes=frozenset((READ,)))
    assert menu(await page(browser, "/questions")) == []


async def test_who_may_not_is_told_so_on_a_page_whatever_the_address(
    here: SignedInAs, browser: httpx.AsyncClient
) -> None:
    alert, hook = await add(browser), await add_hook(browser)
    addresses = {"/alerts": alert, "/webhooks": hook}
    for who, scopes, only_asks in (
        (ANA, frozenset((READ,)), False),
        (BEN, frozenset((READ, ALERTS)), False),
        (BEN, EVERYTHING, False),
        (ANA, EVERYTHING, True),
    ):
        here.become(who, scopes, only_asks=only_asks)
        may = {"/alerts"} if who is BEN else set()
        for things in THINGS:
            if things.path in may:
                continue
            name = addresses[things.path]
            asks = [things.path, f"{things.path}/{name}"] if not only_asks else []
            asks += [f"{things.path}/{name}/{act.verb}" for act in things.acts]
            for address in asks:
                got = await browser.get(address)
                assert (got.status_code, "<h1>" in got.text) == (403, True), address
            acts = [things.path, *(f"{things.path}/{name}/{act.verb}" for act in things.acts)]
            for address in acts:
                got = await browser.post(address, data={"csrf": here.visitor.csrf, "gpu": "RTX 4090", "url": HOOK})
                assert (got.status_code, "<h1>" in got.text) == (403, True), address
    here.become()
    assert [one["id"] for one in (await here.told("alert list"))["alerts"]] == [alert]
    assert [one["id"] for one in (await here.told("webhook list"))["webhooks"]] == [hook]
    assert len((await here.told("alert show", id=alert))["history"]) == 1


async def test_who_did_not_make_an_alert_is_shown_only_what_anybody_may_do(
    here: SignedInAs, browser: httpx.AsyncClient
) -> None:
    name = await add(browser)
    mine = {f"/alerts/{name}/{verb}" for verb in ("snooze", "ack", "test")}
    assert {form.action for form in forms_of(await page(browser, "/alerts"))} >= mine
    here.become(BEN)
    for address in ("/alerts", f"/alerts/{name}"):
        text = await page(browser, address)
        assert f"/alerts/{name}/snooze" in text
        assert not re.search(rf"/alerts/{name}/(test|delete|edit)", text)
    got = await browser.post(f"/alerts/{name}/delete", data={"csrf": here.visitor.csrf})
    assert "only who made this alert, or a manager, may do that" in shown(got.text)
    here.become(replace(ANA, team="T2"))
    for address in (f"/alerts/{name}", f"/alerts/{name}/delete", "/alerts/last", "/alerts/last/delete"):
        assert (await browser.get(address)).status_code == 404
    assert name not in await page(browser, "/alerts")


async def test_every_form_that_acts_carries_the_secret_of_who_is_shown_it(
    here: SignedInAs, browser: httpx.AsyncClient
) -> None:
    alert, hook = await add(browser), await add_hook(browser)
    addresses = [
        "/alerts", f"/alerts/{alert}", f"/alerts/{alert}/edit", f"/alerts/{alert}/delete",
        "/webhooks", f"/webhooks/{hook}", f"/webhooks/{hook}/rotate", f"/webhooks/{hook}/delete",
    ]  # fmt: skip
    for address in addresses:
        acting = [form for form in forms_of(await page(browser, address)) if form.method == "post"]
        assert len(acting) > 1, "signing out, and more"
        for form in acting:
            assert form.fields["csrf"] == "secret-of-ana"
            for target in (form.action, *form.buttons.values()):
                forged = await browser.post(target, data={**form.fields, "csrf": "guess"})
                assert forged.status_code == (404 if target == "/sign-out" else 403)
                foreign = await browser.post(target, data=form.fields, headers={"Origin": "http://evil.example"})
                assert foreign.status_code == (404 if target == "/sign-out" else 403)
    assert len((await here.told("alert show", id=alert))["history"]) == 1
    assert len((await here.told("webhook list"))["webhooks"]) == 1


# -- what is sent by others than browsers

BAD = '"><script>alert(1)</script>'


@pytest.mark.parametrize("things", THINGS, ids=lambda things: things.group)
async def test_hostile_texts_are_shown_as_texts(here: SignedInAs, browser: httpx.AsyncClient, things: Any) -> None:
    new = form_to(await page(browser, things.path), things.path)
    names = [name for name in new.fields if name not in new.hidden | set(new.choices)]
    for button in new.buttons:
        got = await new.send(browser, button, **dict.fromkeys(names, BAD))
        assert got.status_code == 200
        assert "<script>" not in got.text
        assert form_to(got.text, things.path).fields[names[0]] == BAD
    for path in (f"{things.path}/%22%3E%3Cscript%3E", f"{things.path}/last condition=x/delete", f"{things.path}/a/b"):
        got = await browser.get(path)
        assert got.status_code == 404
        assert "<script>" not in got.text
    assert (await browser.post(f"{things.path}/last%20x/delete", data={"csrf": here.visitor.csrf})).status_code == 404


async def test_fields_that_a_command_does_not_have_are_not_passed_on(
    here: SignedInAs, browser: httpx.AsyncClient
) -> None:
    name, other = await add(browser), await add(browser, "< 0.30")
    data = {"csrf": here.visitor.csrf, "id": other, "time": "1h", "version": "x", "line": "alert delete last"}
    assert (await browser.post(f"/alerts/{name}/snooze", data=data)).status_code == 200
    assert (await here.told("alert show", id=name))["snoozed_until"]
    assert (await here.told("alert show", id=other))["snoozed_until"] is None
