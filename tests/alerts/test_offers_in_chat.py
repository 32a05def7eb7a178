"""Rules for renters as people write them, and the messages that they get, on Slack through the real face."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analytics.errors import AskError
from analytics.market import Poll, Quality
from bot.accounts import Asker
from bot.presentation.words import Words
from tests.fakes.alert_market import MODEL, Market, alert_in, alert_market
from tests.fakes.slack import FakeSlack
from tests.fakes.slack_channels import Message
from tests.fakes.slack_house import Home, house, slack  # noqa: F401  a fixture
from tests.fakes.stored import NOW

FULL = "alert 4090 offer < 0.30 gpus>=2 region=EU reliability>=0.98 disk=100GB"
ASKER = Asker("slack", "T1", "UA", "C1", "admin")


@pytest.fixture
async def chat(slack: FakeSlack, market_file: Path, tmp_path: Path) -> AsyncIterator[tuple[Market, Home]]:  # noqa: F811
    async with alert_market(market_file, tmp_path) as market, house(slack, market.dispatcher) as home:
        market.send_through(home.face.platform, home.face.sender)
        yield market, home
    assert slack.refused == []


async def poll(market: Market, *cheap: int) -> None:
    """A poll of the usual offers, with some machines at a fifth of the usual price."""
    async with market.store.reader() as reader:
        usual = [offer for offer in await reader.book([MODEL]) if offer.machine_id < 10**9]
    market.clock.pass_(300)
    new = [
        replace(usual[0], machine_id=10**9 + n, offer_id=500 + n, gpu_ids=(), num_gpus=1, verified=True,
                min_bid=market.usual // 5, reliability=0.995, end_date=NOW + 86_400 * 30)
        for n in cheap
    ]  # fmt: skip
    await market.collector.record(market.clock(), [Poll(MODEL, market.clock(), Quality.COMPLETE, (*usual, *new), 300)])
    await market.send()


def posts(home: Home) -> list[Message]:
    return [message for message in home.slack.messages if not message.only]


async def test_machines_are_told_with_a_line_to_rent_one_and_each_but_once(chat: tuple[Market, Home]) -> None:
    market, home = chat
    confirmed = await home.hear(f"alert 4090 offer < {market.mark(0.3)} reliability>=99%", person="UA")
    assert "not kept" in confirmed.text
    await poll(market)
    await poll(market, 1)
    await poll(market, 1, 2)
    (told,) = posts(home)
    assert alert_in(confirmed.text) in told.text
    bid = -(-(market.usual // 5) // 100) / 10_000
    body = str(told.blocks) + told.text
    assert f"vastai create instance 501 --image IMAGE --disk GB --bid_price {bid:.4f}" in body
    assert "with nothing added to it" in body
    assert all(str(10**9 + n) in body for n in (1, 2))
    await poll(market, 1, 2, 3)
    more = posts(home)[-1]
    assert (len(posts(home)), more.body["thread_ts"]) == (2, told.ts)
    body = str(more.blocks) + more.text
    assert (str(10**9 + 3) in body, str(10**9 + 1) in body) == (True, False)
    await poll(market)
    assert (told.edits, told.text.startswith("Over: RTX 4090")) == (1, True)
    await poll(market, 1, 2)
    await poll(market, 1, 2)
    assert len(posts(home)) == 2
    shown = await home.hear(f"alert show {alert_in(confirmed.text)}", person="UA")
    assert "machines that match: 2; none is new" in shown.text


async def test_a_test_message_lists_what_matches_now(chat: tuple[Market, Home]) -> None:
    market, home = chat
    await home.hear(f"alert 4090 offer < {market.mark(0.3)}", person="UA")
    await home.hear("alert test last", person="UA")
    await market.send()
    await poll(market, 1)
    await home.hear("alert test last", person="UA")
    await market.send()
    nothing, one = posts(home)
    assert "No machine matches now" in nothing.text
    assert "501" in str(one.blocks)


@pytest.mark.parametrize(
    "line",
    [
        FULL,
        "alert offer 4090 < 0.30 gpus>=2 region=EU reliability>=0.98 disk=100GB",
        "alert 4090 offer<0.30 disk = 100 GB reliability &gt;= 98% gpus≥2 region= EU",
        "alert 4090 oferta < 0,30 gpus>=2 região=EU confiabilidade>=0,98 disco=100GB",
        "alert oferta 4090 < 0,30 gpus >=2 disco>=0,1 TB confiabilidade>=98% região=EU",
    ],
)
async def test_what_people_write_is_the_same_rule(chat: tuple[Market, Home], line: str) -> None:
    language = "pt-BR" if "oferta" in line else "en"
    answered = await chat[0].dispatcher.answer(line, ASKER, default=language)
    wanted = answered.answer.offer
    assert (wanted.gpus, wanted.reliability_ppm, wanted.disk_gb, answered.answer.threshold) == (2, 980_000, 100, 0.3)
    said = str(answered.answer.rule)
    assert said.startswith("RTX 4090: offers below $0.3 per GPU-hour in EU, GPUs: 2 or more"), said


@pytest.mark.parametrize(
    "line",
    [
        "alert 4090 offer < 0.30 disk=<script>",
        "alert 4090 offer < 0.30 gpus>=2; drop table alert",
        "alert 4090 offer < 0.30 region=EU region=US",
        "alert 4090 offer < 0.30 gpus>=65",
        "alert 4090 offer < 0.30 disk=999999999999GB",
        "alert offer < 0.30",
    ],
)
async def test_what_means_nothing_is_refused(chat: tuple[Market, Home], line: str) -> None:
    market, home = chat
    await home.hear(line, person="UA")
    async with market.store.reader() as reader:
        assert await reader.alerts.of_team("slack", "", "T1") == []


async def test_the_rule_in_portuguese(chat: tuple[Market, Home]) -> None:
    answered = await chat[0].dispatcher.answer(FULL, ASKER)
    card: Any = answered.command.card(answered.answer, Words("pt-BR", NOW))
    assert "ofertas abaixo de" in card.lead
    assert "confiabilidade do host de 98" in card.lead
    assert "não é guardado" in card.notes[0]


async def test_rules_that_fire_together_list_their_machines_too(chat: tuple[Market, Home]) -> None:
    market, home = chat
    names = [
        alert_in((await home.hear(f"alert 4090 offer < {market.mark(mark)} reliability>=99%", person="UA")).text)
        for mark in (0.3, 0.4)
    ]
    await poll(market, *range(1, 6))
    await poll(market, *range(1, 6))
    (told,) = posts(home)
    body = str(told.blocks) + told.text
    assert all(name in body for name in names)
    assert all(str(10**9 + n) in body for n in (1, 2, 3))  # they are told of once, so they must be seen now
    assert "Machines that match besides these: 4" in body


async def test_other_terms_tell_of_no_machine_again_but_another_condition_does(chat: tuple[Market, Home]) -> None:
    market, home = chat
    await home.hear(f"alert 4090 offer < {market.mark(0.3)} readings=1", person="UA")
    await poll(market, 1)
    assert len(posts(home)) == 1
    await home.hear("alert edit last repeat=4h", person="UA")
    await poll(market, 1)
    await poll(market, 1)
    assert len(posts(home)) == 1
    await home.hear(f"alert edit last offer < {market.mark(0.31)}", person="UA")
    await poll(market, 1)
    await poll(market, 1)
    assert len(posts(home)) == 2


async def test_an_offer_whose_end_has_come_is_none(chat: tuple[Market, Home]) -> None:
    market, home = chat
    await home.hear(f"alert 4090 offer < {market.mark(0.3)} readings=1", person="UA")
    market.clock.pass_(86_400 * 31)
    await poll(market, 1)
    await poll(market, 1)
    assert posts(home) == []


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("gpus>=2.5", "“2.5” is no value of gpus"),
        ("disk=0", "“0” is no value of disk"),
        ("reliability>=high", "“high” is no value of reliability"),
        ("region=Narnia", "“narnia” is no region"),
    ],
)
async def test_a_value_that_cannot_be_is_named_with_its_filter(chat: tuple[Market, Home], line: str, says: str) -> None:
    with pytest.raises(AskError) as caught:
        await chat[0].dispatcher.answer(f"alert 4090 offer < 0.3 {line}", ASKER)
    assert says in str(caught.value)
    assert len(set(caught.value.suggestions)) == len(caught.value.suggestions) > 0


async def test_whole_numbers_have_no_fraction_in_the_json_texts(chat: tuple[Market, Home]) -> None:
    for line in (
        "offer < 1 reliability>=98%",
        "risk > 20% in 24h",
        "predicted < 1 in 24h with 80%",
        "drops 10% in 24h",
    ):
        answered = await chat[0].dispatcher.answer(f"alert 4090 {line}", ASKER)
        assert ".0" not in " ".join(map(str, (answered.answer.rule, *answered.answer.terms)))
