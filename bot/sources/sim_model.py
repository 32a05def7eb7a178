"""One GPU model of the simulated market: hosts, machines and their blocks of GPUs, moved by events.

A block is the smallest slice that a machine rents. It is free, outbid (on offer, but only at a raised min_bid) or
taken; free and other times alternate with lognormal lengths. Nothing is drawn at random when the market is looked at,
so what happens does not depend on who polls when.
"""

from __future__ import annotations

import heapq
import math
import random
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any

from analytics.market import DAY, HOUR, Offer, micro
from analytics.regions import region_of
from bot.sources import sim_calibration as cal
from bot.sources.sim_calibration import SimModel, share_at, value_at

WEEK = 7 * DAY
GONE = -1
"""In the log of changes: the machine is no longer listed, and its end_date has come."""
ID_SPACE = 10_000
"""Machine ids of one model; its host ids lie in the upper half."""
_MONDAY = 3 * DAY
"""1970 began on a Thursday: three days are added to count weeks from Monday."""
_NORMAL_QUARTILE = 0.6745
"""Median absolute value of a standard normal."""
_FREE, _TAKEN = 1.0, 0.0


class Clock:
    """Time that runs faster in some hours of the week: ``ratio`` is peak over trough, the mean speed is 1."""

    def __init__(self, ratio: float, peak_hour: int) -> None:
        weights = [math.exp(math.log(ratio) / 2 * _season(index, peak_hour)) for index in range(WEEK // HOUR)]
        scale = len(weights) / sum(weights)
        self.weights = [weight * scale for weight in weights]
        self._sums = [0.0]
        for weight in self.weights:
            self._sums.append(self._sums[-1] + weight * HOUR)

    def after(self, at: float, duration: float) -> float:
        """The second when ``duration`` seconds of this time have passed since ``at``."""
        weeks, rest = divmod(at + _MONDAY, WEEK)
        hour = int(rest // HOUR)
        more, target = divmod(self._sums[hour] + (rest - hour * HOUR) * self.weights[hour] + duration, WEEK)
        hour = min(bisect_right(self._sums, target), len(self.weights)) - 1
        return (weeks + more) * WEEK + hour * HOUR + (target - self._sums[hour]) / self.weights[hour] - _MONDAY


def _season(index: int, peak_hour: int) -> float:
    """From -1 to 1 over the hours of the week: high at the peak hour of working days."""
    wave = math.cos(2 * math.pi * (index % 24 - peak_hour) / 24)
    working = 1 if index < 5 * 24 else -1
    return (1 - cal.WEEKDAY_WEIGHT) * wave + cal.WEEKDAY_WEIGHT * working


@dataclass(slots=True, eq=False)
class Host:
    """Who lists machines: one place, one way of pricing."""

    id: int
    place: str
    datacenter: bool
    offset: float
    """log price against the model's level"""
    bid_ratio: float
    machines: list[Machine] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Machine:
    """One machine; ``rows`` keeps its offers until something changes."""

    id: int
    host: Host
    verified: bool
    reliability: float
    pace: float
    """its free and other times against the model's"""
    tweak: float
    """log price against its host's"""
    storage_cost: int
    egress_cost: int
    end_date: int = 0
    blocks: list[Block] = field(default_factory=list)
    on_demand: int = 0
    min_bid: int = 0
    off_until: float = 0.0
    gone: bool = False
    rows: tuple[Offer, ...] | None = None


@dataclass(slots=True, eq=False)
class Block:
    """The smallest slice. ``pressure`` multiplies the host's min_bid: 1 free, more when outbid, 0 when taken."""

    number: int
    machine: Machine
    gpu_ids: tuple[int, ...]
    pressure: float = _TAKEN
    returns: int = 0
    bid: int = 0
    """min_bid per GPU as on offer now; 0 when it is not"""


class ModelMarket:
    """One model's market. ``index`` keeps its ids apart from other models'."""

    def __init__(self, spec: SimModel, index: int, seed: int, start: int, hazard_ratio: float) -> None:
        self.spec, self.name, self.now, self.blocks = spec, spec.name, start, list[Block]()
        self._rng = random.Random(f"{seed}/{spec.name}")  # noqa: S311 - a simulation, not a secret
        ratio = spec.hazard_ratio or hazard_ratio
        self._losing = Clock(ratio, cal.PEAK_HOUR_UTC)
        self._returning = Clock(ratio**cal.RELEASE_POWER, cal.RELEASE_HOUR_UTC)
        self._events: list[tuple[int, int, Callable[[Any], None], Any]] = []
        self._sequence = 0
        self._base_id, self._index = (index + 1) * ID_SPACE, 0
        self._hosts: list[Host] = []
        self._listed, self._level = 0, 0.0
        self._phases = [self._rng.random() for _ in range(3)]
        self._book: tuple[Offer, ...] | None = None
        self._log = (array("q"), array("i"), array("q"))
        self._set_curves()
        while self._listed < spec.machines:
            self._new_host(most=spec.machines - self._listed, settled=True)
        self._in(self._rng.expovariate(1 / cal.REGIME_MEAN_DAYS) * DAY, self._regime)

    def _set_curves(self) -> None:
        spec = self.spec
        down_mean_h = spec.up_median_h * math.exp(spec.up_sigma**2 / 2) * (1 - spec.availability) / spec.availability
        self._log_up = math.log(spec.up_median_h * HOUR)
        self._log_down = math.log(down_mean_h * HOUR) - cal.DOWN_SIGMA**2 / 2
        self._up_sigma = math.sqrt(spec.up_sigma**2 - cal.MACHINE_SIGMA**2)
        self._bid_power = math.log(share_at(cal.BID_RATIO, spec.bid_ratio)) / math.log(0.5)
        self._step_sigma = min(spec.reprice_step / _NORMAL_QUARTILE, spec.spread)
        self._kept = math.sqrt(1 - (self._step_sigma / spec.spread) ** 2)

    def advance(self, to: int) -> None:
        """Let everything happen up to and including second ``to``."""
        events = self._events
        while events[0][0] <= to:
            self.now, _, act, subject = heapq.heappop(events)
            act(subject)
        self.now = to

    def offers(self) -> tuple[Offer, ...]:
        """What is on offer now: every block and every union of neighbouring ones that could be rented together."""
        if self._book is None:
            machines = [machine for host in self._hosts for machine in host.machines]
            self._book = tuple(offer for machine in machines for offer in self._rows(machine))
        return self._book

    def changes(self) -> Iterator[tuple[int, int, int]]:
        """All that happened: (second, block number, min_bid from then on; 0 when not on offer, or GONE)."""
        return zip(*self._log, strict=True)

    def _in(self, seconds: float, act: Callable[[Any], None], subject: Any = None) -> None:
        self._at(self.now + seconds, act, subject)

    def _at(self, when: float, act: Callable[[Any], None], subject: Any) -> None:
        self._sequence += 1
        heapq.heappush(self._events, (math.ceil(when), self._sequence, act, subject))

    # Listing: hosts and machines come, are extended, and go.

    def _new_host(self, offset: float | None = None, *, most: int, least: int = 1, settled: bool = False) -> None:
        rng, spec = self._rng, self.spec
        host = Host(
            id=self._base_id + ID_SPACE // 2 + len(self._hosts),
            place=rng.choices(tuple(cal.PLACES), tuple(cal.PLACES.values()))[0],
            datacenter=rng.random() < cal.DATACENTER_SHARE,
            offset=spec.spread * NormalDist().inv_cdf(self._spread_out(0)) if offset is None else offset,
            bid_ratio=self._bid_ratio(self._spread_out(1)),
        )
        self._hosts.append(host)
        with_preferences = 1 + round(rng.expovariate(1 / (spec.host_machines - 1)))
        for _ in range(min(most, max(least, with_preferences))):
            self._new_machine(host, settled)
        self._in(rng.expovariate(spec.reprice_per_day) * DAY, self._reprice, host)

    def _spread_out(self, purpose: int) -> float:
        """Even steps over (0, 1) from a random phase."""
        return (self._phases[purpose] + len(self._hosts) * cal.HOST_STRIDES[purpose]) % 1 or 0.5

    def _bid_ratio(self, share: float) -> float:
        ratio, usual = value_at(cal.BID_RATIO, share**self._bid_power), self.spec.bid_ratio
        return ratio if ratio >= 1 else usual * (ratio / usual) ** cal.BID_RATIO_KEPT

    def _new_machine(self, host: Host, settled: bool) -> None:
        rng, spec = self._rng, self.spec
        self._index, self._listed = self._index + 1, self._listed + 1
        share = self._phases[2] + self._index * spec.verified
        machine = Machine(
            id=self._base_id + self._index,
            host=host,
            verified=int(share) > int(share - spec.verified),
            reliability=min(0.9999, round(1 - spec.failures * (1 - value_at(cal.RELIABILITY, rng.random())), 4)),
            pace=rng.lognormvariate(0, cal.MACHINE_SIGMA),
            tweak=rng.gauss(0, cal.MACHINE_PRICE_SIGMA) if rng.random() < cal.MACHINE_PRICE_SHARE else 0.0,
            storage_cost=micro(round(value_at(cal.STORAGE_COST, rng.random()), 3)),
            egress_cost=micro(value_at(cal.EGRESS_COST, rng.random())),
        )
        host.machines.append(machine)
        size = rng.choices(cal.SIZES, spec.sizes)[0]
        step = self._block_size(size)
        for first in range(0, size, step):
            gpus = range(machine.id * max(cal.SIZES) + first, machine.id * max(cal.SIZES) + first + step)
            machine.blocks.append(Block(len(self.blocks), machine, tuple(gpus)))
            self.blocks.append(machine.blocks[-1])
        self._price(machine)
        for block in machine.blocks:
            self._open(block, settled)
        self._extend(machine)
        self._show(machine)
        self._in(self._time_to_failure(machine), self._fail, machine)

    def _block_size(self, size: int) -> int:
        draw = self._rng.random()
        if draw < cal.WHOLE_SHARE:
            return size
        return max(1, size // 2) if draw < cal.WHOLE_SHARE + cal.HALF_SHARE else 1

    def _open(self, block: Block, settled: bool) -> None:
        """A new listing is free; in a settled market each block is in the middle of whatever it does."""
        if not settled or self._rng.random() < self.spec.availability:
            self._set(block, _FREE, self._rng.random() if settled else None)
        else:
            self._set(block, self._loss(), self._rng.random())

    def _extend(self, machine: Machine) -> None:
        days = self._rng.lognormvariate(math.log(cal.END_DAYS_MEDIAN), cal.END_DAYS_SIGMA)
        machine.end_date = self.now + int(days * DAY)
        machine.rows = self._book = None
        self._at(machine.end_date, self._expire, machine)

    def _expire(self, machine: Machine) -> None:
        if self._rng.random() < cal.LEAVE_SHARE:
            machine.gone = True
            machine.host.machines.remove(machine)
            self._listed -= 1
            self._show(machine)
            self._in(self._rng.expovariate(1 / cal.ARRIVAL_MEAN_DAYS) * DAY, self._replace)
        else:
            self._extend(machine)

    def _replace(self, _: None) -> None:
        if self._listed < self.spec.machines:
            self._new_host(most=1)

    # Blocks: free, outbid, taken.

    def _flip(self, block: Block) -> None:
        if block.machine.gone:
            return
        block.returns += block.pressure == _TAKEN
        self._set(block, _FREE if block.pressure != _FREE else self._loss())
        self._show(block.machine)

    def _set(self, block: Block, pressure: float, met_at: float | None = None) -> None:
        """Put a block into a state and draw how long; ``met_at``: it is met when that share of the state is over."""
        free = pressure == _FREE
        block.pressure = pressure
        log_median, sigma = (self._log_up, self._up_sigma) if free else (self._log_down, cal.DOWN_SIGMA)
        # States met at random are length-biased, which shifts a lognormal's log mean by its variance.
        shift = 0.0 if met_at is None else sigma**2
        lasts = block.machine.pace * self._rng.lognormvariate(log_median + shift, sigma) * (1 - (met_at or 0.0))
        clock = self._losing if free else self._returning
        self._at(clock.after(self.now, max(lasts, cal.SHORTEST_RUN_S)), self._flip, block)

    def _loss(self) -> float:
        if self._rng.random() >= cal.OUTBID_SHARE:
            return _TAKEN
        return cal.OUTBID_LEAST + self._rng.expovariate(1 / cal.OUTBID_MEAN)

    # Machines fail and come back, sometimes all of a host's.

    def _time_to_failure(self, machine: Machine) -> float:
        odds = machine.reliability / (1 - machine.reliability)
        return self._rng.expovariate(1 / (cal.OFFLINE_MEAN_S * odds))

    def _fail(self, machine: Machine) -> None:
        if machine.gone:
            return
        lasts = self._rng.expovariate(1 / cal.OFFLINE_MEAN_S)
        self._go_off((machine, lasts))
        if self._rng.random() < cal.HOST_OUTAGE_SHARE:
            for other in machine.host.machines:
                self._in(self._rng.uniform(0, cal.HOST_OUTAGE_SPREAD_S), self._go_off, (other, lasts))
        self._in(lasts + self._time_to_failure(machine), self._fail, machine)

    def _go_off(self, failure: tuple[Machine, float]) -> None:
        machine, lasts = failure
        machine.off_until = max(machine.off_until, self.now + lasts)
        self._show(machine)
        self._at(machine.off_until, self._show, machine)

    # Prices: hosts change them rarely, the whole level more rarely still.

    def _reprice(self, host: Host) -> None:
        host.offset = host.offset * self._kept + self._rng.gauss(0, self._step_sigma)
        self._follow(host)
        if host.machines:
            self._in(self._rng.expovariate(self.spec.reprice_per_day) * DAY, self._reprice, host)

    def _follow(self, host: Host) -> None:
        for machine in host.machines:
            self._price(machine)
            self._show(machine)

    def _price(self, machine: Machine) -> None:
        asked = self.spec.on_demand * math.exp(self._level + machine.host.offset + machine.tweak)
        machine.on_demand = micro(max(round(asked, 3), 0.001))
        machine.min_bid = micro(max(round(asked * machine.host.bid_ratio, 4), 0.001))
        if machine.host.bid_ratio == 1:
            machine.min_bid = machine.on_demand
        machine.rows = self._book = None

    def _regime(self, _: None) -> None:
        """Either a new host lists many machines at its own prices, or the level moves and hosts follow one by one."""
        rng, spec = self._rng, self.spec
        if rng.random() < 0.5:
            many = max(2, round(spec.machines * rng.uniform(*cal.NEW_HOST_SHARE)))
            self._new_host(rng.gauss(0, cal.NEW_HOST_SIGMA), most=many, least=many)
        else:
            self._level = self._level * cal.REGIME_KEPT + rng.gauss(0, cal.REGIME_SIGMA)
            for host in self._hosts:
                self._in(rng.expovariate(1 / (cal.FOLLOW_MEAN_H * HOUR)), self._follow, host)
        self._in(rng.expovariate(1 / cal.REGIME_MEAN_DAYS) * DAY, self._regime)

    # What is on offer, and the log of it.

    def _show(self, machine: Machine) -> None:
        """Bring a machine's offers up to date, and log which blocks changed."""
        away = machine.gone or machine.off_until > self.now
        for block in machine.blocks:
            bid = 0 if away else round(machine.min_bid * block.pressure)
            if bid != block.bid or machine.gone:
                block.bid = bid
                machine.rows = self._book = None
                for column, value in zip(
                    self._log, (self.now, block.number, GONE if machine.gone else bid), strict=True
                ):
                    column.append(value)

    def _rows(self, machine: Machine) -> tuple[Offer, ...]:
        if machine.rows is None:
            machine.rows = tuple(self._unions(machine))
        return machine.rows

    def _unions(self, machine: Machine) -> Iterator[Offer]:
        width, blocks = 1, machine.blocks
        while width <= len(blocks):
            for first in range(0, len(blocks), width):
                part = blocks[first : first + width]
                if all(block.bid for block in part):
                    yield self._offer(machine, part)
            width *= 2

    def _offer(self, machine: Machine, part: list[Block]) -> Offer:
        gpu_ids = tuple(gpu for block in part for gpu in block.gpu_ids)
        slice_number = gpu_ids[0] * len(cal.SIZES) + len(gpu_ids).bit_length()
        return Offer(
            model=self.name,
            machine_id=machine.id,
            num_gpus=len(gpu_ids),
            on_demand=machine.on_demand,
            min_bid=max(block.bid for block in part),
            verified=machine.verified,
            gpu_ids=gpu_ids,
            geolocation=machine.host.place,
            region=region_of(machine.host.place),
            reliability=machine.reliability,
            host_id=machine.host.id,
            offer_id=slice_number * 1000 + sum(block.returns for block in part) % 1000,
            gpu_ram_mb=self.spec.gpu_ram_mb,
            end_date=machine.end_date,
            datacenter=machine.host.datacenter,
            storage_cost=machine.storage_cost,
            egress_cost=machine.egress_cost,
            disk_gb=_disk_gb(machine, len(gpu_ids)),
        )


def _disk_gb(machine: Machine, gpus: int) -> int:
    """A slice's part of its machine's disk; it follows from the machine's number, so that no other draw changes."""
    size = sum(len(block.gpu_ids) for block in machine.blocks)
    return cal.DISK_GB[machine.id % len(cal.DISK_GB)] * gpus // size
