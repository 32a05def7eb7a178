"""A poller on a scripted market, its clock moved by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from analytics.market import Offer
from bot.clock import SteadyClock
from bot.polling.poller import Poller
from bot.polling.rounds import Collector
from bot.sources.base import Fetch
from bot.store.engine import Store
from tests.fakes.markets import ScriptedSource, offer


class HandClock:
    """UTC seconds that only a test moves; setting ``wall`` back is setting the wall clock back."""

    def __init__(self, now: int, elapsed: int = 0) -> None:
        self.wall, self.elapsed = now, elapsed
        self.steady = SteadyClock(lambda: self.wall, lambda: self.elapsed)

    def pass_(self, seconds: int) -> None:
        self.wall += seconds
        self.elapsed += seconds

    def __call__(self) -> int:
        return self.steady()


def scripted_poller(
    store: Store, clock: HandClock, script: Callable[[str, int], Sequence[Offer] | Fetch], **more: object
) -> tuple[Poller, ScriptedSource]:
    source = ScriptedSource(script)
    settings: dict[str, object] = {"names": ("RTX 4090", "L40S"), "budget": 20_000, "wish": 300, **more}
    collector = Collector(store)
    poller = Poller(store=store, source=source, collector=collector, clock=clock.steady, **settings)  # type: ignore[arg-type]
    return poller, source


def free_market(name: str, at: int) -> list[Offer]:
    return [offer(machine, model=name) for machine in range(1, 11)]


async def run(poller: Poller, clock: HandClock, seconds: int, *, stride: int = 1) -> None:
    """Let time pass: take turns and jump over the waits they ask for, and at least a stride."""
    end = clock.elapsed + seconds
    while clock.elapsed < end:
        wait = int(await poller.turn())
        clock.pass_(min(end - clock.elapsed, max(stride if wait else 1, wait)))
