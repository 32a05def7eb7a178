"""What of a team's settings somebody changes: each text is read or refused, and the team's alerts follow."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from analytics.errors import AskError, Refused
from analytics.evidence import Note
from analytics.typed_text import plain_text
from bot.accounts import Asker
from bot.alerts.codec import load_rule, load_state
from bot.alerts.engine import rule_row
from bot.alerts.validation import wrong_quiet
from bot.commands.alerts import add
from bot.commands.alerts.options import following, is_never, quiet_hours
from bot.commands.schedules.owned import LIMITS, MOST_OF_TEAM
from bot.commands.team_settings import has_no_channel, quiet_text, team_quiet
from bot.dispatch.command import SHOWN, Param, QueryContext
from bot.store.api_keys import KEY_PERSON
from bot.store.audit import AuditEntry
from bot.store.team_settings import CHANNEL, MANAGERS, QUIET, TeamSetting
from bot.store.writer import Writer

UNSET = frozenset(("none", "off", "default", "-", "nada"))
"""Takes a setting back."""

MOST_MANAGERS = 20
"""Roles and people that a team may count among its managers (ours: more are better one role)."""

OURS: Mapping[str, int] = {
    add.OF_PERSON: add.MOST_OF_PERSON,
    add.OF_TEAM: add.MOST_OF_TEAM,
    **dict.fromkeys(LIMITS.values(), MOST_OF_TEAM),
}
"""How many there may be where a team says nothing, and at most."""

NAMES = (QUIET, CHANNEL, MANAGERS, *OURS)

PARAMS = (
    Param(QUIET, "text", "hours without alerts that have none of their own, e.g. 22:00-07:00", positional=False),
    Param(CHANNEL, "text", "“here”: where to=channel goes if it is said where no channel is", positional=False),
    Param(MANAGERS, "text", "ids of roles and people who count as managers, commas between them", positional=False),
    Param(add.OF_PERSON, "text", "alerts a person at most, fewer than ours", positional=False),
    Param(add.OF_TEAM, "text", "alerts of all together at most, fewer than ours", positional=False),
    *(
        Param(name, "text", f"{name} of all together at most, fewer than ours", positional=False)
        for name in ("dashboards", "digests")
    ),
)
"""Of ``settings team``; “none” takes each back."""

Read = Callable[[QueryContext, str], str]

_SLACK_CHANNEL = re.compile(r"(?:<#)?([CG][A-Z0-9]{2,20})(?:\|[^>]*)?>?")
_PERSON: Mapping[str, re.Pattern[str]] = {
    "slack": re.compile(r"(?:<@)?([UW][A-Z0-9]{1,20})(?:\|[^>]*)?>?"),
    "discord": re.compile(r"(?:<@[&!]?)?([0-9]{15,20})>?"),
}
_SLACK_GROUP = re.compile(r"(?:<!subteam\^)?S[A-Z0-9]{1,20}(?:\|[^>]*)?>?")
_EXAMPLES = {"slack": "managers=U0123ABCD", "discord": "managers=<@&123456789012345678>"}


def read_settings(query: QueryContext, given: Mapping[str, str | None], tz: str | None) -> dict[str, str | None]:
    """The settings that were said as they are kept, None where one is taken back; raises AskError for what cannot be.

    ``tz``: the time zone of quiet hours.
    """
    if given.get(MANAGERS) is not None:
        _may_name_managers(query)
    read: Mapping[str, Read] = {QUIET: _quiet_in(tz), CHANNEL: _channel, MANAGERS: _managers}
    found: dict[str, str | None] = {}
    for name in NAMES:
        text = given.get(name)
        if text is not None:
            said = plain_text(text).strip()
            found[name] = None if _takes_back(name, said) else read.get(name, _limit_of(name))(query, said)
    return found


def _takes_back(name: str, said: str) -> bool:
    return said.lower() in UNSET or (name == QUIET and is_never(said))


def _may_name_managers(query: QueryContext) -> None:
    asker = query.asker
    if asker is None or asker.is_raised or asker.person.startswith(KEY_PERSON):
        raise Refused(
            Note("who is a manager by this setting cannot change it: that is for managers of the chat itself")
        )


def _quiet_in(tz: str | None) -> Read:
    def read(query: QueryContext, said: str) -> str:
        quiet = quiet_hours(query, said, tz)
        for note in wrong_quiet(quiet):
            raise AskError(note, suggestions=("22:00-07:00",))
        return quiet_text(quiet)

    return read


def _channel(query: QueryContext, said: str) -> str:
    """The channel where it is said; on Slack also an id, for there a team's token reaches no other team's channels."""
    asker = query.asker
    if said.lower() in ("here", "aqui") and asker is not None:
        if has_no_channel(asker):
            raise AskError(Note("this is no channel; say it in the one that is meant"))
        return asker.channel
    match = _SLACK_CHANNEL.fullmatch(said) if asker is not None and asker.platform == "slack" else None
    if match is None:
        raise AskError(Note("say “channel=here” in the channel that is meant"), suggestions=("here", "none"))
    return match[1]


def _managers(query: QueryContext, said: str) -> str:
    asker = query.asker
    names = [name.strip() for name in said.split(",") if name.strip()]
    if asker is None or not names:
        raise AskError(Note("managers: ids of roles or people, with commas between them"))
    ids = dict.fromkeys(_manager(asker, name) for name in names)
    if len(ids) > MOST_MANAGERS:
        raise AskError(Note("managers: at most {n}; one role can hold many people", {"n": MOST_MANAGERS}))
    return ",".join(ids)


def _manager(asker: Asker, name: str) -> str:
    if asker.platform == "slack" and _SLACK_GROUP.fullmatch(name):
        raise AskError(Note("Slack does not tell who is in a user group; name people by their ids"))
    form = _PERSON.get(asker.platform)
    match = form.fullmatch(name) if form else None
    if match is None:
        examples = tuple(text for platform, text in _EXAMPLES.items() if platform == asker.platform)
        raise AskError(Note("“{name}” is no id of a role or a person", {"name": name[:SHOWN]}), suggestions=examples)
    if match[1] == asker.team:  # Discord's role of all has its server's id
        raise Refused(Note("that is the role of everybody; not everybody can be a manager"))
    return match[1]


def _limit_of(name: str) -> Read:
    def read(query: QueryContext, said: str) -> str:
        ours = OURS[name]
        good = said.isascii() and said.isdigit() and len(said) <= len(str(ours)) and int(said) <= ours
        if not good:
            limits = {"name": name, "most": ours}
            raise AskError(Note("{name}: a whole number from 0 to {most}, which holds for all teams", limits))
        return str(int(said))

    return read


async def change(writer: Writer, query: QueryContext, said: Mapping[str, str | None]) -> dict[str, TeamSetting]:
    """Keep what was said, let the team's alerts follow it, and give what holds now."""
    asker = query.asker
    if asker is None:
        raise AssertionError("who changes settings is known")
    before = await writer.team_settings.of(asker.platform, asker.team)
    after = {name: one for name, one in before.items() if name not in said}
    for name, value in said.items():
        setting = None if value is None else TeamSetting(value, asker.person, query.now)
        await writer.team_settings.save(asker.platform, asker.team, name, setting)
        after |= {} if setting is None else {name: setting}
    if team_quiet(before) != team_quiet(after):
        await _follow(writer, asker, after, query.now)
    return after


async def _follow(writer: Writer, asker: Asker, settings: Mapping[str, TeamSetting], now: int) -> None:
    """Give the team's rules that have no quiet hours of their own those of now, and the times that follow from them."""
    changed = []
    for row in await writer.alerts.of_team(asker.platform, asker.enterprise, asker.team):
        old = load_rule(row.rule)
        new = following(old, settings)
        if new != old:
            changed.append((row.id, rule_row(row.series_id, new, load_state(row.state))))
    await writer.alerts.reword(changed, now)


def tz_moves(query: QueryContext, tz: str | None) -> str | None:
    """The team's quiet hours in its new time zone, where they were in the old one; None where they stay."""
    quiet = team_quiet(query.settings)
    if quiet is None or tz in (None, query.team.tz) or quiet.zone != query.team.tz:
        return None
    return quiet_text(replace(quiet, zone=str(tz)))


async def note(writer: Writer, query: QueryContext, details: Mapping[str, object]) -> None:
    """Write down who changed what, in the transaction that does it."""
    asker = query.asker
    if asker is not None and details:
        entry = AuditEntry(query.now, asker.platform, asker.team, asker.person, "edit", "settings/team", details)
        await writer.audit.add(entry)
