"""The three questions about money, asked as people type them, on a market that one round stored."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

import bot.presentation.words
from analytics.errors import AskError, NotYet
from analytics.evidence import to_json
from analytics.market import HOUR, Offer
from bot.commands import cost, llm, savings
from bot.dispatch.dispatcher import Answered, Dispatcher
from bot.dispatch.reply import card_of
from bot.polling.rounds import Collector
from bot.presentation.words import Words
from bot.store.engine import Store, open_store
from tests.fakes.markets import offer, poll

COMMANDS = (llm.COMMAND, cost.COMMAND, savings.COMMAND)
AT = 1_795_437_600 // HOUR * HOUR
STEP = 900


def market(at: int) -> list[Offer]:
    """Three RTX 4090 of which the second is hired every eighth hour, and two machines with four."""
    singles = [offer(n, 280_000 + 10_000 * n, storage_cost=150_000) for n in range(3) if n != 1 or at // HOUR % 8]
    fours = [offer(n, 300_000, num_gpus=4, gpu_ids=tuple(range(4)), storage_cost=150_000) for n in (10, 11)]
    return [*singles, *fours]


@pytest.fixture
async def store(sqlite_tables: str) -> AsyncIterator[Store]:
    """An empty store; what differs between databases is tested with the store."""
    opened = await open_store(sqlite_tables, writer=True)
    yield opened
    await opened.close()


@pytest.fixture
async def dispatcher(store: Store) -> Dispatcher:
    """A store with a day of one model and one poll of two others."""
    collector = Collector(store)
    day = [(at, [poll(at, *market(at), every=STEP)]) for at in range(AT - 24 * HOUR, AT, STEP)]
    await collector.record_many(day, bands=False)
    others = [poll(AT, *market(AT), every=STEP)]
    for model, price, gpus in (("RTX 3090", 150_000, 1), ("H100 SXM", 1_900_000, 8)):
        some = [offer(n, price, model=model, num_gpus=gpus, gpu_ids=tuple(range(gpus))) for n in (20, 21)]
        others.append(poll(AT, *some, model=model, every=STEP))
    await collector.record(AT, others)
    return Dispatcher(store, COMMANDS, lambda: AT + 60)


async def answer(dispatcher: Dispatcher, line: str) -> dict:
    _, found = await dispatcher.ask_line(line)
    return json.loads(to_json(found))


async def test_a_size_gets_machines_with_their_value(dispatcher):
    found = await answer(dispatcher, "llm 7B")
    assert found["mode"] == "lora"
    assert {row["gpu_name"] for row in found["recommendations"]} == {"RTX 4090", "RTX 3090", "H100 SXM"}
    assert max(row["fit_score"] for row in found["recommendations"]) <= 1
    assert all(row["estimated_training_time_hours"] > 0 for row in found["recommendations"])
    assert found["training_tokens"] == 250_000_000
    assert "no amount of data was given" in str(found["evidence"]["caveats"])
    given = await answer(dispatcher, "llm 7B tokens=1e9")
    assert given["training_tokens"] == 1_000_000_000
    assert "no amount of data was given" not in str(given["evidence"]["caveats"])
    assert found["evidence"]["stale"] is False


@pytest.mark.parametrize(
    ("line", "gpus"),
    [
        ("llm 7B $0.25", {"RTX 3090"}),
        ("llm 7B 48GB", {"H100 SXM"}),
        ("llm 70B qlora gpus=4", {"RTX 4090"}),
        ("llm 13b inference", {"RTX 4090", "H100 SXM"}),
        ("llm 13b inference precision=int4", {"RTX 4090", "RTX 3090", "H100 SXM"}),
    ],
)
async def test_words_and_limits_are_understood(dispatcher, line, gpus):
    found = await answer(dispatcher, line)
    assert {row["gpu_name"] for row in found["recommendations"]} == gpus


async def test_a_name_tells_the_answer_how_its_weights_are_stored(dispatcher):
    found = await answer(dispatcher, "llm Qwen/Qwen2.5-72B-Instruct-AWQ inference")
    assert (found["model"], found["precision"], found["mode"]) == ("qwen2.5-72b", "int4", "inference")
    assert found["memory_need_gib"] == 40.6
    assumed = found["evidence"]["assumptions"]
    assert (assumed["weights"], assumed["bits_per_weight"]) == ("AWQ", 4.156)
    assert assumed["name_says"] == {"weights": "AWQ", "context": None}
    assert "weights in AWQ, as the name says (bits each: 4.16)" in found["evidence"]["caveats"]
    asked = await answer(dispatcher, "llm Qwen2.5-72B-Instruct-AWQ inference precision=bf16 context=4096")
    assert (asked["precision"], asked["context"]) == ("bf16", 4096)
    assert "the name says AWQ, bf16 was asked: bf16 is counted" in asked["evidence"]["caveats"]


@pytest.mark.parametrize(
    ("line", "model", "mode"),
    [
        ('llm "gpt oss 120b" inference', "gpt-oss-120b", "inference"),
        ('llm "qwen3 30b a3b"', "qwen3-30b-a3b", "lora"),
        ('llm "llama 3.3 70b" qlora', "llama3.3-70b", "qlora"),
        ('llm "gemma 3 27b it" inference', "gemma3-27b", "inference"),
        ('llm "deepseek r1" inference', "deepseek-r1", "inference"),
        ('llm "mistral small"', "mistral-small-3.2-24b", "lora"),
        ("llm llama3.1:8b-instruct-q4_K_M inference", "llama3.1-8b", "inference"),
        ("llm Qwen2.5-7B-Instruct-GPTQ-Int4", "qwen2.5-7b", "qlora"),
    ],
)
async def test_a_name_of_several_words_reaches_its_model(dispatcher, line, model, mode):
    found = await answer(dispatcher, line)
    assert (found["model"], found["mode"]) == (model, mode)


async def test_a_cost_says_how_a_quantised_name_is_trained(dispatcher):
    found = await answer(dispatcher, "cost Qwen2.5-7B-Instruct-AWQ 1GB")
    assert found["method"] == "qlora"
    assert "adapters on weights in AWQ are QLoRA: it is counted so" in found["evidence"]["caveats"]
    with pytest.raises(AskError, match="cannot be trained in full"):
        await answer(dispatcher, "cost Qwen2.5-7B-Instruct-AWQ full 1GB")


async def test_the_guides_second_script_gets_its_two_keys(dispatcher):
    for gpu in ("RTX 4090", "A100", "RTX 3090"):
        found = json.loads(to_json(await dispatcher.ask(cost.COMMAND, {"model": "llama2-13b", "gpu": gpu})))
        assert "cost_dumont" in found
        assert "savings_percent" in found
    assert {miss["gpu_name"] for miss in found["not_fitting"]} == {"RTX 3090"}


async def test_a_cost_counts_the_interruptions_that_were_seen(dispatcher):
    found = await answer(dispatcher, "cost llama2-7b 10GB 4090")
    (row,) = found["gpu_recommendations"]
    assert found["dataset_size_gb"] == 10
    assert row["checkpoints"]["mtbi_hours"] > 0
    assert row["compute_hours"] < row["billed_hours"] < row["estimated_hours"]
    assert row["cost_disk"] > 0
    assert found["cost_dumont"] == row["cost_dumont"]
    everything = await answer(dispatcher, "cost llama2-7b 10GB")
    assert found["evidence"]["offers"] < everything["evidence"]["offers"]


@pytest.mark.parametrize(
    ("line", "tokens"),
    [
        ("cost llama2-7b", 250_000_000),
        ("cost llama2-7b 50GB", 12_500_000_000),
        ("cost llama2-7b tokens=1e9", 1_000_000_000),
        ("cost llama2-7b rows=1000 context=512", 512_000),
    ],
)
async def test_the_data_may_be_described_in_three_ways(dispatcher, line, tokens):
    found = await answer(dispatcher, line)
    assert found["tokens"] == tokens
    assumed = any("no amount of data was given: 1" in caveat for caveat in found["evidence"]["caveats"])
    assert assumed == (line == "cost llama2-7b")


async def test_the_data_may_not_be_described_twice(dispatcher):
    with pytest.raises(AskError, match="only one of"):
        await dispatcher.ask_line("cost llama2-7b 50GB tokens=1e9")


async def test_one_aws_machine_is_named_and_the_others_are_one_line(dispatcher):
    command, found = await dispatcher.ask_line("cost llama2-7b 50GB")
    card = command.card(found, Words("en", AT))
    named = found.gpu_recommendations[0]
    [told] = [note for note in card.notes if note.startswith("saved: against")]
    assert f"${named.cost_aws:,.2f}" in told
    assert told.endswith(f"{named.aws.gpus}× {named.aws.gpu_name} ({named.aws.instance})")
    [others] = [note for note in card.notes if note.startswith("next on AWS: ")]
    assert others == "next on AWS: " + ", ".join(
        f"{run.gpus}× {run.gpu_name} ${run.cost:,.2f}" for run in found.aws_machines[1:4]
    )
    assert card.charts[0].bars[-1].value == named.cost_aws
    at = [column.title for column in card.tables[0].columns].index("saved")
    for cells, row in zip(card.tables[0].rows, found.gpu_recommendations, strict=False):
        assert row.cost_aws == named.cost_aws
        assert cells[at] == f"{row.savings_percent:.0f}%"


async def test_a_card_marks_what_does_not_lead_and_shows_less_than_a_cent(dispatcher):
    v100 = [offer(n, 1_000, model="Tesla V100 32GB") for n in (30, 31)]
    await Collector(dispatcher.store).record(AT, [poll(AT, *v100, model="Tesla V100 32GB", every=STEP)])
    command, found = await dispatcher.ask_line("cost llama2-7b tokens=1000000")
    rows = [row[0] for row in command.card(found, Words("en", AT)).tables[0].rows]
    assert "1× RTX 3090 (thin)" in rows
    assert rows[-1] == "1× Tesla V100 32GB (fp16, thin)"
    [bars] = command.card(found, Words("pt-BR", AT)).charts
    assert "1× Tesla V100 32GB (fp16, escassa)" in [bar.label for bar in bars.bars]
    assert found.gpu_recommendations[-1].cost_dumont < 0.01
    costs = [row[2] for row in command.card(found, Words("en", AT)).tables[0].rows]
    assert costs[-1] == f"${found.gpu_recommendations[-1].cost_dumont:.4f}"


async def test_savings_compare_with_the_current_price(dispatcher):
    found = await answer(dispatcher, "savings 4090 100h")
    assert found["gpu_name"] == "RTX 4090"
    assert found["cost_dumont"] == pytest.approx(100 * found["price_per_hour"])
    assert found["cost_aws"] == pytest.approx(80.48)
    half_a_year = await answer(dispatcher, "savings 4090 hours_per_year=4380")
    assert half_a_year["roi_annual"] == pytest.approx(found["roi_annual"] / 2, rel=1e-6)
    assert (await answer(dispatcher, "savings 4090 hours_per_year=20000"))["hours_per_year"] == 8760


async def test_where_spot_is_dearer_the_conclusion_says_so(dispatcher):
    command, found = await dispatcher.ask_line("savings 4090 100h")
    told = command.card(found, Words("en", AT))
    assert "the same work on AWS (g6.xlarge, L4)" in told.lead
    assert told.lead.endswith(f"{found.savings_percent_same_work:.0f}% saved")
    assert f"in a year of 8,760 h: ${found.roi_annual:,.0f} saved" in "\n".join(told.notes)
    dear = command.card(replace(found, savings_percent_same_work=-12.0, roi_annual=-420.0), Words("en", AT))
    assert dear.lead.endswith("12% dearer")
    assert "$420 dearer" in "\n".join(dear.notes)


@pytest.mark.parametrize("line", ["llm 7B", "cost llama2-7b", "savings 4090"])
async def test_an_empty_store_says_not_yet(store, line):
    with pytest.raises(NotYet) as refusal:
        await Dispatcher(store, COMMANDS, lambda: AT).ask_line(line)
    assert str(refusal.value.need)


async def test_a_model_that_was_never_polled_says_not_yet(dispatcher):
    with pytest.raises(NotYet):
        await dispatcher.ask_line("savings H200 NVL")


async def test_what_was_polled_long_ago_is_not_on_offer_beside_what_is_fresh(dispatcher):
    tomorrow = AT + 24 * HOUR
    await Collector(dispatcher.store).record(tomorrow, [poll(tomorrow, *market(tomorrow), every=STEP)])
    later = Dispatcher(dispatcher.store, COMMANDS, lambda: tomorrow)
    for line, key in (("llm 7B", "recommendations"), ("cost 7B", "gpu_recommendations")):
        found = await answer(later, line)
        assert {row["gpu_name"] for row in found[key]} == {"RTX 4090"}
        assert found["evidence"]["stale"] is False


async def test_when_all_is_old_the_answer_says_stale(dispatcher):
    later = Dispatcher(dispatcher.store, COMMANDS, lambda: AT + 24 * HOUR)
    for line in ("llm 7B", "cost 7B", "savings 4090"):
        found = await answer(later, line)
        assert found["evidence"]["stale"] is True
        assert found.get("recommendations", True)


@pytest.mark.parametrize("language", ["en", "pt-BR"])
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
async def test_every_example_makes_a_card_in_both_languages(dispatcher, command, language):
    words = Words(language, AT)
    for line in command.examples:
        try:
            _, found = await dispatcher.ask_line(line)
        except NotYet:
            continue
        card = command.card(found, words)
        assert card.lead
        assert all(len(row) == len(table.columns) for table in card.tables for row in table.rows)
        assert not any("{" in text for text in (card.title, card.lead, card.footer, *card.notes))


async def test_a_portuguese_card_has_no_english_left(dispatcher):
    english = set(_notes(await _cards(dispatcher, "en")))
    assert english & set(_notes(await _cards(dispatcher, "pt-BR"))) == set()


async def _cards(dispatcher: Dispatcher, language: str) -> list:
    lines = (
        "llm 7B inference min_vram=900GB",
        "llm 7B",
        "cost 7B 4090",
        "cost 7B full gpus=3",
        "savings 4090",
        "savings 3090",
    )
    found = [await dispatcher.ask_line(line) for line in lines]
    return [command.card(answer, Words(language, AT)) for command, answer in found]


def _notes(cards: list) -> list[str]:
    return [text for card in cards for text in (card.title, card.lead, *card.notes)]


@pytest.mark.parametrize("file", ["llm.po", "cost.po", "savings.po"])
def test_the_translations_are_complete(file):
    folder = Path(bot.presentation.words.__file__).with_name("locales") / "pt_BR" / "LC_MESSAGES"
    with (folder / file).open("rb") as text:
        messages = [message for message in read_po(text, locale="pt_BR") if message.id]
    assert messages
    assert [message.id for message in messages if not message.string] == []


async def test_a_card_says_how_many_of_all_it_shows_and_a_button_shows_the_rest(store):
    """Eleven models that hold 7B: the card has ten, says so, and its button asks the same for all."""
    names = ("RTX 3090", "RTX 4090", "RTX 5090", "L40S", "L40", "A40", "A30", "A10", "L4", "RTX A6000", "RTX A5000")
    polls = [poll(AT, *(offer(50 + n, 200_000, model=name) for n in range(3)), model=name) for name in names]
    await Collector(store).record(AT, polls)
    asking = Dispatcher(store, COMMANDS, lambda: AT + 60)
    words = Words("en", AT + 60)
    command, found = await asking.ask_line("llm 7B inference")
    shown = command.card(found, words)
    assert len(shown.tables[0].rows) == 10
    assert "10 of 11; with limit=11, all" in shown.notes
    (button,) = shown.actions
    assert (button.label, button.line, button.continues) == ("Show all", "limit=11", True)
    answered = Answered(command, found, "llm 7B inference")
    whole, why = card_of(answered, words).actions
    assert (why.label, why.line) == ("Why?", "why llm 7B inference")
    assert (whole.line, whole.continues) == ("llm 7B inference limit=11", False)
    assert card_of(replace(answered, line=""), words).actions == ()
    _, everything = await asking.ask_line(whole.line)
    rest = command.card(everything, words)
    assert len(rest.tables[0].rows) == 11
    assert rest.actions == ()
