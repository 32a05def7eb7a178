"""What the verbs of ``dashboard`` and ``digest`` share: whose they are, who may change them, and where they go."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from analytics.errors import AskError, NotFound, Refused
from analytics.evidence import Note, Plural
from bot.accounts import Asker, permits
from bot.commands.alerts.owned import LAST, asker_of, destination, may_be_told, owner_of, resume
from bot.commands.team_settings import has_no_channel, limit_of
from bot.commands.windows import zone
from bot.dispatch.command import Param, QueryContext
from bot.presentation.words import LOCALES, Words
from bot.schedules.producing import removal, topic_of
from bot.schedules.specs import MORNING, Spec, dump, kind_of, load
from bot.store.audit import AuditEntry
from bot.store.outbox import Destination
from bot.store.schedules import ScheduleKind, ScheduleReads, ScheduleRow
from bot.store.writer import Writer

MOST_OF_PERSON, MOST_OF_TEAM = 20, 100
"""Dashboards, and digests, at most (ours): each is made anew at its times, whether or not somebody looks."""

LIMITS: Mapping[ScheduleKind, str] = {"dashboard": "dashboards", "digest": "digests"}
"""The settings by which a team has fewer."""

MOST_GPUS = 20
"""Models of one: more than that is no overview."""

DIRECT = "dm"
"""How a person's direct messages are called where channels have ids."""

TO = Param(
    "to",
    "choice",
    "here; dm: to you alone; channel: here too, or the team's channel where you are in none",
    default="here",
    choices=("here", "dm", "channel"),
)
GPUS = Param("gpus", "gpus", "the models; your default ones, or all, when not given", default=())
AT = Param("at", "time_of_day", "the time of day; 09:00 when not given", suggest=("09:00", "18:00"))
TZ = Param("tz", "text", "the time zone; your team's, or yours, when not given", positional=False)
LANGUAGE = Param(
    "language", "choice", "in which language; your team's when not given", choices=tuple(LOCALES), positional=False
)


@dataclass(frozen=True, slots=True)
class Owned:
    """A dashboard or digest with its meaning."""

    row: ScheduleRow
    spec: Spec


async def named_models(query: QueryContext, gpus: Sequence[str] | None) -> tuple[str, ...]:
    """The models of a new one; () for all. ``gpus``: empty where none were named, None where all were."""
    if gpus and len(gpus) > MOST_GPUS:
        raise AskError(Note(Plural("at most {n} model", "at most {n} models"), {"n": MOST_GPUS}))
    if gpus or gpus is None:
        return tuple(gpus or ())
    known = await query.known()
    return tuple(name for name in query.preferences.gpus if name in known)


def zone_of(query: QueryContext, tz: str | None) -> str:
    """The time zone that was said, else that of the team, else the asker's; raises AskError where it is not known."""
    if tz:
        zone(tz)
        return tz
    if query.team.tz:
        try:
            zone(query.team.tz)
        except AskError:
            return query.zone()
        return query.team.tz
    return query.zone()


def language_of(query: QueryContext, said: str | None, *, direct: bool) -> str | None:
    """The language to keep: the one that was said; in a channel without one, that of who asks."""
    if said:
        return said
    return None if direct or query.team.language else query.language


def time_of(at: int | None) -> int:
    """The minute of the day that was said, or the morning."""
    return MORNING if at is None else at


def is_direct(asker: Asker, to: str) -> bool:
    """Whether it goes to the asker's direct messages."""
    return to == "dm" or has_no_channel(asker)


async def put(
    query: QueryContext, writer: Writer, spec: Spec, *, direct: bool, same: Callable[[Spec], bool]
) -> tuple[ScheduleRow, bool]:
    """Store a new one, or let the one there that is the ``same`` say something else; gives it and whether it was there.

    Where nothing could be delivered any more, it is tried again.
    """
    asker = asker_of(query)
    may_be_told(asker, direct=direct)
    to_id = await destination(writer, asker, direct=direct)
    await resume(writer, asker, to_id, query.now)
    rows = await writer.schedules.of_team(asker.platform, asker.enterprise, asker.team)
    there = next((row for row in rows if row.destination_id == to_id and same(load(row))), None)
    due_at = spec.next_after(query.now, query.now if there is None else there.created_at)
    if there is not None:
        may_change(there, asker)
        if there.due_at == spec.last_by(query.now, there.created_at):  # it is its time, and nobody looked yet
            due_at = there.due_at
        await writer.schedules.change(there.id, query.now, spec=dump(spec), due_at=due_at)
        await note(writer, asker, "edit", there, query.now)
        return replace(there, spec=dump(spec), due_at=due_at), True
    _refuse_too_many(rows, query, kind_of(spec))
    id_ = await writer.schedules.create(owner_of(asker), to_id, kind_of(spec), dump(spec), due_at, query.now)
    row = await writer.schedules.by_id(id_)
    if row is None:
        raise AssertionError("it was stored a moment ago")
    await note(writer, asker, "create", row, query.now)
    return row, False


def _refuse_too_many(rows: Sequence[ScheduleRow], query: QueryContext, kind: ScheduleKind) -> None:
    of_kind = [row for row in rows if row.kind == kind]
    mine = sum(row.owner.person == asker_of(query).person for row in of_kind)
    team = limit_of(query.settings, LIMITS[kind], MOST_OF_TEAM)
    limits = {"mine": min(MOST_OF_PERSON, team), "team": team}
    if mine >= limits["mine"] or len(of_kind) >= limits["team"]:
        raise Refused(Note("at most {mine} a person and {team} a team; turn some off first", limits))


async def here(schedules: ScheduleReads, asker: Asker, *, direct: bool) -> list[Owned]:
    """Those that are told where a new one of the asker would be."""
    rows = await schedules.of_team(asker.platform, asker.enterprise, asker.team)
    wanted = ("", asker.person) if direct else (asker.channel, "")
    return [Owned(row, load(row)) for row in rows if (row.destination.channel, row.destination.person) == wanted]


async def known_to(schedules: ScheduleReads, asker: Asker) -> list[ScheduleRow]:
    """Those that an asker may look at: of their team, but not what others are told alone; where they are alone, also
    what they made in teams to be told there.
    """
    rows = await schedules.of_team(asker.platform, asker.enterprise, asker.team)
    told = await schedules.told_alone(asker.platform, asker.person) if asker.is_alone else []
    rows = [row for row in rows if row.destination.person in ("", asker.person)]
    return [*rows, *(row for row in told if row.owner.team != asker.team)]


async def find(schedules: ScheduleReads, asker: Asker, kind: ScheduleKind, name: str) -> Owned:
    """One of this team by its name; one of another team is as one that is not there."""
    said = name.strip().lower()
    rows = [row for row in await known_to(schedules, asker) if row.kind == kind]
    mine = [row for row in rows if row.owner.person == asker.person]
    found = mine[-1:] if said == LAST else [row for row in rows if row.public_id == said]
    if not found:
        raise NotFound(
            Note("there is no {kind} of that name here", {"kind": Note(kind)}), suggestions=(f"{kind} list",)
        )
    return Owned(found[0], load(found[0]))


def may_change(row: ScheduleRow, asker: Asker) -> None:
    """Only who made one, and managers, may change it or turn it off."""
    if row.owner.person != asker.person and not permits(asker.role, "manager"):
        raise Refused(Note("only who made it, or a manager, may do that"))


async def turn_off(writer: Writer, row: ScheduleRow, asker: Asker, now: int) -> None:
    """End one; what waits of it is not sent, and a dashboard's message is taken out of its channel."""
    await writer.outbox.cancel(topic_of(row.id), now)  # messages first, as where what became of them is recorded
    message = await writer.schedules.end(row.id, now, "turned off")
    if message is not None:
        await writer.outbox.add([removal(row.destination_id, row.id, message)], now)
    await note(writer, asker, "delete", row, now)


async def note(writer: Writer, asker: Asker, action: str, row: ScheduleRow, at: int) -> None:
    """Write down who did what, in the transaction that does it."""
    subject = f"{row.kind}/{row.public_id}"
    await writer.audit.add(AuditEntry(at, asker.platform, row.owner.team, asker.person, action, subject, {}))


def where(to: Destination) -> str:
    """A channel's id, or that it is a person's direct messages."""
    return to.channel or DIRECT


def place_in_words(place: str, channel: str, words: Words) -> str:
    """A place of :func:`where` for a person: an id says nothing of the channel that they ask in."""
    if place == DIRECT:
        return words("direct messages")
    return words("this channel") if place and place == channel else place


def told_in(channel: str | None, words: Words) -> tuple[str, ...]:
    """That it is told in the team's channel, where it was asked elsewhere."""
    return (words("It is told in the team's channel {id}.", id=channel),) if channel else ()
