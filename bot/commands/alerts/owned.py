"""What the verbs of ``alert`` share: whose rules they are, who may change them, and where their messages go."""

from __future__ import annotations

from dataclasses import dataclass, replace

from analytics.errors import NotFound, Refused
from analytics.evidence import Note
from bot.accounts import Asker, permits
from bot.alerts.codec import load_rule, load_state
from bot.alerts.rules import Rule
from bot.alerts.state import State
from bot.commands.team_settings import has_no_channel
from bot.dispatch.command import Param, QueryContext
from bot.store.alerts import LETTERS, AlertReads, AlertRow, Owner
from bot.store.api_keys import KEY_PERSON
from bot.store.audit import AuditEntry
from bot.store.outbox import Destination
from bot.store.writer import Writer

LAST = "last"

ID = Param(
    "id", "text", "the alert's name, as “alert list” shows it; “last” is your newest", required=True, suggest=(LAST,)
)
ID_OR_LAST = replace(ID, required=False, default=LAST)


@dataclass(frozen=True, slots=True)
class Owned:
    """A rule with its meaning."""

    row: AlertRow
    rule: Rule
    state: State


def asker_of(query: QueryContext) -> Asker:
    """Who asks; alerts belong to people in chat."""
    if query.asker is None:
        raise Refused(Note("alerts belong to people in chat, to “spotbot chat”, or to an API key with an owner"))
    return query.asker


def owner_of(asker: Asker) -> Owner:
    """In whose name a rule is made."""
    return Owner(asker.platform, asker.enterprise, asker.team, asker.person)


async def find(alerts: AlertReads, asker: Asker, public_id: str) -> Owned:
    """A rule of the asker's team, in lower or upper case; one of another team is as one that is not there.

    Discord's direct messages are of no server, so a rule of a server that is told there is known there by its name.
    """
    name = public_id.strip().lower()
    row = None
    if name == LAST:
        row = await _newest(alerts, asker)
    elif set(name) <= set(LETTERS):  # no database takes every text: PostgreSQL refuses a zero byte
        row = await alerts.find(asker.platform, asker.enterprise, asker.team, name)
        if row is None and asker.is_alone:
            told = await alerts.told_alone(asker.platform, asker.person)
            row = next((one for one in told if one.public_id == name), None)
    if row is None:
        raise NotFound(Note("there is no alert of that name here"), suggestions=("alert list",))
    return Owned(row, load_rule(row.rule), load_state(row.state))


async def known_to(alerts: AlertReads, asker: Asker) -> list[AlertRow]:
    """The rules that an asker may look at: their team's; where they are alone, also those told to them there."""
    rows = await alerts.of_team(asker.platform, asker.enterprise, asker.team)
    told = await alerts.told_alone(asker.platform, asker.person) if asker.is_alone else []
    return [*rows, *(row for row in told if row.owner.team != asker.team)]


async def _newest(alerts: AlertReads, asker: Asker) -> AlertRow | None:
    if not asker.is_alone:
        return await alerts.newest(owner_of(asker))
    mine = [row for row in await known_to(alerts, asker) if row.owner.person == asker.person]
    return max(mine, key=lambda row: row.id, default=None)


def may_change(owned: Owned, asker: Asker) -> None:
    """Only who made a rule, and managers, may change or delete it."""
    if owned.row.owner.person != asker.person and not permits(asker.role, "manager"):
        raise Refused(Note("only who made this alert, or a manager, may do that"))


def may_be_told(asker: Asker, *, direct: bool) -> None:
    """A program has a channel and reads no direct messages."""
    if direct and asker.person.startswith(KEY_PERSON):
        raise Refused(Note("an API key has no direct messages; its alerts are told in its channel"))


def is_told_alone(asker: Asker, to: str) -> bool:
    """Whether messages go to the person: as asked for, or because it is asked where no channel is."""
    return to == "dm" or not asker.channel


async def note(
    writer: Writer, asker: Asker, action: str, public_id: str, at: int, *, team: str | None = None, **details: object
) -> None:
    """Write down who did what to a rule, in the transaction that does it; ``team``: the rule's, if not theirs."""
    whose = asker.team if team is None else team
    await writer.audit.add(AuditEntry(at, asker.platform, whose, asker.person, action, f"alert/{public_id}", details))


async def resume(writer: Writer, asker: Asker, destination_id: int, at: int) -> None:
    """Send again where nothing could be delivered any more, and write it down of each rule that is told there."""
    if await writer.outbox.disabled(destination_id) is None:
        return
    await writer.outbox.enable(destination_id)
    for row in await writer.alerts.of_destination(destination_id):
        await note(writer, asker, "resume", row.public_id, at, team=row.owner.team)


def place_of(asker: Asker, *, direct: bool) -> Destination:
    """Where messages for an asker go: the channel they ask in, or their direct messages."""
    alone = direct or has_no_channel(asker)
    channel, person = ("", asker.person) if alone else (asker.channel, "")
    return Destination(asker.platform, asker.enterprise, asker.team, channel, person)


async def destination(writer: Writer, asker: Asker, *, direct: bool) -> int:
    """Where the messages of a rule go."""
    to = place_of(asker, direct=direct)
    return await writer.outbox.destination(
        to.platform, to.team, channel=to.channel, person=to.person, enterprise=to.enterprise
    )
