"""Markets for tests: offers made in one line, and a source that plays a script."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from analytics.market import Offer, Poll, Quality
from bot.sources.base import Fetch, Reserve


def offer(machine: int, bid: int = 300_000, **more: object) -> Offer:
    """A verified single-GPU slice of an RTX 4090 in Sweden, at ``bid`` micro-dollars."""
    values: dict[str, object] = {
        "model": "RTX 4090",
        "machine_id": machine,
        "num_gpus": 1,
        "on_demand": 400_000,
        "min_bid": bid,
        "gpu_ids": (machine * 10,),
        "geolocation": "Sweden, SE",
        "region": "EU-North",
    }
    return Offer(**{**values, **more})  # type: ignore[arg-type]


def poll(
    at: int, *offers: Offer, model: str = "RTX 4090", quality: Quality = Quality.COMPLETE, every: int = 300
) -> Poll:
    """A poll of one model."""
    return Poll(model, at, quality, offers, every)


@dataclass(slots=True)
class ScriptedSource:
    """Answers each fetch by ``script(vast_name, at)``: offers, or a whole Fetch for a refusal."""

    script: Callable[[str, int], Sequence[Offer] | Fetch]
    fetched: list[tuple[str, int]] = field(default_factory=list)
    reserves: int = 512

    async def fetch(
        self,
        vast_name: str,
        *,
        at: int,
        interval: int,
        models: Sequence[str],
        max_rows: int | None = None,
        reserve: Reserve | None = None,
    ) -> Fetch:
        """What the script says; one row an offer."""
        if reserve is not None:
            await reserve(self.reserves)
        self.fetched.append((vast_name, at))
        said = self.script(vast_name, at)
        if isinstance(said, Fetch):
            return said
        polls = (Poll(vast_name, at, Quality.COMPLETE, tuple(said), interval),)
        return Fetch(vast_name, at, polls, Quality.COMPLETE, rows=len(said), requests=1)

    async def aclose(self) -> None:
        """Nothing to close."""
