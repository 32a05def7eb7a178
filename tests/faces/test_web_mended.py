"""What somebody who signs in, mistypes or comes too early meets on the pages: answers and ways on, no half page."""

from __future__ import annotations

import gzip
import html
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import httpx
import pytest

from bot.access import ALERTS, READ, Quotas
from bot.accounts import Asker
from bot.commands import COMMANDS
from bot.dispatch.dispatcher import Dispatcher
from bot.faces.http.api import ForBrowsers, build_api, stored_keys
from bot.faces.http.metrics import market_health
from bot.faces.web import dashboards
from bot.faces.web import site as site_module
from bot.faces.web.cookies import CookieCarrier
from bot.faces.web.key_tries import KeyTries
from bot.faces.web.pages import PAGES
from bot.faces.web.setup import _shell
from bot.faces.web.sign_in import SignedIn, SignInPages
from bot.faces.web.site import Site
from bot.faces.web.visitors import PERSON_PER_MINUTE, AtThisMachine, Visitors
from bot.presentation.words import Words, _catalogue
from bot.store.engine import Store, open_store
from tests.fakes.forms import form_to
from tests.fakes.stored import NOW

PERSON = Asker("console", "local", "you", channel="prompt", role="admin")
BASE = "http://127.0.0.1:8080"
ANSWERS = [
    "/dash/market", "/dash/cost?panel=fleet", "/gpu/RTX%204090", "/ask?line=monitor", "/ask.json?line=monitor",
    "/ask.csv?line=monitor&table=price_trends", "/questions/savings?gpu=RTX+4090", "/form?line=monitor",
]  # fmt: skip


class House:
    """The API and the pages beside it, as a process serves them, with clocks that are moved by hand."""

    def __init__(self, store: Store) -> None:
        self.now = NOW + 60
        self.ticks = 0.0
        self.dispatcher = Dispatcher(store, COMMANDS, lambda: self.now, site=lambda: BASE)
        self.signed_in = SignedIn(self.dispatcher, secure=False)

    def browser(self, visitors: Visitors | None = None, **options: Any) -> httpx.AsyncClient:
        """A browser at a site of these visitors, or of those who sign in."""
        quotas = Quotas(lambda: self.ticks)
        site = Site(self.dispatcher, visitors or self.signed_in, quotas=quotas)
        pages = SignInPages(
            self.signed_in, KeyTries(lambda: self.ticks), self.dispatcher.clock, lambda *a, **b: _shell(site, *a, **b)
        )
        site.extra += [(path, methods, site.guarded(handler)) for path, methods, handler in pages.routes]

        async def health() -> Any:
            return await market_health(self.dispatcher, polling=True, row_budget=1)

        browsers = ForBrowsers(site.routes, refuse=site.refusal, quotas=quotas)
        api = build_api(self.dispatcher, keys=stored_keys(self.dispatcher), health=health, browsers=browsers)
        api.add_middleware(CookieCarrier)
        headers = {"Origin": BASE, "Accept": "text/html,*/*", **options.pop("headers", {})}
        return httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url=BASE, headers=headers, **options)

    async def demo(self) -> httpx.AsyncClient:
        """A browser that everybody at this machine uses."""
        return self.browser(AtThisMachine(PERSON))

    async def key(self, *scopes: str, per_minute: int = 60) -> str:
        """The secret of a new key."""
        async with self.dispatcher.store.writer() as writer:
            secret, _ = await writer.create_key("k", scopes=scopes or (READ,), per_minute=per_minute, at=self.now)
        return secret

    async def by_key(self, secret: str) -> httpx.AsyncClient:
        """A browser that signed in by a key."""
        browser = self.browser()
        assert (await browser.post("/sign-in", data={"key": secret})).status_code == 303
        return browser

    async def by_link(self, asker: Asker) -> httpx.AsyncClient:
        """A browser of somebody who used a link."""
        browser = self.browser()
        answered = await self.dispatcher.answer("dashboard link", asker)
        token = parse_qs(urlsplit(answered.answer.url).query)["token"][0]
        assert (await browser.post("/sign-in/link", data={"token": token})).status_code == 303
        return browser


@pytest.fixture
async def house(market_file: Path, tmp_path: Path) -> AsyncIterator[House]:
    file = shutil.copy(market_file, tmp_path / "market.db")
    store = await open_store(f"sqlite:///{file}", writer=True)
    yield House(store)
    await store.close()


@pytest.fixture
async def empty(sqlite_tables: str) -> AsyncIterator[House]:
    store = await open_store(sqlite_tables, writer=True)
    yield House(store)
    await store.close()


def read(page: str) -> str:
    """A page as it is read."""
    return " ".join(html.unescape(re.sub(r"<datalist.*?</datalist>|<[^>]+>", " ", page, flags=re.DOTALL)).split())


# -- rates


async def test_a_key_has_one_rate_for_the_api_and_the_pages(house: House) -> None:
    secret = await house.key(per_minute=5)
    browser = await house.by_key(secret)
    for _ in range(2):
        got = await browser.get("/api/spot/monitor", headers={"Authorization": f"Bearer {secret}"})
        assert got.status_code == 200
    for _ in range(3):
        assert (await browser.get("/ask?line=monitor")).status_code == 200
    house.now += 10  # nothing that was made for others is given again
    for address in ANSWERS:
        refused = await browser.get(address)
        assert (address, refused.status_code, refused.headers["retry-after"]) == (address, 429, "12")
        assert "more than you may ask in a minute" in read(refused.text)
    got = await browser.get("/api/spot/monitor", headers={"Authorization": f"Bearer {secret}"})
    assert got.status_code == 429
    for address in ("/", "/questions"):
        assert (await browser.get(address)).status_code in (200, 303), "it asks nothing"
    house.ticks += 12
    assert (await browser.get("/ask?line=monitor")).status_code == 200
    assert (await browser.get("/ask?line=monitor")).status_code == 429


@pytest.mark.parametrize("address", ANSWERS)
async def test_each_answer_takes_one_of_a_keys_rate(house: House, address: str) -> None:
    browser = await house.by_key(await house.key(per_minute=1))
    assert (await browser.get(address)).status_code == 200
    house.now += 10
    assert (await browser.get(address)).status_code == 429


async def test_what_was_made_for_others_costs_nothing(house: House) -> None:
    browser = await house.by_key(await house.key(per_minute=1))
    for _ in range(3):
        for address in ("/dash/market", "/dash/market?panel=prices"):
            assert (await browser.get(address)).status_code == 200
    assert (await browser.get("/dash/reliability")).status_code == 429


async def test_who_signed_in_by_a_link_asks_ten_times_a_second_and_the_demo_as_often_as_it_likes(house: House) -> None:
    ana = await house.by_link(Asker("slack", "T1", "UA", "C1"))
    demo = await house.demo()
    for _ in range(PERSON_PER_MINUTE):
        assert (await ana.get("/form?line=monitor")).status_code == 200
    assert (await ana.get("/form?line=monitor")).status_code == 429
    for _ in range(PERSON_PER_MINUTE + 1):
        assert (await demo.get("/ask.csv?line=settings&table=none")).status_code == 404


# -- what is refused or fails


@pytest.mark.parametrize("address", [page.path.replace("{gpu}", "RTX%204090") for page in PAGES])
async def test_a_key_for_alerts_alone_is_refused_before_anything_is_sent(house: House, address: str) -> None:
    browser = await house.by_key(await house.key(ALERTS))
    for one in (address, f"{address}?panel=prices"):
        got = await browser.get(one)
        assert got.status_code == 403
        assert "the key that you signed in with is not good for this" in read(got.text)
        assert got.text.rstrip().endswith("</html>")


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (site_module.StoreError("locked"), "The database is busy"),
        (RuntimeError("no"), "Something went wrong on our side"),
    ],
)
async def test_a_panel_that_fails_is_a_card_in_its_place(
    house: House, monkeypatch: pytest.MonkeyPatch, fault: Exception, says: str
) -> None:
    real = Site.panel

    async def panel(self: Site, seen: Any, command: Any, texts: Any, **options: Any) -> str:
        if command.name == "history":
            raise fault
        return await real(self, seen, command, texts, **options)

    monkeypatch.setattr(Site, "panel", panel)
    got = await (await house.demo()).get("/dash/market")
    parts = dict(re.findall(r'data-panel="(\w+)">(.*?)</section>', got.text, re.DOTALL))
    assert list(parts) == ["prices", "history", "regions", "status"]
    assert says in read(parts["history"])
    assert [name for name, part in parts.items() if "trouble" in part] == ["history"]
    assert got.text.rstrip().endswith("</html>")


async def test_no_character_breaks_a_page(house: House) -> None:
    browser = await house.demo()
    for address, status in (("/gpu/%00", 404), ("/dash/market?gpu=%00", 200), ("/questions/savings?gpu=%00", 200)):
        got = await browser.get(address)
        assert (address, got.status_code) == (address, status)
        assert got.text.startswith("<!doctype html>")
        assert got.text.rstrip().endswith("</html>")
    page = (await browser.get("/dash/market?gpu=%00")).text
    assert page.index('<div class="panels">') < page.index("data-panel"), "it is parted where its panels belong"


@pytest.mark.parametrize("host", ["[", "[::1", "a]b", ""])
async def test_a_host_that_is_none_is_refused_or_of_no_matter(house: House, host: str) -> None:
    for browser, status in ((await house.demo(), 403), (house.browser(), 303)):
        assert (await browser.get("/dash/market", headers={"Host": host})).status_code == status


async def test_a_link_is_made_in_the_demo_and_elsewhere_is_for_chat(house: House) -> None:
    demo, ana = await house.demo(), await house.by_link(Asker("slack", "T1", "UA", "C1"))
    asked = form_to((await demo.get("/ask?line=dashboard+link")).text, "/ask")
    assert f"{BASE}/sign-in/link?token=" in (await asked.send(demo)).text
    sent = form_to((await ana.get("/ask?line=dashboard+link")).text, "/ask")
    got = await sent.send(ana)
    assert (got.status_code, "this is asked in chat, not on a page" in read(got.text)) == (403, True)


async def test_loading_an_answer_anew_acts_once_and_a_new_form_again(house: House) -> None:
    browser = await house.demo()

    async def names() -> set[str]:
        listed = (await browser.get("/ask.json?line=alert+list")).json()
        return {one["id"] for one in listed["alerts"]}

    form = form_to((await browser.get("/ask?line=alert+4090+%3C+0.35")).text, "/ask")
    first, second = await form.send(browser), await form.send(browser)
    assert len(await names()) == 1
    assert read(first.text) == read(second.text)
    for address in ("/alerts", f"/alerts/{next(iter(await names()))}"):
        page = (await browser.get(address)).text
        test = form_to(page, f"/alerts/{next(iter(await names()))}/test")
        for _ in range(2):
            assert "on its way" in (await test.send(browser)).text
    told = (await browser.get(f"/ask.json?line=alert+show+{next(iter(await names()))}")).json()
    assert [one["action"] for one in told["history"]].count("test") == 2, "once for each form that was shown"
    again = form_to((await browser.get("/ask?line=alert+4090+%3C+0.35")).text, "/ask")
    await again.send(browser)
    assert len(await names()) == 2
    house.now += 3600
    await test.send(browser)
    told = (await browser.get(f"/ask.json?line=alert+show+{test.action.split('/')[2]}")).json()
    assert [one["action"] for one in told["history"]].count("test") == 3, "answers are not kept for ever"


async def test_what_failed_may_be_sent_again(house: House) -> None:
    browser, site = await house.demo(), house.dispatcher.site
    form = form_to((await browser.get("/ask?line=dashboard+link")).text, "/ask")
    house.dispatcher.site = None
    assert "SPOTBOT_URL" in (await form.send(browser)).text
    house.dispatcher.site = site
    links = [re.findall(r"token=([\w-]+)", (await form.send(browser)).text) for _ in range(2)]
    assert links[0] == links[1] != []


# -- addresses and languages


async def test_signing_in_leads_back_to_the_very_address(house: House) -> None:
    browser = house.browser()
    sent = await browser.get("/gpu/RTX%204090?days=30&gpu=a%20b")
    goal = parse_qs(urlsplit(sent.headers["location"]).query)["next"][0]
    assert goal == "/gpu/RTX%204090?days=30&gpu=a%20b"
    done = await browser.post("/sign-in", data={"key": await house.key(), "next": goal})
    assert done.headers["location"] == goal
    assert (await browser.get(goal)).status_code == 200


@pytest.mark.parametrize(
    "address", ["/gpu/RTX%204090?days=30", "/dash/cost?gpu=RTX+4090&hours=5", "/ask?line=predict%20RTX%204090"]
)
async def test_changing_the_language_keeps_the_address(house: House, address: str) -> None:
    browser = await house.demo()
    page = (await browser.get(address)).text
    link = re.search(r'href="(/language\?[^"]+)"', page)
    assert link
    got = await browser.get(html.unescape(link[1]))
    assert got.headers["location"] == address
    assert '<html lang="pt-BR">' in (await browser.get(address)).text


async def test_the_language_of_a_page_is_chosen_there_and_the_setting_stays(house: House) -> None:
    ana = Asker("slack", "T1", "UA", "C1", locale="en-US")
    await house.dispatcher.answer("settings me language=en", ana)
    browser = await house.by_link(ana)
    await browser.get("/language?to=pt-BR&next=/")
    for address in ("/dash/market", "/ask?line=monitor", "/questions/savings?gpu=RTX+4090"):
        page = (await browser.get(address)).text
        assert '<html lang="pt-BR">' in page
        assert "Spot prices" not in read(page)
    assert "Preços spot" in read((await browser.get("/ask?line=monitor")).text)
    told = await house.dispatcher.answer("monitor", ana)
    async with house.dispatcher.query_context(ana) as query:
        assert query.own.language == "en"
    assert told.command.name == "monitor"


@pytest.mark.parametrize("address", ["/nowhere", "/gpu/NOPE", "/ask.csv?line=monitor&table=x", "/sign-out"])
async def test_a_refusal_is_in_the_chosen_language_with_a_way_back(house: House, address: str) -> None:
    browser = await house.demo()
    await browser.get("/language?to=pt-BR&next=/")
    got = await browser.get(address, headers={"Accept-Language": "en"})
    assert got.status_code in (404, 405)
    assert '<html lang="pt-BR">' in got.text
    assert 'href="/"' in got.text


async def test_programs_get_a_problem_where_browsers_get_a_page(house: House) -> None:
    browser = await house.demo()
    page, problem = await browser.get("/nowhere"), await browser.get("/nowhere", headers={"Accept": "*/*"})
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "there is no such page" in read(page.text)
    assert (problem.status_code, problem.headers["content-type"]) == (404, "application/problem+json")
    for address in ("/api/nowhere", "/api/spot/monitor"):
        assert (await browser.get(address)).headers["content-type"] == "application/problem+json"
    assert (await browser.get("/sign-out")).headers["allow"] == "POST"


async def test_pages_and_files_answer_head(house: House) -> None:
    browser = await house.demo()
    page = (await browser.get("/questions")).text
    files = re.findall(r'(?:src|href)="(/assets/[^"]+)"', page)
    for address in ("/dash/market", "/gpu/RTX%204090", "/questions", "/ask?line=monitor", "/events", files[0]):
        got, full = await browser.head(address), None
        assert (address, got.status_code, got.content) == (address, 200, b"")
        if address != "/events":
            full = await browser.get(address)
            assert got.headers["content-type"] == full.headers["content-type"]
    assert (await browser.head("/nowhere")).status_code == 404


# -- models


async def test_near_names_lead_to_the_model(house: House) -> None:
    browser = await house.demo()
    for near in ("4090", "rtx4090", "RTX_4090"):
        got = await browser.get(f"/gpu/{near}?days=7")
        assert (got.status_code, got.headers["location"]) == (303, "/gpu/RTX%204090?days=7")
    unknown = await browser.get("/gpu/RTX%204099")
    assert unknown.status_code == 404
    assert 'href="/gpu/RTX%204090"' in unknown.text
    assert "data-panel" not in unknown.text
    for family, models in (("RTX", ("RTX 4090", "RTX 3090")), ("h100", ("H100 SXM", "H100 PCIE"))):
        several = await browser.get(f"/gpu/{family}")
        assert several.status_code == 300
        for model in models:
            assert f'<a href="/gpu/{model.replace(" ", "%20")}">{model}</a>' in several.text
        assert "data-panel" not in several.text


async def test_a_model_without_polls_says_so_in_one_sentence(house: House) -> None:
    got = await (await house.demo()).get("/gpu/A10g")
    assert got.status_code == 200
    assert "A10g has never been polled here. These models were:" in read(got.text)
    assert 'href="/gpu/RTX%204090"' in got.text
    assert "data-panel" not in got.text


async def test_an_empty_store_is_told_of_once_on_each_page(empty: House) -> None:
    browser = await empty.demo()
    for page in PAGES:
        got = await browser.get(page.path.replace("{gpu}", "RTX%204090"))
        assert got.status_code == 200
        assert read(got.text).count("Nothing is stored yet; polling fills it.") == 1
        assert "Running it on the real market" in read(got.text)
        assert "trouble" not in got.text
    readme = Path(__file__).parents[2].joinpath("README.md").read_text()
    assert "## Running it on the real market" in readme


async def test_a_page_says_which_model_it_settled_on(house: House) -> None:
    browser = await house.demo()
    open_page = (await browser.get("/dash/market")).text
    model = re.search(r'<main [^>]*data-said="gpu=([^"]+)"', open_page)
    field = re.search(r'<input name="gpu" value="([^"]+)"', open_page)
    assert model
    assert field
    assert model[1].replace("+", " ") == field[1]
    for address in ("/dash/market?gpu=RTX+3090", "/gpu/RTX%204090", "/questions"):
        assert "data-said" not in (await browser.get(address)).text


async def test_pages_list_all_models(house: House) -> None:
    browser = await house.demo()
    for address, panel, line, rows in (
        ("/dash/market", "prices", "monitor", "price_trends"),
        ("/dash/reliability", "rates", "interruptions", "gpus"),
    ):
        told = (await browser.get("/ask.json", params={"line": line})).json()[rows]
        part = (await browser.get(address, params={"panel": panel})).text
        table = re.search(r"<tbody>(.*?)</tbody>", part, re.DOTALL)
        assert table
        assert table[1].count("<tr>") == len(told)
        assert f"line={line} 500&" in html.unescape(unquote(part)), (
            "the stored market has fewer models than a card shows"
        )
    assert 'name="scope"' not in (await browser.get("/dash/market")).text, "it would change one table alone"


async def test_a_limit_takes_the_least_interrupted(house: House) -> None:
    dispatcher = house.dispatcher
    command = dispatcher.command("interruptions")
    everything, two = await dispatcher.ask(command, {}), await dispatcher.ask(command, {"limit": "2"})
    assert len(everything.gpus) > 2
    assert two.gpus == everything.gpus[:2]
    assert (everything.limit, two.limit) == (None, 2)
    many = replace(two, gpus=everything.gpus * 20, limit=None)
    assert len(command.card(many, Words("en", NOW)).tables[0].rows) == 10
    assert len(command.card(replace(many, limit=500), Words("en", NOW)).tables[0].rows) == len(many.gpus)


async def test_a_part_that_all_share_is_packed(house: House) -> None:
    browser = await house.demo()
    async with browser.stream("GET", "/dash/market?panel=prices", headers={"Accept-Encoding": "gzip"}) as got:
        raw = b"".join([piece async for piece in got.aiter_raw()])
    assert got.headers["content-encoding"] == "gzip"
    assert "Accept-Encoding" in got.headers["vary"]
    plain = await browser.get("/dash/market?panel=prices", headers={"Accept-Encoding": "identity"})
    assert gzip.decompress(raw).decode() == plain.text
    assert len(raw) < len(plain.content) / 2
    page = await browser.get("/dash/market", headers={"Accept-Encoding": "gzip"})
    assert 'name="csrf"' in page.text or "content-encoding" not in page.headers
    assert "content-encoding" not in page.headers, "a page holds its visitor's secret"


async def test_a_card_without_files_speaks_of_none(house: House) -> None:
    browser = await house.demo()
    asked = form_to((await browser.get("/ask?line=alert+4090+%3C+0.35")).text, "/ask")
    made = (await asked.send(browser)).text
    assert "th point." in read(made)
    assert "the files have all" not in read(made)
    history = (await browser.get("/dash/market?panel=history&days=7")).text
    assert "the files have all" in read(history)
    assert '<p class="actions">' not in made


def test_what_is_told_is_translated() -> None:
    told = (
        dashboards.NEVER_POLLED, dashboards.NOTHING_STORED, dashboards.HOW_TO_POLL, site_module.NOT_ON_PAGES,
        site_module.NOT_BY_THIS_KEY, "this is more than you may ask in a minute; try again soon",
        "Nothing here yet", "There is no such model", "Which model?", "“{gpu}” may mean:", "there is no such page",
    )  # fmt: skip
    assert [text for text in told if text not in _catalogue("pt_BR")] == []
