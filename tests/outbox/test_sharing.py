"""Leases between teams, after a crash, between processes, and when the program stops."""

from __future__ import annotations

import asyncio

from bot.outbox.sender import Ambiguous, Delivery, Message
from bot.store.engine import Store
from bot.store.outbox import NewMessage
from bot.store.outbox_claims import LEASE_S, Lease, Rate
from tests.fakes.sending import NOW, Outbox, ScriptedSender

RATES = {"slack": Rate(50, 50)}


class HoldingSender(ScriptedSender):
    """Answers when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go = asyncio.Event(), asyncio.Event()

    async def send(self, message: Message) -> Delivery:
        self.begun.set()
        await self.go.wait()
        return await super().send(message)


async def claim(store: Store, now: int = NOW, most: int = 8) -> list[Lease]:
    async with store.writer(sharing=True) as writer:
        return await writer.outbox_leases.claim(now, most, RATES)


async def flood(outbox: Outbox, team: str, channels: int, messages: int) -> None:
    async with outbox.store.writer() as writer:
        to = [await writer.outbox.destination("slack", team, channel=f"C{n}") for n in range(channels)]
        rows = [
            NewMessage(f"{team}/{n}/fire", to[n % channels], f"{team}/{n}", "fire", {"n": n}) for n in range(messages)
        ]
        await writer.outbox.add(rows, NOW)


async def test_a_team_with_ten_thousand_does_not_keep_another_waiting(store: Store) -> None:
    outbox = Outbox(store)
    await flood(outbox, "T1", 100, 10_000)
    for _ in range(3):
        await outbox.pass_()
    await outbox.queue(await outbox.to("C1", "T2"), "alert/1/1/fire")
    leases = await claim(store, outbox.clock() + 1, most=2)
    assert sorted(lease.destination.team for lease in leases) == ["T1", "T2"]
    async with store.reader() as reader:
        assert (await reader.outbox.counts())["delivered"] == 15  # five a second to one team, at most three at once


async def test_places_that_are_free_at_once_go_to_different_teams(store: Store) -> None:
    outbox = Outbox(store)
    for team in ("T1", "T2", "T3"):
        await flood(outbox, team, 5, 20)
    assert [lease.destination.team for lease in await claim(store, most=4)] == ["T1", "T2", "T3", "T1"]


async def test_teams_take_turns(store: Store) -> None:
    outbox = Outbox(store)
    for team in ("T1", "T2", "T3"):
        await flood(outbox, team, 5, 20)
    turns = []
    for second in range(1, 7):
        for lease in await claim(store, NOW + 100 * second, most=1):
            turns.append(lease.destination.team)
            async with store.writer(sharing=True) as writer:
                await writer.outbox_leases.delivered(lease, NOW + 100 * second, ("C", "m"), 1)
    assert turns == ["T1", "T2", "T3"] * 2


async def test_a_team_has_only_so_many_places_at_once(store: Store) -> None:
    outbox = Outbox(store)
    await flood(outbox, "T1", 20, 20)
    assert [len(await claim(store, NOW)) for _ in range(2)] == [3, 0]


async def test_what_a_killed_sender_had_leased_goes_again_under_the_same_id(store: Store) -> None:
    outbox = Outbox(store)
    await outbox.queue(await outbox.to(), "alert/17/1/fire")
    (lost,) = await claim(store)
    assert await claim(store, NOW + LEASE_S - 1) == []
    await outbox.pass_(LEASE_S)
    assert [message.id for message in outbox.sender.delivered] == [lost.id]
    assert (await outbox.read("alert/17/1/fire")).attempts == 2


async def test_the_only_sender_need_not_wait_for_its_own_leases_after_a_crash(store: Store) -> None:
    outbox = Outbox(store)
    await outbox.queue(await outbox.to(), "alert/17/1/fire")
    await claim(store)
    async with store.writer() as writer:
        assert await writer.outbox.free_all() == 1
    await outbox.pass_()
    assert outbox.sender.told == ["alert/17/1/fire"]


async def test_who_comes_back_after_its_lease_does_not_end_that_of_another(store: Store) -> None:
    outbox = Outbox(store)
    to = await outbox.to()
    await outbox.queue(to, "alert/17/1/fire", "alert/18/1/fire")
    (slow,) = await claim(store)
    (other,) = await claim(store, NOW + LEASE_S)
    async with store.writer(sharing=True) as writer:
        await writer.outbox_leases.delivered(slow, NOW + LEASE_S, ("C1", "m1"), 1)
    assert other.id == slow.id
    assert await claim(store, NOW + LEASE_S + 5) == []
    assert await outbox.state("alert/17/1/fire") == "delivered"


async def test_a_platform_that_nobody_here_sends_to_waits_for_who_does(store: Store) -> None:
    outbox = Outbox(store)
    await outbox.queue(await outbox.to(platform="telegram"), "alert/17/1/fire")
    await outbox.pass_()
    assert (await outbox.state("alert/17/1/fire"), outbox.sender.attempts) == ("queued", [])


async def test_two_processes_share_without_doubling(store_two: tuple[Store, Store]) -> None:
    first, second = (Outbox(store) for store in store_two)
    for team in range(10):
        await flood(first, f"T{team}", 3, 12)
    for _ in range(8):
        second.clock.pass_(1)
        first.clock.pass_(1)
        await first.dispatcher.claim()
        await second.dispatcher.claim()
        await asyncio.gather(first.dispatcher.drain(), second.dispatcher.drain())
    sent = [message.id for outbox in (first, second) for message in outbox.sender.attempts]
    assert len(sent) == len(set(sent)) == 120
    assert min(len(outbox.sender.attempts) for outbox in (first, second)) > 0


async def test_a_place_that_another_process_locks_is_remarks(store_two: tuple[Store, Store]) -> None:
    one, two = store_two
    outbox = Outbox(one)
    await outbox.queue(await outbox.to("C1"), "alert/1/1/fire")
    await outbox.queue(await outbox.to("C2", "T2"), "alert/2/1/fire")
    async with one.writer(sharing=True) as writer:
        mine = await writer.outbox_leases.claim(NOW, 1, RATES)
        theirs = await claim(two)
    assert [lease.messages[0].identity for lease in (*mine, *theirs)] == ["alert/1/1/fire", "alert/2/1/fire"]


async def test_stopping_waits_for_what_is_being_sent(store: Store) -> None:
    sender = HoldingSender()
    outbox = Outbox(store, sender)
    await outbox.queue(await outbox.to(), "alert/17/1/fire", "alert/18/1/fire")
    running = asyncio.create_task(outbox.dispatcher.run())
    await sender.begun.wait()
    stopping = asyncio.create_task(outbox.dispatcher.stop())
    await asyncio.sleep(0)
    sender.go.set()
    await asyncio.gather(stopping, running)
    assert await outbox.state("alert/17/1/fire") == "delivered"
    outbox.clock.pass_(100)
    assert await outbox.dispatcher.claim() == 0


async def test_what_does_not_finish_in_time_is_recorded_as_perhaps_there(store: Store) -> None:
    sender = HoldingSender()
    outbox = Outbox(store, sender)
    await outbox.queue(await outbox.to(), "alert/17/1/fire")
    await outbox.dispatcher.claim()
    await sender.begun.wait()
    await outbox.dispatcher.stop(within=0)
    found = await outbox.read("alert/17/1/fire")
    assert (found.state, found.ambiguities, found.last_error) == ("queued", 1, "stopped while it was sent")
    (lease,) = await claim(store, NOW + 60)
    assert lease.id == found.id


async def test_it_is_woken_by_what_is_queued(store: Store) -> None:
    sender = HoldingSender()
    outbox = Outbox(store, sender, look_every=3600)
    to = await outbox.to()
    looked = asyncio.Event()
    claim_safely = outbox.dispatcher._claim_safely

    async def look() -> int:
        begun = await claim_safely()
        looked.set()
        return begun

    outbox.dispatcher._claim_safely = look  # type: ignore[method-assign]
    running = asyncio.create_task(outbox.dispatcher.run())
    await looked.wait()
    await outbox.queue(to, "alert/17/1/fire")
    outbox.dispatcher.wake.set()
    async with asyncio.timeout(60):
        await sender.begun.wait()
    sender.go.set()
    await outbox.dispatcher.stop()
    await running
    assert outbox.sender.told == ["alert/17/1/fire"]


async def test_an_answer_that_does_not_come_is_waited_for_only_so_long(store: Store) -> None:
    outbox = Outbox(store, HoldingSender(), send_limit=0)
    await outbox.queue(await outbox.to(), "alert/17/1/fire")
    await outbox.pass_()
    assert (await outbox.read("alert/17/1/fire")).last_error == "no answer in time"


async def test_a_team_that_leaves_takes_its_messages_along(store: Store) -> None:
    outbox = Outbox(store, ScriptedSender(lambda message: Ambiguous("reset")))
    for team in ("T1", "T2"):
        await flood(outbox, team, 2, 4)
    await outbox.pass_()
    async with store.writer() as writer:
        await writer.forget_team("slack", "T1")
    async with store.reader() as reader:
        assert await reader.outbox.counts() == {"queued": 4}
        assert await reader.outbox.message("T1/0/fire") is None


async def test_what_a_clock_that_ran_ahead_has_queued_and_served_goes_on(store: Store) -> None:
    outbox = Outbox(store)
    to = await outbox.to()
    outbox.clock.wall += 1_000_000
    outbox.clock.elapsed += 1_000_000
    await outbox.queue(to, "alert/1/1/fire", "alert/2/1/fire")
    await outbox.queue(to, "alert/3/1/fire", not_before=outbox.clock() + 60)
    await outbox.pass_()
    async with store.writer() as writer:
        await writer.remove_ahead(NOW)
    assert [one.messages[0].identity for one in await claim(store, NOW)] == ["alert/2/1/fire"]
    later = await outbox.read("alert/3/1/fire")
    assert (later.created_at, later.due_at, later.expires_at) == (NOW, NOW + 60, NOW + 60 + 86_400)
    assert (await outbox.read("alert/1/1/fire")).receipt_message == "m1"
