"""The offer that an answer ends with."""

from __future__ import annotations

from dataclasses import dataclass, field

from analytics.evidence import OMIT, Note


@dataclass(frozen=True, slots=True)
class OfferNow:
    """An offer that fits; prices in USD. ``price_per_hour`` and ``all_in_per_hour`` are for all GPUs of the slice."""

    gpu_name: str
    machine_id: int
    offer_id: int | None
    num_gpus: int
    region: str
    geolocation: str | None
    spot_price: float | None
    """the least bid per GPU-hour"""
    on_demand_price: float | None
    """per GPU-hour"""
    market: str
    """``spot`` or ``on-demand``: what the prices below and the lines are of"""
    price_per_hour: float
    all_in_per_hour: float | None
    """with the disk; without traffic. None where the offer does not say what its disk costs"""
    disk_gb: int
    reliability: float | None
    """the market's own host score"""
    until: str | None
    as_of: str
    old: bool
    """seen longer ago than two planned polls, or at a time that is ahead of now"""
    why: Note
    """what the bid is, or why none is made"""
    search_command: str
    """finds offers like this one: its number of GPUs, its market"""
    create_command: str | None
    """None where the offer is old: it may be gone, so search first"""
    ends_before_hours: float | None = field(default=None, metadata=OMIT)
    """hours that the work takes, where the offer ends before they are over; else left out"""
