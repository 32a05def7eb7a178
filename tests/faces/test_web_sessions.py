"""How long somebody is signed in to the pages, and what ends that."""

from __future__ import annotations

import asyncio
import random
from dataclasses import asdict
from typing import Any

import pytest
from sqlalchemy import func, select

from bot.accounts import Asker
from bot.store.browser_sessions import MOST_SESSIONS, browser_session, sign_in_link
from bot.store.engine import Store, open_store
from tests.faces.conftest import House
from tests.faces.web_house import ANA, BEN, WebHouse, token_of
from tests.fakes.rounds import entry

HOUR = 3600


@pytest.fixture
async def web(sqlite_tables):
    store = await open_store(sqlite_tables, writer=True)
    yield WebHouse(store)
    await store.close()


async def counts(store: Store) -> tuple[int, int]:
    """Links and sessions that are stored."""
    async with store._site.read.connect() as conn:
        links, sessions = [
            await conn.scalar(select(func.count()).select_from(table)) for table in (sign_in_link, browser_session)
        ]
    return int(links or 0), int(sessions or 0)


async def used_at(web: WebHouse) -> int:
    await web.store.settled()
    async with web.store._site.read.connect() as conn:
        return int(await conn.scalar(select(browser_session.c.used_at)) or 0)


async def test_a_session_ends_two_hours_after_its_last_use(web: WebHouse) -> None:
    browser = await web.signed_in()
    for passed in (2 * HOUR - 1, 2 * HOUR - 1):
        web.clock.now += passed
        assert await web.who(browser) is not None
    web.clock.now += 2 * HOUR
    assert await web.who(browser) is None


async def test_a_session_ends_after_twelve_hours_of_use(web: WebHouse) -> None:
    browser = await web.signed_in()
    for _ in range(11):
        web.clock.now += HOUR
        assert await web.who(browser) is not None
    last = await browser.get("/who")
    web.clock.now += HOUR - 1
    last = await browser.get("/who")
    assert last.json() is not None
    web.clock.now += 1
    assert await web.who(browser) is None


async def test_use_is_noted_once_a_minute_at_most(web: WebHouse) -> None:
    began = web.clock.now
    browser = await web.signed_in()
    noted = []
    for _ in range(6):
        web.clock.now += 25
        await asyncio.gather(*(web.who(browser) for _ in range(3)))
        noted.append(await used_at(web) - began)
    assert noted == [0, 0, 75, 75, 75, 150]
    web.clock.now += 59
    assert await web.who(browser) is not None
    assert not web.store._background
    web.clock.now += 1
    async with web.store.writer():  # notes wait for their turn; so many requests meanwhile make one
        await asyncio.gather(*(web.who(browser) for _ in range(3)))
        assert len(web.store._background) == 1


async def test_a_token_is_replaced_each_hour_and_good_for_a_minute_more(store: Store) -> None:
    web = WebHouse(store)
    browser = await web.signed_in()
    old, csrf = token_of(browser), (await web.who(browser))["csrf"]
    web.clock.now += HOUR - 1
    assert "set-cookie" not in (await browser.get("/who")).headers
    web.clock.now += 1
    answer = await browser.get("/who")
    assert "Max-Age=39600" in answer.headers["set-cookie"]  # as long as the session goes on
    new = token_of(browser)
    assert new != old
    behind = web.browser()
    behind.cookies.set("__Host-spotbot", old)
    web.clock.now += 59
    answer = await behind.get("/who")
    assert (answer.json()["csrf"], "set-cookie" in answer.headers) == (csrf, False)
    web.clock.now += 1
    assert await web.who(behind) is None
    assert (await web.who(browser))["csrf"] == csrf  # forms that were open can still be sent


async def test_requests_at_once_replace_a_token_once_and_none_is_signed_out(store: Store) -> None:
    web = WebHouse(store)
    browser = await web.signed_in()
    token = token_of(browser)
    web.clock.now += HOUR
    apart = [web.browser() for _ in range(6)]
    for one in apart:
        one.cookies.set("__Host-spotbot", token)
    answers = await asyncio.gather(*(one.get("/who") for one in apart))
    assert all(answer.json()["person"] == "U1" for answer in answers)
    assert sum("set-cookie" in answer.headers for answer in answers) == 1


async def test_a_refusal_carries_the_new_token_too(web: WebHouse) -> None:
    browser = await web.signed_in()
    old = token_of(browser)
    web.clock.now += HOUR
    refused = await browser.post("/act", data={"csrf": "wrong"})
    assert (refused.status_code, token_of(browser) != old) == (403, True)
    web.clock.now += 61
    assert await web.who(browser) is not None


async def test_signing_out_ends_the_session_and_needs_its_secret(web: WebHouse) -> None:
    browser, other = await web.signed_in(), await web.signed_in()
    old = token_of(browser)
    web.clock.now += HOUR
    csrf = (await web.who(browser))["csrf"]
    assert (await browser.post("/sign-out", data={"csrf": "wrong"})).status_code == 403
    assert await web.who(browser) is not None
    new = token_of(browser)
    done = await browser.post("/sign-out", data={"csrf": csrf})
    assert (done.status_code, done.headers["location"]) == (303, "/sign-in")
    assert token_of(browser) == ""
    for token in (old, new):
        browser.cookies.set("__Host-spotbot", token)
        assert await web.who(browser) is None
        browser.cookies.clear()
    assert await web.who(other) is not None
    assert (await browser.post("/sign-out")).status_code == 303


async def test_signing_in_anew_ends_the_session_before(web: WebHouse) -> None:
    browser = await web.signed_in(ANA)
    first = token_of(browser)
    await browser.post("/sign-in/link", data={"token": await web.link(BEN)})
    second = token_of(browser)
    assert (await web.who(browser))["person"] == BEN.person
    assert not set(first.split(".")) & set(second.split("."))
    secret, _ = await web.key()
    await browser.post("/sign-in", data={"key": secret})
    assert (await web.who(browser))["platform"] == "web"
    assert await counts(web.store) == (0, 1)


async def test_a_person_has_so_many_sessions_and_the_oldest_give_way(store: Store) -> None:
    web = WebHouse(store)
    other = await web.signed_in(BEN)
    browsers = [await web.signed_in() for _ in range(MOST_SESSIONS + 2)]
    assert [await web.who(one) is None for one in browsers] == [True] * 2 + [False] * MOST_SESSIONS
    assert await web.who(other) is not None


async def test_who_is_forgotten_is_signed_out_and_nobody_else(store: Store) -> None:
    web = WebHouse(store)
    colleague = Asker("slack", "T1", "U2")
    same_id = Asker("discord", "T1", "U1")
    ana, others = await web.signed_in(), [await web.signed_in(one) for one in (BEN, colleague, same_id)]
    link, theirs = await web.link(), await web.link(colleague)
    await web.dispatcher.answer("settings forget", ANA)
    assert await web.who(ana) is None
    assert (await web.browser().post("/sign-in/link", data={"token": link})).status_code == 410
    assert all([await web.who(one) is not None for one in others])
    assert (await web.browser().post("/sign-in/link", data={"token": theirs})).status_code == 303


async def test_a_team_that_leaves_is_signed_out_with_its_keys(store: Store) -> None:
    from bot.store.api_keys import KeyOwner

    web = WebHouse(store)
    secret, _ = await web.key(("alerts",), KeyOwner("slack", "T1", "C1"))
    other_secret, _ = await web.key(("alerts",), KeyOwner("slack", "T2", "C1"))
    gone, kept = [await web.signed_in(), web.browser()], [await web.signed_in(BEN), web.browser()]
    await gone[1].post("/sign-in", data={"key": secret})
    await kept[1].post("/sign-in", data={"key": other_secret})
    link, other = await web.link(), await web.link(BEN)
    async with store.writer() as writer:
        await writer.forget_team("slack", "T1")
    assert [await web.who(one) is None for one in (*gone, *kept)] == [True, True, False, False]
    codes = [(await web.browser().post("/sign-in/link", data={"token": one})).status_code for one in (link, other)]
    assert codes == [410, 303]


async def test_what_ended_days_ago_is_removed(store: Store) -> None:
    web = WebHouse(store)
    await web.signed_in()
    await web.link()
    web.clock.now += 3 * 86_400
    browser = await web.signed_in()
    await web.link()
    assert await counts(store) == (1, 2)
    await web.link(BEN)
    async with store.writer() as writer:
        await writer.save_round(web.clock.now, [entry(web.clock.now)])
        removed = await writer.prune(web.clock.now)
    assert (removed["browser_session"], removed["sign_in_link"]) == (1, 0)
    assert await web.who(browser) is not None


class Walk:
    """Two teams at their browsers, at random, beside what each browser may at most be."""

    def __init__(self, web: WebHouse, seed: int) -> None:
        self.web, self.random = web, random.Random(seed)
        self.browsers = [web.browser() for _ in range(4)]
        self.is_of: list[Asker | None] = [None] * 4
        self.began, self.used = [0] * 4, [0] * 4
        self.links: list[tuple[str, Asker, int]] = []
        self.spent: list[str] = []
        self.tokens: list[tuple[str, Asker, int]] = []
        self.alerts: dict[str, set[str]] = {"slack": set(), "discord": set()}

    async def step(self) -> None:
        which = self.random.randrange(len(self.browsers))
        acts = (self.ask, self.ask, self.link, self.use, self.reuse, self.alert, self.out, self.steal, self.wait)
        await self.random.choice(acts)(which)
        await self.check(which)

    async def ask(self, n: int) -> None:
        """Only see who one is: every step does."""

    async def link(self, n: int) -> None:
        asker = self.random.choice((ANA, BEN))
        self.spent += [token for token, whose, _ in self.links if whose == asker]
        self.links = [one for one in self.links if one[1] != asker]
        self.links.append((await self.web.link(asker), asker, self.web.clock.now + 600))

    async def use(self, n: int) -> None:
        if not self.links:
            return
        token, asker, until = self.links.pop(self.random.randrange(len(self.links)))
        self.spent.append(token)
        good = until > self.web.clock.now
        done = await self.browsers[n].post("/sign-in/link", data={"token": token})
        assert done.status_code == (303 if good else 410)
        if good:
            self.is_of[n], self.began[n], self.used[n] = asker, self.web.clock.now, self.web.clock.now

    async def reuse(self, n: int) -> None:
        made_up = "".join(self.random.choices("0123456789abcdef", k=64))
        token = self.random.choice([*self.spent, made_up, token_of(self.browsers[n])])
        assert (await self.browsers[n].post("/sign-in/link", data={"token": token})).status_code == 410

    async def alert(self, n: int) -> None:
        """Add one as the page would: in the name of whom the session says."""
        who = await self.who(n)
        if who is not None:
            called = None if who["mentionable"] is None else tuple(who["mentionable"])
            asker = Asker(**{name: who[name] for name in asdict(ANA)} | {"mentionable": called})
            price = f"0.{self.random.randrange(10, 99)}"
            made = await self.web.dispatcher.answer(f"alert 4090 < {price}", asker)
            self.alerts[asker.platform].add(made.answer.id)

    async def out(self, n: int) -> None:
        who = await self.who(n)
        if who is not None:
            self.tokens.append((token_of(self.browsers[n]), ANA, -1))
            assert (await self.browsers[n].post("/sign-out", data={"csrf": who["csrf"]})).status_code == 303
            self.is_of[n] = None

    async def steal(self, n: int) -> None:
        """Ended tokens, and secrets of one session with the seed of another, are nobody."""
        seeds = [token_of(one).split(".") for one in self.browsers if token_of(one)]
        mixed = [f"{a[0]}.{b[1]}" for a in seeds for b in seeds if a != b]
        for token in [*mixed[:3], *(token for token, _, _ in self.tokens[-3:])]:
            thief = self.web.browser()
            thief.cookies.set("__Host-spotbot", token)
            assert await self.web.who(thief) is None

    async def wait(self, n: int) -> None:
        self.web.clock.now += self.random.choice((1, 30, 61, 599, 601, HOUR, HOUR + 61, 2 * HOUR + 1))

    async def who(self, n: int) -> Any:
        found = await self.web.who(self.browsers[n])
        if found is not None:
            self.used[n] = self.web.clock.now
        return found

    async def check(self, n: int) -> None:
        """Nobody but whom the browser signed in as, who is there as long as they surely are."""
        asker, now = self.is_of[n], self.web.clock.now
        age, idle = now - self.began[n], now - self.used[n]
        found = await self.who(n)
        await self.web.store.settled()
        if found is not None:
            assert asker is not None
            assert (found["platform"], found["team"], found["person"]) == (asker.platform, asker.team, asker.person)
            assert (age < 12 * HOUR, idle < 2 * HOUR) == (True, True)
        elif asker is not None:
            assert age >= 12 * HOUR or idle >= 2 * HOUR - 60  # its use is noted once a minute
            self.is_of[n] = None

    async def check_alerts(self) -> None:
        for asker in (ANA, BEN):
            listed = await self.web.dispatcher.answer("alert list", asker)
            assert {one.id for one in listed.answer.alerts} == self.alerts[asker.platform]


@pytest.mark.parametrize("seed", range(6))
async def test_nobody_is_ever_taken_for_another(web: WebHouse, seed: int) -> None:
    await House(web.dispatcher, web.clock).polled()
    walk = Walk(web, seed)
    for _ in range(120):
        await walk.step()
    await walk.check_alerts()
    assert walk.spent
