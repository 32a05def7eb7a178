"""Equal questions over HTTP are answered once a round; nobody gets what is another's, and nothing old."""

import asyncio
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from analytics.errors import NotFound
from analytics.evidence import Note
from bot.accounts import Asker, Preferences
from bot.dispatch.command import Command, Param, QueryContext
from bot.dispatch.dispatcher import AT_ONCE, Dispatcher
from bot.dispatch.shared_answers import MOST_ANSWERS, SHARED_SECONDS, SharedAnswers
from bot.fair_queue import FairQueue, Waiter
from tests.faces.conftest import no_card
from tests.fakes.slack import until


class Questions:
    """Commands that count how often they were asked, and wait to be let go on."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.go = asyncio.Event()
        self.go.set()
        self.begun = asyncio.Event()

    async def ask(self, query: QueryContext, *, gpus: tuple[str, ...] | None, note: str | None) -> dict[str, Any]:
        self.asked.append(note or "")
        self.begun.set()
        await self.go.wait()
        if note == "fault":
            raise ZeroDivisionError
        if note == "unknown":
            raise NotFound(Note("no such thing"))
        return {"gpus": gpus, "note": note, "at": query.now, "last": await query.reader.last_round_at()}

    def command(self, name: str = "count", *, acts: bool = False) -> Command:
        params = (Param("gpus", "gpus", "models"), Param("note", "text", "anything"))
        return Command(
            name, "Count", f"/api/spot/{name}", params, self.ask, no_card, (name,), method="POST" if acts else "GET"
        )


@pytest.fixture
async def questions(house):
    await house.polled()
    await house.polled(model="H100 SXM")
    asked = Questions()
    commands = (asked.command(), asked.command("other"), asked.command("act", acts=True))
    house.dispatcher = Dispatcher(house.dispatcher.store, commands, house.clock)
    return asked


@pytest.fixture
async def web(house, questions):
    async with house.client() as client:
        yield client


@asynccontextmanager
async def held(questions: Questions):
    """While this lasts, answers are being computed and do not come."""
    questions.go.clear()
    questions.begun.clear()
    try:
        yield
    finally:
        questions.go.set()


async def together(web, questions: Questions, path: str, n: int = 5) -> set[tuple[int, str]]:
    async with held(questions):
        asking = [asyncio.create_task(web.get(path)) for _ in range(n)]
        await questions.begun.wait()
    return {(answer.status_code, answer.text) for answer in await asyncio.gather(*asking)}


async def test_equal_questions_at_once_are_computed_once(web, questions):
    answers = await together(web, questions, "/api/spot/count?note=x&gpus=4090")
    assert [status for status, _ in answers] == [200]
    assert questions.asked == ["x"]
    await web.get("/api/spot/count?gpus=4090&note=x")
    assert questions.asked == ["x"]


async def test_what_the_answer_depends_on_is_asked_anew(web, questions):
    for path in ("count", "count?note=x", "count?note=y", "count?note=x&gpus=4090", "count?note=x&gpus=h100", "other"):
        await web.get(f"/api/spot/{path}")
    assert len(questions.asked) == 6


async def test_a_stored_round_or_five_seconds_end_it(house, web, questions):
    first = (await web.get("/api/spot/count")).json()
    house.clock.now += SHARED_SECONDS - 1
    assert (await web.get("/api/spot/count")).json() == first
    house.clock.now += 1
    second = (await web.get("/api/spot/count")).json()
    assert second["at"] == house.clock.now
    house.clock.now += 1
    await house.polled(0.41)
    third = (await web.get("/api/spot/count")).json()
    assert (third["at"], third["last"]) == (house.clock.now, house.clock.now)
    assert len(questions.asked) == 3


async def test_a_clock_that_was_set_back_ends_it(house, web, questions):
    await web.get("/api/spot/count")
    house.clock.now -= 3600
    assert (await web.get("/api/spot/count")).json()["at"] == house.clock.now


@pytest.mark.parametrize(("note", "status"), [("unknown", 404), ("fault", 500)])
async def test_an_error_is_told_to_those_who_wait_for_it_and_not_kept(web, questions, note, status):
    assert {found for found, _ in await together(web, questions, f"/api/spot/count?note={note}")} == {status}
    assert questions.asked == [note]
    assert (await web.get(f"/api/spot/count?note={note}")).status_code == status
    assert questions.asked == [note, note]


async def test_what_acts_is_done_as_often_as_it_is_asked(web, questions):
    for _ in range(2):
        assert (await web.post("/api/spot/act", json={"gpus": ["H100 SXM"]})).json()["gpus"] == ["H100 SXM"]
    assert questions.asked == ["", ""]


async def test_somebodys_wishes_stay_out_of_what_others_are_told(house, web, questions):
    ana = Asker("slack", "T1", "U1")
    async with house.dispatcher.store.writer() as writer:
        await writer.save_preferences(ana.platform, ana.team, ana.person, Preferences(gpus=("H100 SXM",)))
    command = replace(house.dispatcher.command("count"), role="member")
    assert (await web.get("/api/spot/count")).json()["gpus"] is None
    assert (await house.dispatcher.ask(command, {}, ana))["gpus"] == ("H100 SXM",)
    assert (await web.get("/api/spot/count")).json()["gpus"] is None


async def test_one_who_gives_up_does_not_take_the_answer_from_the_others(house, questions):
    shared = SharedAnswers(house.dispatcher)

    async def compute() -> bytes:
        questions.begun.set()
        await questions.go.wait()
        return b"answer"

    async with held(questions):
        first, second = (asyncio.create_task(shared.get("x", compute)) for _ in range(2))
        await questions.begun.wait()
        first.cancel()
        await asyncio.wait([first])
    assert first.cancelled()
    assert await second == b"answer"


async def test_only_so_many_answers_are_remembered(house, questions):
    shared, computed = SharedAnswers(house.dispatcher), []
    for n in [*range(MOST_ANSWERS + 1), MOST_ANSWERS, 1, 0]:

        async def compute(n: int = n) -> bytes:
            computed.append(n)
            return b"answer"

        await shared.get(n, compute)
    assert computed == [*range(MOST_ANSWERS + 1), 0]


async def test_the_page_of_one_language_is_not_given_to_readers_of_another(house, web):
    english = (await web.get("/")).text
    assert (await web.get("/")).text == english
    portuguese = (await web.get("/", headers={"Accept-Language": "pt-BR"})).text
    assert '<html lang="pt-BR">' in portuguese


class Watched(FairQueue):
    """The queue of turns, and who came to it."""

    def __init__(self) -> None:
        super().__init__(AT_ONCE)
        self.came: list[Waiter] = []

    def turn(self, waiter: Waiter) -> AbstractAsyncContextManager[None]:
        self.came.append(waiter)
        return super().turn(waiter)


async def test_a_key_behind_many_questions_of_another_is_among_the_next(house, questions):
    busy, other = await house.key(), await house.key()
    house.dispatcher.turns = queue = Watched()
    async with house.client(busy) as web, held(questions):
        many = [asyncio.create_task(web.get(f"/api/spot/count?note={n}")) for n in range(30)]
        await until(lambda: len(queue.came) == 30)
        headers = {"Authorization": f"Bearer {other}"}
        one = asyncio.create_task(web.get("/api/spot/other?note=one", headers=headers))
        await until(lambda: len(queue.came) == 31)
        questions.go.set()
        assert (await one).json()["note"] == "one"
        await asyncio.gather(*many)
    assert questions.asked.index("one") <= AT_ONCE + 1
    assert len(set(queue.came)) == 2
