"""A question costs one transaction, one reading of its line and few statements, whichever command it calls."""

from __future__ import annotations

import asyncio
import io
import shutil
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from rich.console import Console
from sqlalchemy import Engine, event

from analytics.market import DAY, HOUR, Scope
from bot.accounts import Asker
from bot.commands import COMMANDS
from bot.dispatch import reply as replies
from bot.dispatch import verbs
from bot.dispatch.dispatcher import AT_ONCE, Dispatcher
from bot.dispatch.reply import reply
from bot.faces.console.face import answer
from bot.faces.http.page import page
from bot.presentation.text import plain
from bot.presentation.words import Words
from bot.store.engine import open_store
from tests.fakes.endpoints import SITE, public_endpoints
from tests.fakes.stored import NAMES, NOW

MOST_STATEMENTS = 10
"""The last two are for the offers that answers end with."""

OF_STATUS = 9
"""It tells of polls, rows, the lease and, in two tables of their own, of probes."""

OF_HOME = 14
"""Five questions in one: eleven of its own beside the three that tell who asks; the offers are then remembered."""

OF_ALERTS = 17
"""Of what changes an alert or a webhook: place, limits, messages and the note of who did it are rows of their own, and
its replay counts offers."""

LEANING_ON_OTHERS = 10
"""Of ``reliability`` where its model had few interruptions: only their number says that all models must be read."""

BOSS = Asker("slack", "T1", "U1", role="manager")
EXAMPLES = [(command, example) for command in COMMANDS for example in command.examples]
ASKING = [example for command, example in EXAMPLES if not command.acts]
ACTING = [example for command, example in EXAMPLES if command.acts]


@dataclass(slots=True)
class Cost:
    """Statements by transaction, without those that begin it, and the lines that were read."""

    transactions: list[list[str]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def executed(self, conn: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if statement.startswith("BEGIN"):
            self.transactions.append([])
        else:
            self.transactions[-1].append(statement)

    def called(self, frame: FrameType, what: str, argument: Any) -> None:
        if what == "call" and frame.f_code is verbs.tokens.__code__:
            self.lines.append(frame.f_locals["line"])

    @property
    def statements(self) -> list[int]:
        return [len(statements) for statements in self.transactions]


@contextmanager
def measured() -> Iterator[Cost]:
    """What is done meanwhile, by every store of this process."""
    cost, before = Cost(), sys.getprofile()
    event.listen(Engine, "before_cursor_execute", cost.executed)
    sys.setprofile(cost.called)
    try:
        yield cost
    finally:
        sys.setprofile(before)
        event.remove(Engine, "before_cursor_execute", cost.executed)


@pytest.fixture
async def dispatcher(market_file: Path) -> AsyncIterator[Dispatcher]:
    """Reading only: no use is noted beside a question."""
    store = await open_store(f"sqlite:///{market_file}", writer=False)
    yield Dispatcher(store, COMMANDS, lambda: NOW + 60)
    await store.close()


@pytest.fixture
def own_file(market_file: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(market_file, tmp_path / "own.db"))


@pytest.fixture
async def chat(own_file: Path) -> AsyncIterator[Dispatcher]:
    """A dispatcher whose market can be written, where the boss has alerts; the use of their models is noted."""
    store = await open_store(f"sqlite:///{own_file}", writer=True)
    endpoints = public_endpoints()
    dispatcher = Dispatcher(store, COMMANDS, lambda: NOW + 60, endpoints=lambda: endpoints, site=lambda: SITE)
    scheduled = ("dashboard market here", "digest daily 09:00")
    for line in ("alert h100 sxm < 0.01", "alert 4090 < 0.01", "webhook add https://example.com/hook", *scheduled):
        assert (await reply(dispatcher, BOSS, line, default="en")).ok
    await store.settled()
    yield dispatcher
    await store.close()


@pytest.mark.parametrize("example", ASKING)
async def test_a_question_in_chat(chat: Dispatcher, example: str) -> None:
    chat.usage.clock = lambda: NOW  # noted already: no use is noted beside the question
    chat.usage._noted.update(dict.fromkeys(NAMES, NOW))
    with measured() as cost:
        said = await reply(chat, BOSS, example, default="en")
    assert said.ok
    assert len(cost.transactions) == 1
    most = {"status": OF_STATUS, "home": OF_HOME}.get(example.split()[0], MOST_STATEMENTS)
    assert cost.statements[0] <= most, cost.transactions
    assert cost.lines[0] == example
    again = cost.lines[1:]  # whether the line that asks it again is read as the same
    assert len(again) == len(set(again)) <= 2
    assert example not in again


@pytest.mark.parametrize("example", ACTING)
async def test_a_command_that_acts_reads_once_and_writes_once(chat: Dispatcher, example: str) -> None:
    with measured() as cost:
        assert (await reply(chat, BOSS, example, default="en")).ok
    assert len(cost.transactions) == 2
    owned = example.startswith(("alert", "webhook", "dashboard", "digest"))
    assert sum(cost.statements) <= (OF_ALERTS if owned else MOST_STATEMENTS), cost.transactions
    assert cost.lines == [example]


@pytest.mark.parametrize("line", ["montor", "predict", "predict RTX 4091", "fleet what", "settings team language=en"])
async def test_what_is_refused_costs_one_transaction_too(dispatcher: Dispatcher, line: str) -> None:
    with measured() as cost:
        refused = await reply(dispatcher, replace(BOSS, role="member"), line, default="en")
    assert not refused.ok
    assert len(cost.transactions) == 1
    asked_again = [action.line for action in refused.card.actions]  # each button was seen to be read as it is meant
    assert cost.lines[0] == line
    assert set(cost.lines[1:]) <= set(asked_again)


@pytest.mark.parametrize("example", [example for command, example in EXAMPLES if command.path and command.shared])
async def test_a_question_on_the_console(dispatcher: Dispatcher, example: str) -> None:
    out = Console(file=io.StringIO())
    with measured() as cost:
        assert await answer(dispatcher, example, language="en", as_json=False, out=out, err=out) == 0
    assert len(cost.transactions) == 1
    assert cost.lines == [example]


async def test_the_page_of_all_questions(dispatcher: Dispatcher) -> None:
    with measured() as cost:
        assert "<dd>" in await page(dispatcher, Words("en", NOW), require_key=False)
    assert cost.statements == [3]


@pytest.mark.parametrize("scope", ["verified", "all"])
async def test_models_last_polled_at_different_hours_are_read_together(own_file: Path, scope: str) -> None:
    with sqlite3.connect(own_file) as conn:
        conn.execute("UPDATE gpu SET last_good_at = last_good_at - 3600 * id")
        conn.execute(  # hours that are newer than any poll would be imported ones
            "DELETE FROM price_hour WHERE hour > (SELECT last_good_at / 3600 FROM gpu WHERE id = gpu_id)"
        )
    store = await open_store(f"sqlite:///{own_file}", writer=False)
    with measured() as cost:
        said = await reply(Dispatcher(store, COMMANDS, lambda: NOW), BOSS, f"monitor scope={scope}", default="en")
    assert len({row.as_of for row in said.answer.price_trends}) == len(NAMES)
    assert cost.statements == [7]
    await store.close()


async def test_the_hours_until_ends_of_their_own_are_those_of_each_model(dispatcher: Dispatcher) -> None:
    ends = {name: NOW // HOUR - 30 * n for n, name in enumerate(NAMES[:-1])}
    async with dispatcher.store.reader() as reader:
        for scope in Scope:
            found = await reader.hours_until({**ends, "RTX 4091": NOW // HOUR}, 24, scope=scope)
            assert set(found) == set(ends)
            for name, end in ends.items():
                assert found[name] == (await reader.hours([name], end - 24, end, scope=scope))[name]
        assert await reader.hours_until({}, 24) == {}


async def test_a_rate_that_leans_on_other_models_reads_them_too(own_file: Path) -> None:
    with sqlite3.connect(own_file) as conn:
        of_model = "gpu_id = (SELECT id FROM gpu WHERE name = 'RTX 4090')"
        for table in ("exposure_day", "exposure_hour"):
            conn.execute(f"UPDATE {table} SET outbid = 0, taken_or_down = 0, absent = 0 WHERE {of_model}")
        conn.execute(f"UPDATE exposure_day SET outbid = 1 WHERE {of_model} AND day = ?", (NOW // DAY - 3,))
    store = await open_store(f"sqlite:///{own_file}", writer=False)
    with measured() as cost:
        assert (await reply(Dispatcher(store, COMMANDS, lambda: NOW), BOSS, "reliability RTX 4090", default="en")).ok
    assert cost.statements == [LEANING_ON_OTHERS]
    await store.close()


async def _all_turns(dispatcher: Dispatcher, stack: AsyncExitStack) -> None:
    for _ in range(AT_ONCE):
        await stack.enter_async_context(dispatcher.turns.turn(replace(BOSS, team="T2").waiter))


@pytest.mark.parametrize(
    ("line", "heard"),
    [("montor", "Try: monitor"), ("settings team tz=UTC", "manager"), ("settings me tz=UTC", "Saved")],
)
async def test_what_computes_nothing_waits_for_no_turn(chat: Dispatcher, line: str, heard: str) -> None:
    async with AsyncExitStack() as stack, asyncio.timeout(10):
        await _all_turns(chat, stack)
        assert heard in plain((await reply(chat, replace(BOSS, role="member"), line, default="en")).card)


async def test_who_waits_for_a_turn_holds_no_connection(dispatcher: Dispatcher) -> None:
    async with AsyncExitStack() as stack:
        await _all_turns(dispatcher, stack)
        with measured() as cost:
            waiting = asyncio.create_task(reply(dispatcher, BOSS, "monitor", default="en"))
            await asyncio.sleep(0)
            async with dispatcher.query_context():
                pass
        assert len(cost.transactions) == 1
        assert not waiting.done()
    assert (await waiting).ok


async def test_who_waited_in_vain_is_told_so_in_their_language(
    chat: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await reply(chat, BOSS, "settings me language=pt-BR", default="en")).ok
    monkeypatch.setattr(replies, "PATIENCE", 0)
    async with AsyncExitStack() as stack:
        await _all_turns(chat, stack)
        said = await reply(chat, BOSS, "monitor", default="en")
    assert not said.ok
    assert said.words.language == "pt-BR"


@pytest.mark.parametrize("line", ["montor", "predict", "predict RTX 4091", "settings me language=fr"])
async def test_every_refusal_is_in_the_asker_s_language(chat: Dispatcher, line: str) -> None:
    assert (await reply(chat, BOSS, "settings me language=pt-BR", default="en")).ok
    assert (await reply(chat, BOSS, line, default="en")).words.language == "pt-BR"
