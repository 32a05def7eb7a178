"""Sending what is in the outbox: lease, render, send outside of any transaction, record; until nothing is due."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from bot.outbox.drafts import AGAIN_S, Render, draft, rendered
from bot.outbox.grouped import Grouped
from bot.outbox.outcomes import Outcomes
from bot.outbox.sender import Ambiguous, Delivered, Delivery, Message, Receipt, Sender, TryLater, Withheld
from bot.store.engine import Store
from bot.store.errors import StoreError
from bot.store.outbox_claims import LEASE_S, Lease, Rate
from bot.store.writer import Writer

SEND_LIMIT_S = 25.0
"""Seconds that one attempt may take. With twice the time to render it stays below a lease."""

IN_FLIGHT = 8
"""Messages being sent at once by one process."""

LOOK_EVERY_S = 1.0
"""Seconds between looks where nothing wakes the dispatcher: for messages whose time comes."""

STOP_WITHIN_S = 10.0
"""Seconds that what is being sent may still take when the program stops."""

RATES = {"slack": Rate(team=5, platform=100), "discord": Rate(team=10, platform=25)}
"""Slack allows "several hundred messages per minute" to a workspace, Discord 50 requests a second to a bot, of which
answers to commands need some too."""

ANY_RATE = Rate(team=50, platform=50)
"""Where a platform's limits are not known."""

RECORD_TRIES, RECORD_PAUSE_S = 5, 1.0
"""How often, and how many seconds apart, what became of a message is written down where the database is busy."""

log = structlog.get_logger()

OnDisabled = Callable[[Writer, Lease, str, int], Awaitable[None]]
"""Told of a destination to which nothing can be delivered by what ended there, why, and when, in the transaction that
disables it: what it queues is not lost."""


OnOutcome = Callable[[Writer, Lease, Delivery, int], Awaitable[None]]
"""Told of what became of each attempt, in the transaction that records it."""


async def _nothing(writer: Writer, lease: Lease, delivery: Delivery, now: int) -> None:
    pass


async def _nobody(writer: Writer, lease: Lease, reason: str, now: int) -> None:
    to = lease.destination
    log.warning("a destination was disabled", platform=to.platform, team=to.team, reason=reason)


@dataclass(frozen=True, slots=True)
class DispatchOptions:
    """What may be chosen."""

    in_flight: int = IN_FLIGHT
    lease_seconds: int = LEASE_S
    send_limit: float = SEND_LIMIT_S
    look_every: float = LOOK_EVERY_S
    rates: Mapping[str, Rate] = field(default_factory=lambda: RATES)
    outcomes: Outcomes = field(default_factory=Outcomes)
    on_disabled: OnDisabled = _nobody
    on_outcome: OnOutcome = _nothing
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class OutboxDispatcher:
    """Sends until stopped. Set ``wake`` when something was queued; otherwise it looks every second."""

    def __init__(
        self,
        store: Store,
        senders: Mapping[str, Sender],
        render: Render,
        clock: Callable[[], int],
        options: DispatchOptions | None = None,
    ) -> None:
        self.wake = asyncio.Event()
        self._store, self._senders, self._render, self._clock = store, senders, render, clock
        self._options = options or DispatchOptions()
        self._rates = {platform: self._options.rates.get(platform, ANY_RATE) for platform in senders}
        self._tasks: set[asyncio.Task[None]] = set()
        self._recorder = Grouped(self._record_group)
        self._stopping = False

    async def run(self) -> None:
        """Send what is due, for as long as the program runs."""
        while not self._stopping:
            self.wake.clear()
            if not await self._claim_safely():
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._options.look_every):
                        await self.wake.wait()

    async def run_until(self, stop: asyncio.Event) -> None:
        """Send until ``stop`` is set; then finish what is being sent."""
        running, stopping = asyncio.create_task(self.run()), asyncio.create_task(stop.wait())
        await asyncio.wait([running, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        await self.stop()
        await running

    async def drain(self) -> None:
        """Send until nothing is due any more at this moment."""
        while await self.claim() or self._tasks:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)

    async def stop(self, within: float = STOP_WITHIN_S) -> None:
        """Claim nothing more; finish what is being sent, or after ``within`` seconds record that it may be there."""
        self._stopping = True
        self.wake.set()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=within)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def claim(self) -> int:
        """Lease as many destinations as may be sent to at once, and begin; gives how many."""
        free = self._options.in_flight - len(self._tasks)
        if free <= 0 or self._stopping:
            return 0
        async with self._store.writer(sharing=True) as writer:
            leases = await writer.outbox_leases.claim(
                self._clock(), free, self._rates, seconds=self._options.lease_seconds
            )
        for lease in leases:
            task = asyncio.create_task(self._deliver(lease))
            self._tasks.add(task)
            task.add_done_callback(self._finished)
        return len(leases)

    async def _claim_safely(self) -> int:
        try:
            return await self.claim()
        except StoreError as error:
            log.warning("the outbox cannot be read", error=str(error))
            return 0

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self.wake.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            # the lease runs out, and the message goes again under the same id
            log.error("an outcome was not recorded", error=repr(error))

    async def _deliver(self, lease: Lease) -> None:
        try:
            message = await self._message(lease)
        except asyncio.CancelledError:
            await self._release(lease)
            return
        delivery = await self._attempt(lease, message) if isinstance(message, Message) else message
        await self._record(lease, delivery)

    async def _record(self, lease: Lease, delivery: Delivery) -> None:
        for left in reversed(range(RECORD_TRIES)):
            try:
                await self._recorder.add((lease, delivery))
                return
            except StoreError:
                if not left:
                    raise
                await self._options.sleep(RECORD_PAUSE_S)

    async def _record_group(self, outcomes: Sequence[tuple[Lease, Delivery]]) -> None:
        now = self._clock()
        async with self._store.writer(sharing=True) as writer:
            # in one order everywhere: processes that share a database must not wait for each other in a circle
            for lease, delivery in sorted(outcomes, key=lambda one: one[0].destination_id):
                disabled = await self._options.outcomes.record(writer, lease, delivery, now)
                if disabled and not isinstance(delivery, Delivered):
                    await self._options.on_disabled(writer, lease, delivery.reason, now)
                await self._options.on_outcome(writer, lease, delivery, now)

    async def _message(self, lease: Lease) -> Message | Withheld | TryLater:
        words = await rendered(self._render, lease, self._clock())
        if words.card is None:
            return TryLater(words.withheld, AGAIN_S, ours=True, alone=True) if words.again else Withheld(words.withheld)
        receipt = Receipt(*lease.receipt) if lease.receipt else None
        return Message(
            id=lease.id,
            address=draft(lease, self._clock()).address,
            card=words.card,
            language=words.language,
            edit=receipt if lease.action in ("edit", "edit_only") else None,
            thread=receipt if lease.action == "thread" else None,
            edit_only=lease.action == "edit_only",
            remove=receipt if lease.action == "remove" else None,
            pin=words.pin,
            mentions=words.mentions,
            data=words.data,
        )

    async def _attempt(self, lease: Lease, message: Message) -> Delivery:
        """One attempt. What ends it from outside leaves open whether it arrived."""
        try:
            async with asyncio.timeout(self._options.send_limit):
                return await self._senders[lease.destination.platform].send(message)
        except asyncio.CancelledError:
            return Ambiguous("stopped while it was sent")
        except TimeoutError:
            return Ambiguous("no answer in time")
        except Exception as error:
            log.exception("a sender raised", platform=lease.destination.platform)
            return Ambiguous(f"the sender failed: {type(error).__name__}")

    async def _release(self, lease: Lease) -> None:
        async with self._store.writer(sharing=True) as writer:
            await writer.outbox_leases.released(lease, self._clock())
