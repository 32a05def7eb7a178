"""What is sent in which order, and what becomes of it; on both databases."""

from __future__ import annotations

import pytest

from bot.outbox.drafts import Draft, Rendered
from bot.outbox.sender import Address, Ambiguous, Delivery, Message, Receipt, Rejected, TryLater
from bot.store.engine import Store
from bot.store.outbox_claims import Lease, Scope
from bot.store.writer import Writer
from tests.fakes.sending import NOW, Outbox, ScriptedSender

FIRE, RESOLVE, AGAIN = "alert/17/1/fire", "alert/17/1/resolve", "alert/17/2/fire"
OTHER = "alert/18/1/fire"
DAY = 86_400


class Failing(ScriptedSender):
    """Gives these answers first, each once."""

    def __init__(self, *answers: Delivery) -> None:
        self.answers = list(answers)
        super().__init__(lambda message: self.answers.pop(0) if self.answers else None)


async def test_a_message_goes_once_and_its_receipt_is_kept(store: Store) -> None:
    outbox = Outbox(store)
    to = await outbox.to()
    await outbox.queue(to, FIRE)
    await outbox.queue(to, FIRE)
    await outbox.pass_()
    await outbox.pass_(100)
    found = await outbox.read(FIRE)
    assert outbox.sender.told == [FIRE]
    assert (found.state, found.ended_at, found.receipt_channel, found.receipt_message) == (
        "delivered", NOW + 1, "C1", "m1",
    )  # fmt: skip
    assert outbox.sender.delivered[0].address == Address("slack", "T1", "C1")
    assert outbox.sender.delivered[0].id == found.id
    assert len(found.id) <= 25


async def test_messages_of_a_channel_go_in_order_one_a_second(store: Store) -> None:
    outbox = Outbox(store)
    names = [f"alert/{n % 2}/{n}/fire" for n in range(4)]
    await outbox.queue(await outbox.to(), *names)
    for sent in range(1, 5):
        await outbox.pass_()
        assert outbox.sender.told == names[:sent]


async def test_posts_of_one_round_to_one_channel_are_one_message(store: Store) -> None:
    outbox = Outbox(store)
    here, there = await outbox.to("C1"), await outbox.to("C2")
    await outbox.queue(here, FIRE, OTHER, batch=NOW)
    await outbox.queue(there, "alert/19/1/fire", batch=NOW)
    await outbox.queue(here, AGAIN, batch=NOW + 300)
    await outbox.pass_()
    assert sorted(outbox.sender.told) == [f"{FIRE} + {OTHER}", "alert/19/1/fire"]
    await outbox.pass_()
    assert outbox.sender.told[2:] == [AGAIN]
    receipts = {(await outbox.read(name)).receipt_message for name in (FIRE, OTHER)}
    assert len(receipts - {None}) == 1


async def test_a_group_that_was_tried_stays_as_it_was(store: Store) -> None:
    """Under one id always the same is sent: Discord drops a second message of an id unread."""
    outbox = Outbox(store, Failing(Ambiguous("reset")))
    to = await outbox.to(platform="discord")
    await outbox.queue(to, FIRE, OTHER, batch=NOW)
    await outbox.pass_()
    await outbox.queue(to, "alert/19/1/fire", batch=NOW)
    await outbox.pass_(60)
    await outbox.pass_()
    assert sorted(outbox.sender.told) == sorted([f"{FIRE} + {OTHER}", "alert/19/1/fire"])
    ids = [message.id for message in outbox.sender.attempts if message.card.lead != "alert/19/1/fire"]
    assert len(ids) == 2
    assert len(set(ids)) == 1


async def test_429_delays_fire_and_resolve_and_keeps_their_order(store: Store) -> None:
    outbox = Outbox(store, Failing(TryLater("429", 29.5)))
    to = await outbox.to()
    await outbox.queue(to, FIRE, OTHER)
    await outbox.pass_()
    await outbox.queue(to, RESOLVE, action="edit", refers_to=FIRE)
    await outbox.pass_(29)
    assert len(outbox.sender.attempts) == 1
    for _ in range(3):
        await outbox.pass_()
    assert outbox.sender.told == [FIRE, OTHER, RESOLVE]
    assert outbox.sender.delivered[2].edit == Receipt("C1", "m1")


@pytest.mark.parametrize(("scope", "sent"), [("destination", 3), ("team", 2), ("platform", 1)])
async def test_what_has_to_wait_waits(store: Store, scope: Scope, sent: int) -> None:
    outbox = Outbox(store, Failing(TryLater("429", 60, scope)))
    first = await outbox.to()
    others = [await outbox.to("C2"), await outbox.to("C3", "T2"), await outbox.to("C4", "T1", "discord")]
    await outbox.queue(first, FIRE)
    await outbox.pass_()
    for n, to in enumerate(others):
        await outbox.queue(to, f"alert/2{n}/1/fire")
    await outbox.pass_()
    assert len(outbox.sender.delivered) == sent
    await outbox.pass_(59)
    assert len(outbox.sender.delivered) == 4


async def test_waits_grow_and_others_to_the_channel_do_not_wait_as_long(store: Store) -> None:
    outbox = Outbox(store, ScriptedSender(lambda m: TryLater("500", 1) if m.card.lead == FIRE else None))
    to = await outbox.to()
    await outbox.queue(to, FIRE, OTHER, AGAIN)
    tried = []
    for second in range(90):
        before = len(outbox.sender.attempts)
        await outbox.pass_()
        tried += (
            [second] if len(outbox.sender.attempts) > before and outbox.sender.attempts[-1].card.lead == FIRE else []
        )
    assert tried == [0, 2, 7, 22, 82]
    assert outbox.sender.told == [OTHER]
    assert (await outbox.read(FIRE)).last_error == "500"


async def test_what_refers_to_a_message_that_waits_waits_too(store: Store) -> None:
    outbox = Outbox(store)
    to = await outbox.to()
    await outbox.queue(to, FIRE, not_before=NOW + 100)
    await outbox.queue(to, OTHER, action="thread", refers_to=FIRE)
    await outbox.pass_(50)
    assert outbox.sender.told == []
    for _ in range(2):
        await outbox.pass_(50)
    assert outbox.sender.told == [FIRE, OTHER]
    assert outbox.sender.delivered[1].thread == Receipt("C1", "m1")


async def test_the_id_is_the_same_at_each_attempt(store: Store) -> None:
    outbox = Outbox(store, Failing(TryLater("500", 1), TryLater("503", 1), Ambiguous("reset")))
    await outbox.queue(await outbox.to(), FIRE)
    for _ in range(4):
        await outbox.pass_(120)
    assert [message.id for message in outbox.sender.attempts] == [(await outbox.read(FIRE)).id] * 4


@pytest.mark.parametrize(("platform", "attempts"), [("slack", 2), ("discord", 6)])
async def test_what_may_be_there_is_sent_again_only_so_often(store: Store, platform: str, attempts: int) -> None:
    outbox = Outbox(store, ScriptedSender(lambda message: Ambiguous("reset")))
    to = await outbox.to(platform=platform)
    await outbox.queue(to, FIRE, "alert/17/1/repeat")
    await outbox.queue(to, RESOLVE, action="edit", refers_to=FIRE)
    for _ in range(attempts):
        await outbox.pass_(700)
    assert len(outbox.sender.attempts) == attempts
    assert await outbox.state(FIRE) == "ambiguous"
    outbox.sender.answer = lambda message: None
    await outbox.pass_(700)
    await outbox.pass_()
    # whoever saw the first must learn that it is over
    assert outbox.sender.told == ["alert/17/1/repeat", RESOLVE]
    assert outbox.sender.delivered[1].edit is None


async def test_a_place_where_nothing_arrives_is_disabled_after_three_refusals(store: Store) -> None:
    told: list[tuple[str, str, list[str]]] = []

    async def on_disabled(writer: Writer, lease: Lease, reason: str, now: int) -> None:
        told.append((lease.destination.channel, reason, [message.identity for message in lease.messages]))

    outbox = Outbox(store, ScriptedSender(lambda m: Rejected("is_archived", gone=True)), on_disabled=on_disabled)
    to = await outbox.to()
    await outbox.queue(to, FIRE, OTHER)
    for _ in range(2):
        await outbox.pass_(61)
    assert (await outbox.state(FIRE), told) == ("queued", [])
    for _ in range(5):
        await outbox.pass_(61)
    assert len(outbox.sender.attempts) == 3
    assert told == [("C1", "is_archived", [outbox.sender.attempts[-1].card.lead])]
    outbox.sender.answer = lambda message: None
    async with store.writer() as writer:
        await writer.outbox.enable(to)
    await outbox.pass_()
    assert len(outbox.sender.told) == 1


async def test_a_place_that_is_only_unavailable_is_not_dead(store: Store) -> None:
    outbox = Outbox(store, Failing(*[TryLater("503", 1)] * 20))
    await outbox.queue(await outbox.to(), FIRE)
    for _ in range(21):
        await outbox.pass_(601)
    assert outbox.sender.told == [FIRE]


async def test_refusals_count_only_in_a_row(store: Store) -> None:
    gone = Rejected("channel_not_found", gone=True)
    outbox = Outbox(store, ScriptedSender(lambda message: gone if len(outbox.sender.attempts) % 3 else None))
    to = await outbox.to()
    await outbox.queue(to, *(f"alert/{n}/1/fire" for n in range(4)))
    for _ in range(12):
        await outbox.pass_(61)
    assert len(outbox.sender.told) == 4


async def test_a_message_that_is_refused_as_it_is_ends_and_the_next_goes(store: Store) -> None:
    outbox = Outbox(store, Failing(Rejected("invalid_blocks")))
    await outbox.queue(await outbox.to(), FIRE, AGAIN)
    await outbox.pass_()
    await outbox.pass_()
    assert (await outbox.read(FIRE)).last_error == "invalid_blocks"
    assert (await outbox.state(FIRE), outbox.sender.told) == ("rejected", [AGAIN])


async def test_late_ones_say_so_and_old_ones_expire(store: Store) -> None:
    outbox = Outbox(store)
    to = await outbox.to()
    await outbox.queue(to, FIRE)
    await outbox.queue(to, OTHER, not_before=NOW + 7 * 3600)
    await outbox.pass_(1801)
    assert [draft.late for draft in outbox.drafts] == [True]
    await outbox.pass_(6 * 3600)
    assert outbox.sender.told == [FIRE]
    await outbox.pass_(3000)
    assert [draft.late for draft in outbox.drafts] == [True, False]
    await outbox.queue(to, AGAIN)
    await outbox.pass_(DAY)
    assert (await outbox.state(AGAIN), len(outbox.sender.told)) == ("expired", 2)


async def test_what_is_cancelled_does_not_go(store: Store) -> None:
    outbox = Outbox(store)
    await outbox.queue(await outbox.to(), FIRE, OTHER)
    async with store.writer() as writer:
        assert await writer.outbox.cancel("alert/17", NOW) == 1
    for _ in range(3):
        await outbox.pass_()
    assert (await outbox.state(FIRE), outbox.sender.told) == ("cancelled", [OTHER])


async def test_what_was_being_sent_when_it_was_cancelled_keeps_its_receipt(store: Store) -> None:
    outbox = Outbox(store)
    await outbox.queue(await outbox.to(), FIRE)

    async def cancel(draft: Draft) -> Rendered:
        async with store.writer() as writer:
            await writer.outbox.cancel("alert/17", NOW)
        return await Outbox.render(outbox, draft)

    outbox.dispatcher._render = cancel
    await outbox.pass_()
    found = await outbox.read(FIRE)
    assert (found.state, found.receipt_message) == ("delivered", "m1")


@pytest.mark.parametrize(
    ("action", "first", "last"),
    [("edit", "rejected", "cancelled"), ("thread", "rejected", "delivered"), ("edit", "delivered", "delivered")],
)
async def test_what_refers_to_a_message(store: Store, action: str, first: str, last: str) -> None:
    """An edit of what nobody saw is not told; an answer to it is news, and is posted."""
    outbox = Outbox(store, Failing(*([Rejected("too strange")] if first == "rejected" else [])))
    to = await outbox.to()
    await outbox.queue(to, FIRE)
    await outbox.queue(to, RESOLVE, action=action, refers_to=FIRE)
    for _ in range(3):
        await outbox.pass_()
    assert (await outbox.state(FIRE), await outbox.state(RESOLVE)) == (first, last)
    assert len(outbox.sender.told) == (0 if last == "cancelled" else 1 if first == "rejected" else 2)
    if first == "rejected" and last == "delivered":
        assert (outbox.sender.delivered[0].thread, outbox.sender.delivered[0].edit) == (None, None)


async def test_one_of_several_in_a_message_is_answered_and_not_edited(store: Store) -> None:
    outbox = Outbox(store)
    to = await outbox.to()
    await outbox.queue(to, FIRE, OTHER, batch=NOW)
    await outbox.queue(to, RESOLVE, action="edit", refers_to=FIRE)
    for _ in range(2):
        await outbox.pass_()
    last = outbox.sender.delivered[-1]
    assert (last.edit, last.thread) == (None, Receipt("C1", "m1"))
    assert outbox.drafts[-1].action == "thread"


async def test_an_edit_in_another_place_is_a_post(store: Store) -> None:
    outbox = Outbox(store)
    await outbox.queue(await outbox.to("C1"), FIRE)
    await outbox.queue(await outbox.to("C2"), RESOLVE, action="edit", refers_to=FIRE)
    await outbox.pass_()
    assert (outbox.sender.told, outbox.sender.delivered[1].edit) == ([FIRE, RESOLVE], None)


async def test_a_picture_that_fails_does_not_keep_a_message(store: Store) -> None:
    outbox = Outbox(store)

    async def no_picture(draft: Draft) -> Rendered:
        if not draft.plain:
            raise RuntimeError("no font")
        return await Outbox.render(outbox, draft)

    async def nothing(draft: Draft) -> Rendered:
        raise RuntimeError("no words")

    to = await outbox.to()
    for render, name in ((no_picture, FIRE), (nothing, OTHER)):
        outbox.dispatcher._render = render
        await outbox.queue(to, name)
        await outbox.pass_()
    assert outbox.sender.told == [FIRE, "fire"]
    assert outbox.sender.delivered[1].card.notes == ("fire: price = 350000",)


async def test_a_sender_that_breaks_is_one_whose_message_may_be_there(store: Store) -> None:
    def broken(message: Message) -> None:
        raise ValueError("unforeseen")

    outbox = Outbox(store, ScriptedSender(broken))
    await outbox.queue(await outbox.to(), FIRE)
    await outbox.pass_()
    found = await outbox.read(FIRE)
    assert (found.state, found.ambiguities, found.last_error) == ("queued", 1, "the sender failed: ValueError")
