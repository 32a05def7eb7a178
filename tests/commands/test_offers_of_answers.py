"""Every answer that names a model ends with its best offers: one price beside the monitor's, lines that do no harm."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analytics.evidence import plain
from analytics.market import Offer, Quality
from bot.commands import COMMANDS
from bot.commands.offers_now import each_model, found_offers
from bot.dispatch.command import Command
from bot.dispatch.dispatcher import Dispatcher
from bot.faces.discord.embeds import message as discord_message
from bot.faces.http.openapi import document
from bot.faces.slack.blocks import message as slack_message
from bot.faces.slack.blocks import sheet
from bot.polling.rounds import Collector
from bot.presentation.card import Card
from bot.presentation.text import without_empty_columns
from bot.presentation.words import Words
from bot.store.engine import open_store
from tests.fakes.markets import offer, poll
from tests.fakes.slack_blocks import markup, wrong_with
from tests.fakes.stored import NOW

ABOUT = [command for command in COMMANDS if command.path and command.shared and command.name != "status"]
GPU = {param.name for command in ABOUT for param in command.params if param.kind in ("gpu", "gpus")}
ONE_MODEL = [command for command in ABOUT if command.name not in ("llm", "fleet", "cost")]
OF_MACHINES = ("llm 7B", "cost llama2-7b", "fleet training $300")


def shown(command: Command, answer: Any, language: str = "en", at: int = NOW + 60) -> Card:
    return command.card(answer, Words(language, at))


def later(dispatcher: Dispatcher, seconds: int) -> Dispatcher:
    now = dispatcher.clock() + seconds
    return Dispatcher(dispatcher.store, COMMANDS, lambda: now)


@pytest.mark.parametrize("model", ["RTX 4090", "A100 SXM4 80GB", "H100 SXM"])
@pytest.mark.parametrize("command", ONE_MODEL, ids=lambda command: command.name)
async def test_answers_about_a_model_end_with_offers_at_the_monitors_floor(
    dispatcher: Dispatcher, command: Command, model: str
) -> None:
    [trend] = (await dispatcher.ask_line(f"monitor {model}"))[1].price_trends
    [param] = [param.name for param in command.params if param.name in GPU]
    answer = await dispatcher.ask(command, {param: model})
    assert [key for key in plain(answer) if key != "limit"][-2:] == ["offers_now", "evidence"]
    first = answer.offers_now[0]
    assert first.spot_price == trend.floor_price
    assert first.as_of == trend.as_of
    assert 1 <= len(answer.offers_now) <= 3
    assert {one.gpu_name for one in answer.offers_now} == {model}
    card = shown(command, answer)
    assert card.commands == (first.create_command, first.search_command)
    assert card.tables[-1].rows[0][0] == str(first.machine_id)


@pytest.mark.parametrize("line", OF_MACHINES)
async def test_answers_that_choose_machines_end_with_offers_of_these(dispatcher: Dispatcher, line: str) -> None:
    command, answer = await dispatcher.ask_line(line)
    assert list(plain(answer))[-2:] == ["offers_now", "evidence"]
    if command.name == "fleet":
        wanted = [(part.gpu_type, part.gpus_per_machine, part.region, part.market) for part in answer.composition]
        assert [(o.gpu_name, o.num_gpus, o.region) for o in answer.offers_now] == [some[:3] for some in wanted]
        assert all(
            o.market == "on-demand" for o, part in zip(answer.offers_now, wanted, strict=True) if "on-" in part[3]
        )
    else:
        best = (answer.recommendations if command.name == "llm" else answer.gpu_recommendations)[0]
        assert {(o.gpu_name, o.num_gpus) for o in answer.offers_now} == {(best.gpu_name, best.gpus)}
        floor = answer.offers_now[0].spot_price
        assert floor <= best.price_per_hour / best.gpus + 1e-4
    for line_of in shown(command, answer).commands:
        assert shlex.split(line_of)[0] == "vastai"


async def test_a_board_of_all_models_names_none(dispatcher: Dispatcher) -> None:
    for line in ("monitor", "interruptions"):
        command, answer = await dispatcher.ask_line(line)
        assert answer.offers_now is None
        assert "offers_now" not in plain(answer)
        assert shown(command, answer).commands == ()


async def test_of_several_models_there_is_the_best_offer_of_each(dispatcher: Dispatcher) -> None:
    _, answer = await dispatcher.ask_line("monitor 4090,3090")
    floors = {trend.gpu_name: trend.floor_price for trend in answer.price_trends}
    assert {offer.gpu_name: offer.spot_price for offer in answer.offers_now} == floors


async def test_old_offers_are_marked_in_both_languages(dispatcher: Dispatcher) -> None:
    async with dispatcher.query_context() as query:
        every = next(row.interval for row in await query.reader.models() if row.name == "RTX 4090")
    for ago, old in ((60, False), (2 * every, False), (2 * every + 1, True)):
        late = later(dispatcher, ago - 60)
        for language, mark in (("en", "(old)"), ("pt-BR", "(antiga)")):
            command, answer = await late.ask_line("monitor 4090")
            card = shown(command, answer, language, late.clock())
            assert {one.old for one in answer.offers_now} == {old}
            assert all((mark in row[2]) is old for row in card.tables[-1].rows)
            first = answer.offers_now[0]
            assert card.commands == ((first.search_command,) if old else (first.create_command, first.search_command))


async def test_of_several_models_each_is_searched_for(dispatcher: Dispatcher) -> None:
    for line in ("monitor 4090,3090", "fleet training $300"):
        command, answer = await dispatcher.ask_line(line)
        found = [offer.search_command for offer in answer.offers_now[:3]]
        assert shown(command, answer).commands == (answer.offers_now[0].create_command, *dict.fromkeys(found))


async def test_parts_of_a_fleet_of_one_model_are_each_searched_for(dispatcher: Dispatcher) -> None:
    command, answer = await dispatcher.ask_line("fleet training $300")
    _, other = await dispatcher.ask_line("monitor 4090")
    first = other.offers_now[0]
    parts = (first, replace(first, search_command="vastai search offers other"))
    assert len(shown(command, replace(answer, offers_now=parts)).commands) == 3
    assert len(shown(dispatcher.command("monitor"), replace(other, offers_now=parts)).commands) == 2


async def test_every_schema_of_an_answer_with_offers_shows_them() -> None:
    made = document(COMMANDS, "1", require_key=False)
    schemas = made["components"]["schemas"]
    for command in ABOUT:
        answer = made["paths"][command.path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        schema = schemas[answer["$ref"].rpartition("/")[2]]
        assert "offers_now" in schema["properties"], command.name
        assert "offers_now" not in schema["required"]
    assert {"machine_id", "search_command", "create_command", "old"} <= set(schemas["OfferNow"]["required"])


HOSTILE = ("RTX'; rm -rf / #", "```<!channel>`", '$(id) "x" <@U1>', "<!channel>|*b*", "a\\b && c")


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[Dispatcher]:
    """A market of one poll of models that are named to do harm, one of them unverified, one with nothing free."""
    store = await open_store(f"sqlite:///{tmp_path / 'small.db'}", writer=True)
    polls = [
        poll(NOW, offer(n, model=name, offer_id=90 + n, gpu_ids=()), model=name, every=300)
        for n, name in enumerate(HOSTILE, 1)
    ]
    polls.append(poll(NOW, offer(50, model="L40S", verified=False), model="L40S"))
    polls.append(poll(NOW, model="RTX 3090"))
    polls.append(poll(NOW, offer(60, 400_000, model="RTX A6000", offer_id=7), model="RTX A6000"))
    await Collector(store, source="test").record(NOW, polls)
    yield Dispatcher(store, COMMANDS, lambda: NOW + 60)
    await store.close()


async def test_hostile_names_do_no_harm_in_a_shell_or_a_chat(small: Dispatcher) -> None:
    models = {row.gpu_name: row for row in (await small.ask_line("monitor"))[1].price_trends}
    assert set(HOSTILE) <= set(models)
    command = small.command("monitor")
    _, board = await small.ask_line("monitor A6000")
    for name in HOSTILE:
        offers = await _offers(small, name)
        card = shown(command, replace(board, price_trends=(models[name],), offers_now=offers))
        assert len(card.commands) == 2
        for line in card.commands:
            words = shlex.split(line)
            assert words[0] == "vastai"
            assert not {"rm", "&&", "id", "|"} & set(words)
        body = slack_message(sheet(card, Words("en", NOW)))
        assert markup(body) == []
        assert wrong_with(body["blocks"], 50) == ""
        fenced = discord_message(card, Words("en", NOW)).embeds[0].description or ""
        assert fenced.count("```") % 2 == 0
        outside = "".join(fenced.split("```")[::2])
        assert not re.search(r"(?<!\\)[<`]", outside)


async def _offers(small: Dispatcher, name: str) -> Any:
    async with small.query_context() as query:
        return await found_offers(query, each_model([name]))


async def test_what_is_not_verified_or_not_free_is_not_proposed_and_that_is_said(small: Dispatcher) -> None:
    said = {"en": "Nothing that fits was rentable", "pt-BR": "Nada que sirva podia ser alugado"}
    for line in ("monitor L40S", "availability 3090"):
        command, answer = await small.ask_line(line)
        assert answer.offers_now == ()
        assert plain(answer)["offers_now"] == []
        for language, text in said.items():
            card = shown(command, answer, language)
            assert card.notes[0].startswith(text)
            assert card.commands == ()


async def test_where_on_demand_costs_no_more_the_line_makes_no_bid(small: Dispatcher) -> None:
    command, answer = await small.ask_line("monitor A6000")
    create, search = shown(command, answer).commands
    assert create == "vastai create instance 7 --image IMAGE --disk 50"
    assert " -t on-demand " in search
    table = shown(command, answer).tables[-1]
    assert "on demand costs no more here" in table.caption
    assert table.rows[0][3] == "$0.400 (on demand)"


@contextlib.asynccontextmanager
async def market(folder: Path, *offers: Offer) -> AsyncIterator[Dispatcher]:
    """A market of one poll of one model, a minute later."""
    store = await open_store(f"sqlite:///{folder / 'one.db'}", writer=True)
    await Collector(store, source="test").record(NOW, [poll(NOW, *offers)])
    yield Dispatcher(store, COMMANDS, lambda: NOW + 60)
    await store.close()


@pytest.mark.parametrize(("storage", "told"), [(None, False), (144_000, True)])
async def test_all_in_is_explained_where_there_is_such_a_price(tmp_path: Path, storage: int | None, told: bool) -> None:
    async with market(tmp_path, offer(62, offer_id=8, storage_cost=storage), offer(63, 350_000)) as one:
        command, answer = await one.ask_line("monitor 4090")
    for language, start, text in (("en", "Cheapest", "all-in"), ("pt-BR", "Mais baratas", "total")):
        card = without_empty_columns(shown(command, answer, language))
        table = card.tables[-1]
        assert table.caption.startswith(start)
        assert (f"{text}:" in table.caption) is told
        assert (text in [column.title for column in table.columns]) is told
        assert "IMAGE" in card.commands[0]
        assert not any("IMAGE" in note for note in card.notes)


ENDS = {
    "en": "The first of these ends 2026-09-21 14:40 UTC, before the ",
    "pt-BR": "A primeira destas termina em 2026-09-21 14:40 UTC, antes de decorrido o tempo que isto leva (",
}


@pytest.mark.parametrize(("lasts", "machines", "said"), [(True, [71, 70], False), (False, [70, 71], True)])
async def test_a_machine_that_ends_before_the_training_is_done_comes_last_or_that_is_said(
    tmp_path: Path, lasts: bool, machines: list[int], said: bool
) -> None:
    ends = NOW + 40 * 60
    cheap = offer(70, 100_000, offer_id=70, end_date=ends)
    async with market(tmp_path, cheap, offer(71, 200_000, offer_id=71, end_date=None if lasts else ends)) as one:
        command, answer = await one.ask_line("cost llama2-7b gpu=4090 method=qlora gpus=1")
        _, saved = await one.ask_line("savings 4090 hours=100")
    assert [one.machine_id for one in answer.offers_now] == machines
    assert [one.machine_id for one in saved.offers_now] == [70, 71]  # savings begins at the floor
    for language, text in ENDS.items():
        words = Words(language, NOW)
        first = shown(command, answer, language).notes[0]
        assert (f"{text}{words.hours(answer.estimated_hours)}" in first) is said


async def test_of_a_cut_off_poll_nothing_is_proposed(small: Dispatcher) -> None:
    cut = poll(NOW + 300, offer(61, 100_000, model="RTX A6000"), model="RTX A6000", quality=Quality.CAPPED)
    await Collector(small.store, source="test").record(NOW + 300, [cut])
    _, answer = await later(small, 300).ask_line("monitor A6000")
    assert [one.machine_id for one in answer.offers_now] == [60]
