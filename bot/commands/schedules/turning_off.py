"""``dashboard off`` and ``digest off``: one by its name, by its view, the only one that is here, or all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analytics.errors import AskError
from analytics.evidence import Note
from bot.commands.alerts.owned import asker_of
from bot.commands.schedules.owned import Owned, find, here, is_direct, may_change, turn_off
from bot.dispatch.command import QueryContext
from bot.presentation.card import Card
from bot.presentation.words import Words
from bot.schedules.descriptions import VIEWS, describe
from bot.schedules.specs import DashboardSpec
from bot.store.schedules import ScheduleKind

ALL = "all"

_NONE: Mapping[ScheduleKind, str] = {
    "dashboard": "there is no such dashboard in this channel",
    "digest": "there is no digest in this channel",
}
_SEVERAL: Mapping[ScheduleKind, str] = {
    "dashboard": "there are several dashboards here; say which",
    "digest": "there are several digests here; say which",
}


@dataclass(frozen=True, slots=True)
class TurnedOff:
    """What ended."""

    what: tuple[Note, ...]


async def ask_off(query: QueryContext, kind: ScheduleKind, which: str | None) -> TurnedOff:
    """End those that are meant, all or none of them."""
    asker = asker_of(query)
    async with query.writing() as writer:
        there = await here(writer.schedules, asker, direct=is_direct(asker, "here"))
        chosen = await _chosen(query, kind, which, [one for one in there if one.row.kind == kind])
        for one in chosen:
            may_change(one.row, asker)
        for one in chosen:
            await turn_off(writer, one.row, asker, query.now)
    return TurnedOff(tuple(describe(one.spec) for one in chosen))


async def _chosen(
    query: QueryContext, kind: ScheduleKind, which: str | None, there: Sequence[Owned]
) -> Sequence[Owned]:
    said = (which or "").strip().lower()
    by_view = kind == "dashboard" and said in VIEWS
    if said and said != ALL and not by_view:
        return [await find(query.reader.schedules, asker_of(query), kind, said)]
    meant = [one for one in there if _view(one) == said] if by_view else there
    if not meant:
        raise AskError(Note(_NONE[kind]), suggestions=(f"{kind} list",))
    if said or len(meant) == 1:
        return meant
    names = [f"{kind} off {one.row.public_id}" for one in there]
    raise AskError(Note(_SEVERAL[kind]), suggestions=(*names, f"{kind} off {ALL}"))


def _view(one: Owned) -> str:
    return one.spec.view if isinstance(one.spec, DashboardSpec) else ""


def off_card(answer: TurnedOff, words: Words) -> Card:
    """What ended."""
    return Card(words("Turned off"), "; ".join(words(what) for what in answer.what))
