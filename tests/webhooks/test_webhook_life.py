"""The life of an endpoint: challenged, told, rotated, disabled, brought back, deleted; on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from analytics.market import DAY, HOUR, MICRO, Quality
from bot.accounts import Preferences
from bot.secret_box import SecretBox, new_key
from bot.store.engine import Store
from bot.webhooks.endpoints import Endpoints
from tests.fakes.alerting import rule
from tests.fakes.receivers import answer, resetting
from tests.fakes.webhook_market import BOSS, WebhookMarket, secret_in, signers, webhook_market

LOW, HIGH = 300_000, 400_000


@pytest.fixture
async def hooks(store: Store) -> AsyncIterator[WebhookMarket]:
    async with webhook_market(store) as made:
        yield made


async def fires(hooks: WebhookMarket) -> str:
    """An alert that fires at once; gives its name."""
    name = await hooks.market.add(rule(readings=1))
    await hooks.price(HIGH, LOW)
    return name


async def down(hooks: WebhookMarket, seconds: int, step: int = 6 * HOUR) -> None:
    """Events that nobody takes, for so long."""
    hooks.inbox.behave = answer(500)
    for _ in range(seconds // step):
        await hooks.hear("webhook test last")
        await hooks.deliver(step)


async def test_nothing_goes_before_the_challenge_is_answered(hooks: WebhookMarket) -> None:
    hooks.inbox.obliging = False
    name, _ = await hooks.add("events=alert.fired,price.changed")
    await hooks.deliver()
    await fires(hooks)
    assert "challenged again" in await hooks.hear(f"webhook test {name}")
    await hooks.deliver(10)
    assert set(hooks.inbox.types) == {"webhook.challenge"}
    assert (await hooks.row(name)).state == "pending"
    hooks.inbox.obliging = True
    await hooks.deliver(HOUR)
    assert (await hooks.row(name)).state == "active"
    assert hooks.inbox.events == []  # what happened before was not for it
    await hooks.price(HIGH, LOW)
    await hooks.deliver()
    assert sorted(one["type"] for one in hooks.inbox.events) == ["alert.fired", "price.changed"]


async def test_a_challenge_that_is_never_answered_ends_it_and_tells_its_owner(hooks: WebhookMarket) -> None:
    hooks.inbox.obliging = False
    name, _ = await hooks.add()
    for wait in (0, 5, 300, 1800, *[HOUR] * 80):
        await hooks.deliver(wait)
    assert len(hooks.inbox.types) == 10
    row = await hooks.row(name)
    assert (row.state, row.disabled_reason) == ("disabled", "the challenge was not answered")
    assert len(await hooks.told()) == 1
    hooks.inbox.obliging = True
    await hooks.hear(f"webhook test {name}")
    await hooks.deliver()
    assert (await hooks.row(name)).state == "active"
    assert ": 0" in await hooks.hear(f"webhook replay {name}")  # a challenge is no event


async def test_events_arrive_signed_and_two_secrets_sign_for_a_day(hooks: WebhookMarket) -> None:
    name, old = await hooks.active()
    await fires(hooks)
    await hooks.deliver()
    new = secret_in(await hooks.hear(f"webhook rotate {name}"))
    for wait in (0, DAY - 10, 20):
        hooks.clock.pass_(wait)
        await hooks.hear(f"webhook test {name}")
        await hooks.deliver()
    assert [one["type"] for one in hooks.inbox.events] == ["alert.fired", *["webhook.test"] * 3]
    both = [signers(one, old, new) for one in hooks.inbox.requests]
    assert both == [[True, False], [True, True], [True, True], [False, True]]
    assert all(int(one.headers["webhook-timestamp"]) <= hooks.clock() for one in hooks.inbox.requests)


async def test_gone_disables_at_once_and_its_owner_hears_of_it(hooks: WebhookMarket) -> None:
    async with hooks.store.writer() as writer:
        await writer.save_preferences("slack", "T1", BOSS.person, Preferences(language="pt-BR"))
    name, _ = await hooks.active()
    other = await hooks.active(asker=replace(BOSS, person="U3"))
    hooks.inbox.behave = answer(410)
    await hooks.say(f"webhook test {name}")
    await hooks.say(f"webhook test {other[0]}")
    await hooks.deliver()
    assert len(hooks.inbox.events) == 2
    portuguese, english = sorted(await hooks.told(), key=lambda one: one.address.person)
    assert (portuguese.address.person, english.address.person) == ("U2", "U3")
    assert portuguese.card.title == f"O webhook {name} foi desativado"
    assert "o receptor não quer mais nada" in portuguese.card.lead
    assert english.card.title == f"Webhook {other[0]} was disabled"
    assert "410" in english.card.lead
    await hooks.price(HIGH, LOW)
    await fires(hooks)
    await hooks.deliver(DAY)
    assert len(hooks.inbox.events) == 2
    assert sum("410" in one.card.lead for one in await hooks.told()) == 2
    assert "desativado" in (await hooks.hear(f"webhook show {name}")).lower()


async def test_a_single_404_disables_nothing(hooks: WebhookMarket) -> None:
    name, _ = await hooks.active()
    for behaviour in (answer(200), answer(404), answer(200), answer(200)):
        hooks.inbox.behave = behaviour
        await hooks.hear(f"webhook test {name}")
        await hooks.deliver(30)
    row = await hooks.row(name)
    assert (row.state, row.failing_since) == ("active", None)
    assert len(set(hooks.inbox.ids)) == 4
    assert len(hooks.inbox.ids) == 5  # the second one came again


async def test_five_days_of_nothing_but_failures_disable_and_tell(hooks: WebhookMarket) -> None:
    name, _ = await hooks.active()
    await down(hooks, 5 * DAY - 6 * HOUR)
    assert (await hooks.row(name)).state == "active"
    assert await hooks.told() == []
    await down(hooks, 12 * HOUR)
    assert (await hooks.row(name)).state == "disabled"
    (told,) = await hooks.told()
    assert name in told.card.title
    assert "status 500" in told.card.lead


async def test_one_success_begins_the_five_days_anew(hooks: WebhookMarket) -> None:
    name, _ = await hooks.active()
    await down(hooks, 4 * DAY)
    hooks.inbox.behave = answer()
    await hooks.deliver(6 * HOUR)
    await down(hooks, 4 * DAY)
    assert (await hooks.row(name)).state == "active"
    assert await hooks.told() == []


async def test_a_disabled_one_lives_again_once_it_answers_a_challenge(hooks: WebhookMarket) -> None:
    name, _ = await hooks.active()
    hooks.inbox.behave = answer(500)
    await fires(hooks)  # an event that will wait
    await hooks.deliver()
    hooks.inbox.behave = answer(410)
    await hooks.hear(f"webhook test {name}")
    await hooks.deliver(10)
    assert (await hooks.row(name)).state == "disabled"
    hooks.inbox.behave, hooks.inbox.obliging = answer(), False
    came = len(hooks.inbox.requests)
    assert "challenged again" in await hooks.hear(f"webhook test {name}")
    assert "1" in await hooks.hear(f"webhook replay {name}")
    await hooks.deliver()
    await hooks.deliver(400)
    assert len(hooks.inbox.requests) == came  # it took the event, but not the challenge
    assert (await hooks.row(name)).state == "pending"
    hooks.inbox.obliging = True
    await hooks.deliver(3 * HOUR)
    row = await hooks.row(name)
    assert (row.state, row.failing_since, row.disabled_reason) == ("active", None, None)
    assert sorted(one["type"] for one in hooks.inbox.events[came:]) == ["alert.fired", "webhook.test"]
    assert hooks.inbox.types[-3] == "webhook.challenge"


async def test_what_was_missed_is_sent_again_in_order_under_the_same_ids(hooks: WebhookMarket) -> None:
    name, _ = await hooks.active("events=alert.fired,alert.resolved,price.changed")
    hooks.inbox.behave = answer(500)
    await hooks.market.add(rule(readings=1))
    await hooks.price(HIGH, LOW, HIGH)
    for _ in range(98):
        await hooks.deliver(HOUR)
    counts = await hooks.counts()
    assert counts["rejected"] + counts["expired"] == 6  # of which two for people
    missed = list(dict.fromkeys(hooks.inbox.ids))
    hooks.inbox.behave, came = answer(), len(hooks.inbox.ids)
    assert "4" in await hooks.hear(f"webhook replay {name}")
    await hooks.deliver(400)
    assert sorted(hooks.inbox.ids[came:]) == sorted(missed)
    types = [one["type"] for one in hooks.inbox.events[came:]]
    assert types == ["alert.fired", "price.changed", "alert.resolved", "price.changed"]
    assert "0" in await hooks.hear(f"webhook replay {name}")
    assert (await hooks.say(f"webhook replay {name} {missed[0]}")).ok
    await hooks.deliver()
    assert hooks.inbox.ids[came + 4 :] == [missed[0]]
    for odd in ("nothing", "\x00", "'; drop table message", missed[0] + "x"):
        assert not (await hooks.say(f'webhook replay {name} message="{odd}"')).ok


async def test_a_deleted_one_hears_nothing_more(hooks: WebhookMarket) -> None:
    name, _ = await hooks.active()
    hooks.inbox.behave = answer(500)
    await fires(hooks)
    await hooks.deliver()
    assert "deleted" in await hooks.hear(f"webhook delete {name}")
    came = len(hooks.inbox.requests)
    await hooks.price(HIGH, LOW)
    await hooks.deliver(DAY)
    assert len(hooks.inbox.requests) == came
    assert (await hooks.counts()).get("cancelled") == 1
    assert not (await hooks.say(f"webhook log {name}")).ok
    async with hooks.store.reader() as reader:
        assert await reader.webhooks.sealed() == []


async def test_a_receiver_that_was_down_for_an_hour_hears_all_in_order_once(hooks: WebhookMarket) -> None:
    await hooks.active()
    hooks.inbox.behave = resetting
    await hooks.market.add(rule(readings=1))
    await hooks.price(HIGH, LOW)
    await hooks.deliver()
    await hooks.price(HIGH)
    for _ in range(12):
        await hooks.deliver(300)
    assert (await hooks.counts())["queued"] == 4  # two of them for people
    came, hooks.inbox.behave = len(hooks.inbox.ids), answer()
    for _ in range(40):
        await hooks.deliver(300)
    assert [one["type"] for one in hooks.inbox.events[came:]] == ["alert.fired", "alert.resolved"]
    fired, resolved = (one["data"] for one in hooks.inbox.events[came:])
    assert (fired["value"], resolved["value"]) == (LOW / MICRO, HIGH / MICRO)
    assert (fired["id"], fired["episode"]) == (resolved["id"], resolved["episode"])


async def test_prices_are_told_when_they_moved_enough_and_once_a_poll(hooks: WebhookMarket) -> None:
    await hooks.price(HIGH)  # a model that is known
    await hooks.price(HIGH, model="H100 SXM")
    await hooks.active("events=price.changed gpus=4090 change=5")
    for prices in ((400_001,), (400_001, 419_000), (381_000,), (420_003,), (420_003,), (399_004,)):
        await hooks.price(*prices)
        await hooks.price(2 * prices[0], model="H100 SXM")
        await hooks.deliver()
    told = [(one["data"]["previous_price"], one["data"]["price"]) for one in hooks.inbox.events]
    assert told == [(0.400001, 0.420003)]
    assert {one["data"]["gpu_name"] for one in hooks.inbox.events} == {"RTX 4090"}
    await hooks.price(300_000, quality=Quality.CAPPED)
    await hooks.deliver()
    assert len(hooks.inbox.events) == 1
    await hooks.price(399_002)
    await hooks.deliver()
    assert [one["data"]["price"] for one in hooks.inbox.events] == [0.420003, 0.399002]


async def test_a_changed_key_makes_events_wait_and_loses_none(hooks: WebhookMarket) -> None:
    old, new = new_key(), new_key()
    hooks.use(Endpoints(SecretBox(old), hooks.endpoints.guard))
    name, secret = await hooks.active()
    await fires(hooks)
    hooks.use(Endpoints(SecretBox(new), hooks.endpoints.guard))
    with capture_logs() as logs:
        for _ in range(6 * 24):
            await hooks.deliver(600)
    assert [one["event"] for one in logs if one["log_level"] == "error"] == [
        "the secrets of an endpoint cannot be opened"
    ]
    row = await hooks.row(name)
    assert (row.state, row.failing_since, hooks.inbox.events) == ("active", None, [])
    hooks.use(Endpoints(SecretBox(f"{new},{old}"), hooks.endpoints.guard))
    await hooks.deliver(300)
    assert [one["type"] for one in hooks.inbox.events] == ["alert.fired"]
    assert signers(hooks.inbox.requests[0], secret) == [True]


async def test_a_team_that_leaves_takes_its_endpoints_along(hooks: WebhookMarket) -> None:
    await hooks.active("events=price.changed,alert.fired")
    elsewhere, _ = await hooks.active(asker=replace(BOSS, team="T2"))
    await fires(hooks)
    await hooks.deliver()
    await hooks.price(HIGH, LOW)
    async with hooks.store.writer() as writer:
        await writer.forget_team("slack", "T1")
        assert await writer.webhooks.of_team("slack", "", "T1") == []
        assert len(await writer.webhooks.sealed()) == 1
        assert await writer.outbox.counts() == {"delivered": 1}  # the other team's challenge
    assert (await hooks.row(elsewhere)).state == "active"
    came = len(hooks.inbox.requests)
    await hooks.deliver(DAY)
    assert len(hooks.inbox.requests) == came
    assert [one.event for one in await hooks.log(elsewhere)] == ["webhook.challenge"]
