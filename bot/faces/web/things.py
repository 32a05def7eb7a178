"""What can be made, changed and deleted on pages of its own: each act is one command, done as anywhere else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Way = Literal["at once", "asks first", "sheet"]
"""How an act is done: by its button, on a page that asks whether to, or on a sheet that shows what holds now."""


@dataclass(frozen=True, slots=True)
class Act:
    """Something that is done with one thing. ``verb``: its command's second word, and the end of its address."""

    verb: str
    label: str
    way: Way = "at once"
    style: str = ""
    takes: tuple[str, ...] = ()
    """parameters of the command that stand beside its button"""
    more: tuple[str, ...] = ()
    """those that stand there on the thing's own page"""
    makers: bool = False
    """only for who made the thing, and managers"""
    ends: bool = False
    """the thing is gone afterwards"""


@dataclass(frozen=True, slots=True)
class Things:
    """A list, and a page for each of it. ``group``: its commands' first word; ``rows``: the list in the answer."""

    group: str
    path: str
    title: str
    summary: str
    rows: str
    adding: str
    """what the form for a new one is called"""
    often: tuple[str, ...]
    """parameters of a new one that are shown at once; the others are folded"""
    detail: str
    """verb of the thing's own page"""
    acts: tuple[Act, ...]
    tries: str = ""
    """verb that tells of a new one before it is saved"""

    @property
    def texts(self) -> Iterator[str]:
        """Those that a person sees."""
        yield from (self.title, self.summary, self.adding, *(act.label for act in self.acts))


ALERTS = Things(
    group="alert",
    path="/alerts",
    title="Alerts",
    summary="Be told when a price, or what is free, reaches a mark",
    rows="alerts",
    adding="New alert",
    often=("gpu", "condition", "to", "hold", "repeat"),
    detail="show",
    acts=(
        Act("edit", "Edit", "sheet", makers=True),
        Act("snooze", "Snooze", takes=("time",)),
        Act("ack", "Acknowledge"),
        Act("test", "Test it", makers=True),
        Act("delete", "Delete", "asks first", "danger", makers=True, ends=True),
    ),
    tries="preview",
)
WEBHOOKS = Things(
    group="webhook",
    path="/webhooks",
    title="Webhooks",
    summary="Let a program of yours be told of alerts and prices",
    rows="webhooks",
    adding="New webhook",
    often=("url", "events", "gpus", "change"),
    detail="log",
    acts=(
        Act("test", "Test it"),
        Act("replay", "Send again", more=("message", "since")),
        Act("rotate", "New secret", "asks first"),
        Act("delete", "Delete", "asks first", "danger", ends=True),
    ),
)

THINGS = (ALERTS, WEBHOOKS)
"""All of them, in the order of the menu."""
