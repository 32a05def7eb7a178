"""Signing in to the pages: by a link from chat, which is good once, or by an API key."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

import pytest
from sqlalchemy import select

from bot.accounts import Asker
from bot.dispatch.command import Command
from bot.faces.web.visitors import EVERYTHING
from bot.store import tables
from bot.store.api_keys import KeyOwner, digest
from bot.store.browser_sessions import LINK_S, sign_in_link
from bot.store.engine import Store, open_store
from tests.faces.web_house import ANA, BEN, WebHouse, token_of

OWNER = KeyOwner("slack", "T1", "C1")


@pytest.fixture
async def web(sqlite_tables):
    store = await open_store(sqlite_tables, writer=True)
    yield WebHouse(store)
    await store.close()


def as_json(asker: Asker) -> dict[str, object]:
    called = None if asker.mentionable is None else list(asker.mentionable)
    return {**asdict(asker), "mentionable": called, "groups": list(asker.groups)}


def said_by(who: dict[str, object]) -> dict[str, object]:
    return {name: who[name] for name in asdict(ANA)}


@pytest.mark.parametrize("asker", [ANA, BEN])
async def test_a_link_signs_in_whom_it_was_made_for(store: Store, asker: Asker) -> None:
    web = WebHouse(store)
    browser = await web.signed_in(asker)
    who = await web.who(browser)
    assert said_by(who) == as_json(asker)
    assert {"alert add", "webhook add", "settings me", "predict"} <= set(who["may"])
    assert "dashboard link" not in who["may"]  # a session would never end


async def test_a_link_is_shown_as_often_as_wished_and_used_once(web: WebHouse) -> None:
    token = await web.link()
    previews, browser = web.browser(headers={}), web.browser()
    for look in (previews.head, previews.get, previews.get, browser.get):
        shown = await look("/sign-in/link", params={"token": token})
        assert (shown.status_code, shown.headers.get("set-cookie")) == (200, None)
        assert (shown.headers["cache-control"], shown.headers["referrer-policy"]) == ("no-store", "same-origin")
    assert "You sign in as U1 of T1 (slack)." in shown.text
    assert f'name="token" value="{token}"' in shown.text
    done = await browser.post("/sign-in/link", data={"token": token})
    assert (done.status_code, done.headers["location"]) == (303, "/")
    again = web.browser()
    for answer in (
        await again.get("/sign-in/link", params={"token": token}),
        await again.post("/sign-in/link", data={"token": token}),
    ):
        assert answer.status_code == 410
        assert "This link was used or is too old." in answer.text
    assert await web.who(again) is None
    assert await web.who(browser) is not None


async def test_of_two_who_use_a_link_at_once_one_is_signed_in(store: Store) -> None:
    web = WebHouse(store)
    token = await web.link()
    browsers = [web.browser() for _ in range(5)]
    done = await asyncio.gather(*(browser.post("/sign-in/link", data={"token": token}) for browser in browsers))
    assert sorted(answer.status_code for answer in done) == [303, 410, 410, 410, 410]
    assert sum([await web.who(browser) is not None for browser in browsers]) == 1


async def test_two_processes_use_a_link_once(database_tables: str) -> None:
    """Each with connections of its own, so that the database alone decides."""
    stores = [await open_store(database_tables, writer=True, alone=False) for _ in range(2)]
    webs = [WebHouse(store) for store in stores]
    for _ in range(5):
        token = await webs[0].link()
        done = await asyncio.gather(*(web.browser().post("/sign-in/link", data={"token": token}) for web in webs))
        assert sorted(answer.status_code for answer in done) == [303, 410]
    for store in stores:
        await store.close()


async def test_a_link_is_good_for_ten_minutes_and_until_the_next_one(web: WebHouse) -> None:
    first, other = await web.link(), await web.link(BEN)
    second = await web.link()
    browser = web.browser()
    web.clock.now += LINK_S - 1
    assert (await browser.post("/sign-in/link", data={"token": first})).status_code == 410
    assert (await browser.post("/sign-in/link", data={"token": second})).status_code == 303
    web.clock.now += 1
    assert LINK_S == 600
    assert (await browser.get("/sign-in/link", params={"token": other})).status_code == 410
    assert (await browser.post("/sign-in/link", data={"token": other})).status_code == 410


async def test_nothing_else_is_a_link_or_a_session(web: WebHouse) -> None:
    link = await web.link()
    session = token_of(await web.signed_in(BEN))
    key, _ = await web.key()
    for token in ("", link[:-1], link + "0", link.upper(), digest(link).hex(), session, key, "\x00", "é", "x" * 9000):
        assert (await web.browser().post("/sign-in/link", data={"token": token})).status_code == 410
    seed, _, secret = session.partition(".")
    for value in (
        "",
        ".",
        seed,
        secret,
        f"{secret}.{seed}",
        f"{seed}.{seed}",
        session[:-1],
        digest(session).hex(),
        link,
    ):
        browser = web.browser()
        browser.cookies.set("__Host-spotbot", value)
        assert await web.who(browser) is None
    browser.cookies.clear()
    browser.cookies.set("spotbot", session)  # that any neighbouring site may set
    assert await web.who(browser) is None


async def test_only_hashes_of_secrets_are_stored(store: Store) -> None:
    web = WebHouse(store)
    waiting, session = await web.link(), token_of(await web.signed_in(BEN))
    async with store._site.read.connect() as conn:
        stored = [str(row) for t in tables.metadata.sorted_tables for row in await conn.execute(select(t))]
        assert [bytes(row) for row in await conn.scalars(select(sign_in_link.c.sha256))] == [digest(waiting)]
    assert any("U1" in row for row in stored)
    for secret in (waiting, session, *session.split(".")):
        assert not any(secret in row for row in stored)


@pytest.mark.parametrize("secure", [True, False])
async def test_the_cookie_is_for_this_site_alone(store: Store, secure: bool) -> None:
    web = WebHouse(store, secure=secure)
    done = await web.browser().post("/sign-in/link", data={"token": await web.link()})
    value, *attributes = done.headers["set-cookie"].split("; ")
    assert value.startswith("__Host-spotbot=" if secure else "spotbot=")
    assert attributes == ["Path=/", "Max-Age=43200", "HttpOnly", "SameSite=Lax", *(["Secure"] if secure else [])]


@pytest.mark.parametrize("scopes", [("read",), ("read", "alerts", "webhooks")])
async def test_a_key_without_an_owner_only_asks(web: WebHouse, scopes: tuple[str, ...]) -> None:
    secret, id_ = await web.key(scopes)
    browser = web.browser()
    done = await browser.post("/sign-in", data={"key": f" {secret}\n", "next": "/dash?gpu=4090"})
    assert (done.status_code, done.headers["location"]) == (303, "/dash?gpu=4090")
    who = await web.who(browser)
    assert (who["platform"], who["team"], who["person"], who["role"]) == ("web", f"key {id_}", "key", "member")
    assert "predict" in who["may"]
    assert not {"settings me", "alert add", "webhook add", "dashboard link"} & set(who["may"])


async def test_a_key_with_an_owner_does_what_it_may_over_http(web: WebHouse) -> None:
    secret, _ = await web.key(("read", "alerts"), OWNER)
    browser = web.browser()
    assert (await browser.post("/sign-in", data={"key": secret})).headers["location"] == "/"
    who = await web.who(browser)
    assert (who["platform"], who["team"], who["channel"], who["role"]) == ("slack", "T1", "C1", "manager")
    assert {"predict", "alert add", "alert list", "settings show"} <= set(who["may"])
    assert not {"webhook add", "settings me", "settings team", "dashboard link"} & set(who["may"])


async def test_a_link_in_chat_is_nothing_for_keys(web: WebHouse) -> None:
    owner = Asker("slack", "T1", "key:spot_abc", "C1", "manager")
    for asker in (None, owner):
        with pytest.raises(Exception, match="links are for people in chat"):
            await web.dispatcher.answer("dashboard link", asker)


async def test_a_revoked_key_is_signed_out_at_once(store: Store) -> None:
    web = WebHouse(store)
    one, two = await web.key(), await web.key(("read", "alerts"), OWNER)
    browsers = [web.browser(), web.browser()]
    for browser, (secret, _) in zip(browsers, (one, two), strict=True):
        await browser.post("/sign-in", data={"key": secret})
    async with store.writer() as writer:
        assert await writer.revoke_key(one[1], web.clock.now)
    assert [await web.who(browser) is None for browser in browsers] == [True, False]
    assert (await browsers[0].post("/sign-in", data={"key": one[0]})).status_code == 403


async def test_a_session_made_while_its_key_was_revoked_is_none(web: WebHouse) -> None:
    secret, id_ = await web.key()
    browser = web.browser()
    await browser.post("/sign-in", data={"key": secret})
    async with web.store.writer() as writer:
        await writer.revoke_key(id_, web.clock.now)
        await writer.browser_sessions.begin(token_of(browser), id_, web.clock.now)
    assert await web.who(browser) is None


async def test_ten_wrong_keys_a_minute_are_tried_and_no_more(web: WebHouse) -> None:
    secret, _ = await web.key()
    wrong, right = {"key": "spot_wrong"}, {"key": secret}
    browser, elsewhere = web.browser(), web.browser(address="192.0.2.2")
    for _ in range(15):  # right ones cost nothing
        assert (await browser.post("/sign-in", data=right)).status_code == 303
    assert (await browser.post("/sign-in", data=wrong)).status_code == 403
    web.clock.now += 30
    done = await asyncio.gather(*(browser.post("/sign-in", data=wrong) for _ in range(12)))
    assert sorted(answer.status_code for answer in done) == [403] * 9 + [429] * 3
    refused = await browser.post("/sign-in", data=wrong)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "30")
    assert "Too many tries from your address; try again in 30 s." in refused.text
    assert (await elsewhere.post("/sign-in", data=wrong)).status_code == 403
    assert (await browser.post("/sign-in", data=right)).status_code == 303, "others at an address must get in"
    web.clock.now += 30
    assert (await browser.post("/sign-in", data=wrong)).status_code == 403
    assert (await browser.post("/sign-in", data=wrong)).status_code == 429


async def test_addresses_of_one_ipv6_site_are_one(web: WebHouse) -> None:
    codes = []
    for address in [f"2001:db8::{n:x}" for n in range(11)] + ["2001:db8:0:1::1", "::ffff:192.0.2.9"]:
        codes.append((await web.browser(address=address).post("/sign-in", data={"key": "no"})).status_code)
    assert codes == [403] * 10 + [429, 403, 403]


@pytest.mark.parametrize(
    "goal",
    ["//evil.example", "/\\evil.example", "\\\\evil.example", "https://evil.example", "https:evil.example", "evil",
     "javascript:alert(1)", "/\t/evil.example", "/\n/evil.example", "/a\r\nSet-Cookie: a=b", "/\x00", " /a", "/ä", "",
     "/a b", "/\u2028", "/" + "a" * 3000],
)  # fmt: skip
async def test_nobody_is_led_to_another_site(web: WebHouse, goal: str) -> None:
    secret, _ = await web.key()
    browser = web.browser()
    shown = await browser.get("/sign-in", params={"next": goal})
    assert 'name="next" value="/"' in shown.text
    assert (await browser.post("/sign-in", data={"key": secret, "next": goal})).headers["location"] == "/"
    assert (await browser.get("/sign-in", params={"next": goal})).headers["location"] == "/"


@pytest.mark.parametrize("path", ["/sign-in", "/sign-in/link"])
async def test_a_form_of_another_site_signs_nobody_in(web: WebHouse, path: str) -> None:
    here = web.site
    said = [
        ({}, 403), ({"Origin": "null"}, 403), ({"Origin": "https://evil.example"}, 403), ({"Origin": "http://["}, 403),
        ({"Origin": f"{here}.evil.example"}, 403), ({"Origin": here, "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": here, "Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "null", "Sec-Fetch-Site": "same-origin"}, 303), ({"Origin": here}, 303),
    ]  # fmt: skip
    secret, _ = await web.key()
    for headers, status in said:
        fields = {"key": secret, "token": await web.link()}
        answer = await web.browser(headers=headers).post(path, data=fields)
        assert (headers, answer.status_code, "set-cookie" in answer.headers) == (headers, status, status == 303)


async def test_a_form_that_acts_carries_its_sessions_secret(web: WebHouse) -> None:
    ana, ben = await web.signed_in(ANA), await web.signed_in(BEN)
    mine, theirs = (await web.who(ana))["csrf"], (await web.who(ben))["csrf"]
    assert mine != theirs
    for csrf, status in ((mine, 200), (theirs, 403), ("", 403), (mine[:-1], 403), ("é", 403)):
        assert (await ana.post("/act", data={"csrf": csrf})).status_code == status
    for headers, status in (
        ({"Origin": "https://evil.example"}, 403), ({"Sec-Fetch-Site": "same-site"}, 403), ({"Origin": "null"}, 200),
    ):  # fmt: skip
        assert (await ana.post("/act", data={"csrf": mine}, headers=headers)).status_code == status


async def test_texts_are_no_markup_and_in_the_browsers_language(web: WebHouse) -> None:
    token = await web.link(Asker("slack", "T<b>", '"><script>'))
    browser = web.browser(headers={"Accept-Language": "pt-BR,pt;q=0.9"})
    shown = await browser.get("/sign-in/link", params={"token": token})
    assert "Você entra como &#34;&gt;&lt;script&gt; de T&lt;b&gt; (slack)." in shown.text
    assert "Chave de API" in (await browser.get("/sign-in", params={"next": '/"><b>'})).text
    assert "<b>" not in (await browser.get("/sign-in", params={"next": '/"><b>'})).text


def test_everything_of_the_pages_is_less_than_everything_of_chat() -> None:
    from bot.commands import COMMANDS

    def scopes(commands: tuple[Command, ...]) -> set[str]:
        return {command.scope for command in commands}

    assert scopes(COMMANDS) - EVERYTHING == {"sign-in"}
