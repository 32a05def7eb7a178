"""What comes at fixed times, in words: made of answers as of when it is sent, in its own language and time zone."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from analytics.market import Poll, Quality
from bot.accounts import Preferences
from bot.commands import COMMANDS
from bot.commands.schedules.dashboard_cards import SHOWN
from bot.dispatch.dispatcher import Dispatcher
from bot.outbox.drafts import Draft, Event, Rendered
from bot.outbox.sender import Address
from bot.polling.rounds import Collector
from bot.presentation.text import plain
from bot.scheduled_messages import NOTHING_HAPPENED, TURNED_OFF, Messages
from bot.schedules.specs import DashboardSpec, DigestSpec, Spec, dump, kind_of
from bot.store.alerts import Owner
from bot.store.engine import Store, open_store
from tests.fakes.polling import HandClock
from tests.fakes.stored import NAMES, NOW

MODEL = "RTX 4090"


@dataclass
class House:
    """A stored market, and what renders its messages."""

    store: Store
    clock: HandClock
    messages: Messages

    async def add(self, spec: Spec, *, channel: str = "C1", person: str = "") -> int:
        async with self.store.writer() as writer:
            to = await writer.outbox.destination("slack", "T1", channel=channel, person=person)
            owner = Owner("slack", "", "T1", "U1")
            return await writer.schedules.create(owner, to, kind_of(spec), dump(spec), self.clock(), self.clock())

    async def rendered(self, id_: int, spec: Spec, **more: Any) -> Rendered:
        kind = kind_of(spec)
        payload = {"schedule": id_} if kind == "dashboard" else {"schedule": id_, "since": None, "at": self.clock()}
        draft = Draft(Address("slack", "T1", "C1"), "post", (Event("x", kind, payload, self.clock()),), late=False)
        return await self.messages.render(replace(draft, **more))

    async def text(self, spec: Spec, **more: Any) -> str:
        found = await self.rendered(await self.add(spec), spec, **more)
        assert found.card is not None
        return plain(found.card)

    async def says(self, **team: Any) -> None:
        async with self.store.writer() as writer:
            await writer.save_preferences("slack", "T1", "", Preferences(**team))

    async def poll(self, factor: float, model: str = MODEL) -> None:
        """A poll five minutes on, with the prices of one model changed, or of another with the same."""
        self.clock.pass_(300)
        async with self.store.reader() as reader:
            book = await reader.book([MODEL])
        offers = tuple(replace(offer, min_bid=round((offer.min_bid or 0) * factor)) for offer in book)
        poll = Poll(model, self.clock(), Quality.COMPLETE, offers, 300)
        assert (await Collector(self.store).record(self.clock(), [poll])).quotes


@pytest.fixture
async def house(market_file: Path, tmp_path: Path) -> AsyncIterator[House]:
    shutil.copy(market_file, tmp_path / "scheduled.db")
    store, clock = await open_store(f"sqlite:///{tmp_path / 'scheduled.db'}", writer=True), HandClock(NOW + 60)
    yield House(store, clock, Messages(Dispatcher(store, COMMANDS, clock), "en"))
    await store.close()


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (
            DashboardSpec("market"),
            ("Market", "Spot prices", *NAMES[:2], "offers", "models beyond these: 2; monitor shows them"),
        ),
        (DashboardSpec("market", (MODEL,)), (MODEL, "against its last 24 h")),
        (DashboardSpec("reliability", every=86_400), ("Reliability", "Market-implied interruptions", "safe hours")),
        (DashboardSpec("cost", (MODEL, "L40S")), ("Cost", MODEL, "saved")),
    ],
)
async def test_a_dashboard_is_made_of_answers(house: House, spec: DashboardSpec, said: tuple[str, ...]) -> None:
    found = await house.rendered(await house.add(spec), spec)
    assert found.card is not None
    assert found.pin
    text = plain(found.card)
    assert [part for part in said if part not in text] == []
    assert "Updated 14:01, next " in text
    assert "dashboard off" in text
    assert found.card.charts
    assert found.card.tables


async def test_its_figures_are_those_of_the_answer(house: House) -> None:
    spec = DashboardSpec("market")
    await house.poll(0.5)
    _, answer = await house.messages.dispatcher.ask_line("monitor")
    prices = {row.gpu_name: row.current_price for row in answer.price_trends}
    text = await house.text(spec)
    shown = {name: price for name, price in prices.items() if name in text}
    assert len(shown) == SHOWN
    assert all(f"${price:.3f}" in text for price in shown.values())


async def test_its_picture_is_renewed_with_the_hour_and_its_figures_each_time(house: House) -> None:
    spec = DashboardSpec("market", (MODEL,))
    id_ = await house.add(spec)
    shown = []
    for _ in range(14):  # more than an hour
        await house.poll(0.97)
        found = await house.rendered(id_, spec)
        assert found.card is not None
        shown.append((found.card.lead, found.card.charts))
    assert len({lead for lead, _ in shown}) == 14
    assert len({charts for _, charts in shown}) == 2


async def test_its_first_picture_of_an_hour_comes_as_soon_as_there_is_one(house: House) -> None:
    spec = DashboardSpec("market", ("H200",))
    id_ = await house.add(spec)
    charts = []
    for _ in range(3):
        found = await house.rendered(id_, spec)
        assert found.card is not None
        charts.append(found.card.charts)
        await house.poll(1.0, "H200")
    assert [bool(drawn) for drawn in charts] == [False, True, True]


async def test_without_pictures_it_says_the_same(house: House) -> None:
    spec = DashboardSpec("market")
    found = await house.rendered(await house.add(spec), spec, plain=True)
    assert found.card is not None
    assert found.card.charts == ()
    assert MODEL in plain(found.card)


async def test_what_is_said_in_a_channel_is_in_its_language_and_zone(house: House) -> None:
    spec = DashboardSpec("market", zone="America/Sao_Paulo")
    assert "Spot prices" in await house.text(spec)
    await house.says(language="pt-BR", tz="Asia/Tokyo")
    text = await house.text(spec)
    assert "Preços spot" in text
    assert "(America/Sao_Paulo)" in text  # what was said when it was made stays
    assert "Spot prices" in await house.text(replace(spec, language="en"))
    assert "Resumo" in await house.text(DigestSpec(zone="America/Sao_Paulo"))


async def test_a_digest_tells_nothing_where_nothing_happened_and_only_news_are_wanted(house: House) -> None:
    spec = DigestSpec(news_only=True, gpus=("A100 PCIE 80GB",))
    found = await house.rendered(await house.add(spec), spec)
    always = replace(spec, news_only=False)
    told = await house.rendered(await house.add(always), always)
    assert told.card is not None
    assert (found.card is None, found.withheld) in ((True, NOTHING_HAPPENED), (False, ""))
    quiet = "Nothing unusual" in plain(told.card) or "Nothing can be judged" in plain(told.card)
    assert quiet == (found.card is None)


async def test_one_that_was_turned_off_says_nothing_more(house: House) -> None:
    spec = DashboardSpec("market")
    id_ = await house.add(spec)
    async with house.store.writer() as writer:
        await writer.schedules.end(id_, house.clock(), "turned off")
    found = await house.rendered(id_, spec)
    assert (found.card, found.withheld) == (None, TURNED_OFF)


async def test_a_late_digest_says_when_it_was_due(house: House) -> None:
    text = await house.text(DigestSpec(zone="America/New_York"), late=True)
    assert "Delayed: this was due at 20" in text
    assert "EDT" in text


@pytest.mark.parametrize(
    "spec", [DashboardSpec("market"), DashboardSpec("cost"), DashboardSpec("reliability"), DigestSpec()]
)
async def test_on_an_empty_store_they_say_so(tmp_path: Path, spec: Spec) -> None:
    store, clock = await open_store(f"sqlite:///{tmp_path / 'empty.db'}", writer=True), HandClock(NOW)
    empty = House(store, clock, Messages(Dispatcher(store, COMMANDS, clock), "en"))
    text = await empty.text(spec)
    await store.close()
    needed = ("• Needed: one complete poll", "• Needed: two complete polls", "No price is stored yet.")
    assert any(part in text for part in needed), text


async def test_a_model_that_is_not_known_any_more_is_told(house: House) -> None:
    text = await house.text(DashboardSpec("cost", ("RTX 1", "L40S")))
    assert "No GPU model called" in text


def test_a_spec_of_an_earlier_version_has_defaults_for_what_is_new() -> None:
    from bot.schedules.specs import load_spec

    assert load_spec("dashboard", json.dumps({"view": "cost", "gpus": ["A"]})) == DashboardSpec("cost", ("A",))
    assert load_spec("digest", json.dumps({"gpus": []})) == DigestSpec()


async def test_a_dashboard_that_is_posted_anew_says_why(house: House) -> None:
    spec = DashboardSpec("market")
    id_ = await house.add(spec)
    for more, told in (({}, False), ({"anew": True}, True)):
        event = Event("x", "dashboard", {"schedule": id_, **more}, house.clock())
        found = await house.messages.render(Draft(Address("slack", "T1", "C1"), "post", (event,), late=False))
        assert found.card is not None
        assert ("took no more edits" in plain(found.card)) == told
