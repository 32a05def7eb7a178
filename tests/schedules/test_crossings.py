"""What crosses on its way: answers that come twice or late, a dashboard posted anew while it is edited, losses."""

from __future__ import annotations

import pytest

from bot.accounts import Asker
from bot.commands.schedules.owned import turn_off
from bot.outbox.drafts import Draft, Rendered
from bot.outbox.sender import Delivery, Message, Receipt, Rejected
from bot.schedules.producing import dashboard_message, topic_of
from bot.schedules.specs import DashboardSpec, DigestSpec, load_spec
from bot.store.engine import Store
from bot.store.outbox_claims import LEASE_S
from tests.fakes.channel import EditableChannel
from tests.fakes.sending import ScriptedSender
from tests.schedules.test_producing import DAY, HOUR, House, house_of, utc


async def _post_anew(house: House, id_: int) -> None:
    """As ``dashboard market here`` does where there is one."""
    async with house.store.writer() as writer:
        row = await writer.schedules.by_id(id_)
        assert row is not None
        await writer.outbox.add([dashboard_message(row, house.clock(), "post", useful=300)], house.clock())


async def test_a_post_that_two_processes_deliver_is_not_taken_out_again(store: Store) -> None:
    channel = EditableChannel()
    house = house_of(store, utc("2026-11-27T10:00"), channel)
    id_ = await house.add(DashboardSpec("market"))
    post, known = channel.send, dict[str, Delivery]()

    async def slowly(message: Message) -> Delivery:
        """The lease runs out, another process sends meanwhile; the platform knows a second one by its id."""
        if message.edit is None and message.remove is None and message.id not in known and not channel.posts:
            channel.posts = 1
            house.clock.pass_(LEASE_S + 1)
            house.restart()
            assert house.outbox is not None
            channel.posts = 0
            known[message.id] = await post(message)
            await house.outbox.drain()
        return known.get(message.id) or await post(message)

    channel.send = slowly  # type: ignore[method-assign]
    await house.look()
    await house.until(house.clock() + 900)
    assert (await house.row(id_)) is not None
    assert set(channel.shown) == {"m1"}
    assert channel.edits


async def test_one_that_is_posted_anew_while_the_deleted_one_is_edited_comes(store: Store) -> None:
    channel = EditableChannel()
    house = house_of(store, utc("2026-11-27T10:00"), channel)
    id_ = await house.add(DashboardSpec("market"))
    await house.look()
    channel.shown.clear()  # somebody deletes it
    edit = channel.send

    async def asked_meanwhile(message: Message) -> Delivery:
        if message.edit is not None and channel.posts == 1:
            await _post_anew(house, id_)
        return await edit(message)

    channel.send = asked_meanwhile  # type: ignore[method-assign]
    await house.until(house.clock() + 900)
    assert set(channel.shown) == {"m2"}
    row = await house.row(id_)
    assert row is not None
    assert row.message is not None


async def test_where_a_new_one_waits_a_refused_edit_posts_no_other(store: Store) -> None:
    channel = EditableChannel()
    house = house_of(store, utc("2026-11-27T10:00"), channel)
    id_ = await house.add(DashboardSpec("market"))
    await house.look()
    house.clock.pass_(DAY)
    channel.refuses_edits = True
    edit = channel.send

    async def asked_meanwhile(message: Message) -> Delivery:
        if message.edit is not None and channel.posts == 1:
            house.clock.pass_(1)
            await _post_anew(house, id_)
            house.clock.pass_(1)
        return await edit(message)

    channel.send = asked_meanwhile  # type: ignore[method-assign]
    await house.until(house.clock() + 60, every=10)
    assert (channel.posts, set(channel.shown)) == (2, {"m2"})


async def test_one_that_is_turned_off_just_as_it_arrived_is_taken_out_again(store: Store) -> None:
    channel = EditableChannel()
    house = house_of(store, utc("2026-11-27T10:00"), channel)
    read_before = await house.row(await house.add(DashboardSpec("market")))
    assert read_before is not None
    await house.look()  # on PostgreSQL another process may record what it sent between the reading and the change
    assert channel.shown
    async with store.writer() as writer:
        await turn_off(writer, read_before, Asker("slack", "T1", "U1"), house.clock())
    await house.look()
    assert channel.shown == {}


async def test_an_edit_that_cannot_be_rendered_leaves_what_stands(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = EditableChannel()
    house = house_of(store, utc("2026-11-27T10:00"), channel)
    await house.add(DashboardSpec("market"))
    await house.look()
    stood = dict(channel.shown)

    async def fails(draft: Draft) -> Rendered:
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setattr(house, "render", fails)
        house.restart()
        await house.until(house.clock() + 400)
    assert channel.shown == stood
    house.restart()
    await house.until(house.clock() + 400)
    assert channel.shown.keys() == stood.keys()
    assert channel.shown != stood


async def test_a_digest_that_cannot_be_rendered_comes_when_it_can(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = ScriptedSender()
    house = house_of(store, utc("2026-11-28T08:59"), sender)
    await house.add(DigestSpec())

    async def fails(draft: Draft) -> Rendered:
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setattr(house, "render", fails)
        house.restart()
        await house.until(house.clock() + 300)
    assert sender.attempts == []  # its bare data would be a row's number
    house.restart()
    await house.until(house.clock() + 300)
    assert len(sender.delivered) == 1


async def test_what_a_newer_process_stored_is_read_without_what_is_not_known(store: Store) -> None:
    spec = DigestSpec(gpus=("RTX 4090",))
    assert load_spec("digest", '{"gpus": ["RTX 4090"], "sound": "bell"}') == spec


async def test_the_next_digest_tells_also_of_the_time_of_one_that_never_arrived(store: Store) -> None:
    sender = ScriptedSender()
    house = house_of(store, utc("2026-11-27T10:00"), sender)
    id_ = await house.add(DigestSpec())
    await house.until(utc("2026-11-28T10:00"), every=HOUR)
    sender.answer = lambda message: Rejected("msg_too_long")
    await house.until(utc("2026-11-30T10:00"), every=HOUR)
    sender.answer = lambda message: None
    await house.until(utc("2026-12-02T10:00"), every=HOUR)
    async with store.reader() as reader:
        told = [(one.state, one.payload["since"]) for one in await reader.outbox.topic(topic_of(id_))]
    first, fourth = utc("2026-11-28T09:00"), utc("2026-12-01T09:00")
    assert told == [
        ("delivered", None),
        ("rejected", first),
        ("rejected", first),
        ("delivered", first),
        ("delivered", fourth),
    ]


async def test_a_dashboard_whose_message_is_forgotten_is_posted_anew(store: Store) -> None:
    channel = EditableChannel()
    house = house_of(store, utc("2026-11-27T10:00"), channel)
    id_ = await house.add(DashboardSpec("market"))
    await house.look()
    async with store.writer() as writer:
        row = await writer.schedules.by_id(id_)
        assert row is not None
        gone = {"message": "dashboard/1/post/1", "posted_at": house.clock() - 31 * DAY}  # as after MESSAGE_DAYS
        await writer.schedules.change(id_, house.clock(), **gone)
    await house.until(house.clock() + 900)
    assert channel.posts == 2
    assert channel.edits
    assert Receipt("C1", "m2").message == channel.edits[-1][0]
