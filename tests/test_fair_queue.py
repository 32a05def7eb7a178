"""The fair queue: nobody waits for all that somebody else has asked."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from bot.fair_queue import FairQueue, Waiter

ANA, BOB, EVE = Waiter("a", "ana"), Waiter("a", "bob"), Waiter("e", "eve")


class Served:
    """A queue whose turns each last until all who can have moved, and who had one, in order."""

    def __init__(self, at_once: int = 1) -> None:
        self.queue, self.order = FairQueue(at_once), list[Waiter]()

    async def ask(self, waiter: Waiter) -> None:
        async with self.queue.turn(waiter):
            self.order.append(waiter)
            await asyncio.sleep(0)

    def start(self, waiters: Iterable[Waiter]) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(self.ask(waiter)) for waiter in waiters]


async def test_teams_take_turns_and_so_do_the_persons_of_one() -> None:
    served = Served()
    await asyncio.gather(*served.start([ANA, ANA, ANA, ANA, BOB, BOB, EVE, EVE]))
    assert served.order == [ANA, ANA, EVE, BOB, EVE, ANA, BOB, ANA]


async def test_one_person_is_served_in_the_order_of_asking() -> None:
    queue, order = FairQueue(2), list[int]()

    async def ask(number: int) -> None:
        async with queue.turn(ANA):
            order.append(number)

    await asyncio.gather(*(ask(number) for number in range(20)))
    assert order == list(range(20))


async def test_no_more_turns_at_a_time_than_there_are() -> None:
    queue, now, most = FairQueue(3), 0, 0

    async def ask(waiter: Waiter) -> None:
        nonlocal now, most
        async with queue.turn(waiter):
            now += 1
            most = max(most, now)
            await asyncio.sleep(0)
            now -= 1

    await asyncio.gather(*(ask((ANA, BOB, EVE)[n % 3]) for n in range(50)))
    assert most == 3


WAITERS = st.builds(Waiter, st.sampled_from("abcd"), st.sampled_from("xyz"))


@given(st.lists(WAITERS, max_size=60), st.integers(1, 3))
def test_between_two_turns_of_who_waits_no_other_has_two(waiters: list[Waiter], at_once: int) -> None:
    async def serve() -> list[Waiter]:
        served = Served(at_once)
        await asyncio.gather(*served.start(waiters))
        return served.order[at_once:]  # the first found nobody waiting

    order = asyncio.run(serve())
    assert Counter(order) == Counter(waiters[at_once:])
    mine = defaultdict[Waiter, list[int]](list)
    for turn, waiter in enumerate(order):
        mine[waiter].append(turn)
    for waiter, turns in mine.items():
        for first, last in itertools.pairwise([-1, *turns]):  # everybody waits from the beginning
            between = order[first + 1 : last]
            colleagues = Counter(other.person for other in between if other.team == waiter.team)
            rounds = 1 + colleagues.total()
            others = Counter(other.team for other in between if other.team != waiter.team)
            assert max(colleagues.values(), default=0) <= 1
            assert max(others.values(), default=0) <= rounds


@given(st.lists(st.tuples(WAITERS, st.booleans()), max_size=60), st.integers(0, 9), st.booleans())
def test_who_leaves_takes_nothing_from_the_others(asked: list[tuple[Waiter, bool]], steps: int, held: bool) -> None:
    async def serve(waiters: list[tuple[Waiter, bool]]) -> list[Waiter]:
        """Those who leave do so before the first turn is passed on; where not ``held``, in the middle of it all."""
        served, hold = Served(), asyncio.Event()

        async def holder() -> None:
            async with served.queue.turn(Waiter("", "")):
                await hold.wait()

        first = asyncio.create_task(holder())
        await asyncio.sleep(0)
        tasks = served.start(waiter for waiter, _ in waiters)
        await asyncio.sleep(0)
        if not held:
            hold.set()
            for _ in range(steps):
                await asyncio.sleep(0)
        for task, (_, leaves) in zip(tasks, waiters, strict=True):
            if leaves:
                task.cancel()
        hold.set()
        await asyncio.gather(first, *tasks, return_exceptions=True)
        async with asyncio.timeout(0):  # the turn is free again
            async with served.queue.turn(ANA):
                pass
        return served.order

    order = asyncio.run(serve(asked))
    stay = [(waiter, leaves) for waiter, leaves in asked if not leaves]
    assert Counter(order) >= Counter(waiter for waiter, _ in stay)
    if held:
        assert Counter(order) == Counter(waiter for waiter, _ in stay)


async def test_a_place_is_kept_when_a_colleague_gives_up_in_the_same_moment() -> None:
    served, hold = Served(), asyncio.Event()

    async def holder() -> None:
        async with served.queue.turn(EVE):
            await hold.wait()

    first = asyncio.create_task(holder())
    await asyncio.sleep(0)
    gives_up, *others = served.start([ANA, BOB, EVE])
    await asyncio.sleep(0)
    hold.set()
    gives_up.cancel()
    await asyncio.gather(first, *others)
    assert served.order == [BOB, EVE]


async def test_a_turn_given_to_who_is_cancelled_then_is_the_next_ones() -> None:
    served, hold = Served(), asyncio.Event()

    async def holder() -> None:
        async with served.queue.turn(EVE):
            await hold.wait()
        unlucky.cancel()  # it has been given the turn, and does not know yet

    first = asyncio.create_task(holder())
    await asyncio.sleep(0)
    unlucky, other = served.start([ANA, BOB])
    await asyncio.sleep(0)
    hold.set()
    await asyncio.gather(first, unlucky, other, return_exceptions=True)
    assert unlucky.cancelled()
    assert served.order == [BOB]


async def test_a_holder_that_fails_or_is_cancelled_frees_its_turn() -> None:
    queue, begun = FairQueue(1), asyncio.Event()

    async def hold() -> None:
        async with queue.turn(ANA):
            begun.set()
            await asyncio.Event().wait()

    holder = asyncio.create_task(hold())
    await begun.wait()
    served = Served()
    served.queue = queue
    (waiting,) = served.start([BOB])
    await asyncio.sleep(0)
    holder.cancel()
    await waiting
    assert served.order == [BOB]
