"""``settings``: language, time zone, default GPUs and home, of oneself or of the whole workspace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from analytics.errors import AskError, Refused
from analytics.evidence import Note, Plural, iso
from analytics.regions import place
from bot.accounts import NO_PREFERENCES, Asker, Preferences
from bot.commands import team_changes
from bot.commands.team_changes import UNSET
from bot.commands.windows import zone
from bot.dispatch.command import Command, Param, QueryContext
from bot.presentation.card import Card, Column, Table
from bot.presentation.words import LOCALES, Words, pick_language
from bot.store.team_settings import QUIET, TeamSetting
from bot.zones import find_zone

NO_MODELS = ("none",)
"""Said of models: take them back."""

MOST_GPUS = 20
"""Default models at most: an answer about more is no answer."""


ORDER = {
    "language": ("you", "your chat profile", "the workspace", "the environment"),
    "tz": ("you", "the workspace", "your chat profile"),
    "home": ("you", "the workspace", "the environment"),
    "gpus": ("you", "the workspace"),
}
"""Whose word holds, the first one first: that of bot.dispatch, for each setting."""

DEFAULTS = {"language": "en", "tz": "UTC"}
"""What holds where nobody said anything; of the others: nothing."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds for one asker, and who said so."""

    mine: Preferences
    team: Preferences
    platform_language: str | None
    platform_tz: str | None
    changed: bool
    environment: Preferences = NO_PREFERENCES
    of_team: tuple[TeamHeld, ...] = ()
    """what the workspace set for all besides, where that is asked"""


@dataclass(frozen=True, slots=True)
class TeamHeld:
    """What holds of a team's setting; ``person`` and ``at``: who set it when, null for the default."""

    name: str
    value: str | None
    said_by: str
    person: str | None
    at: str | None


async def show(query: QueryContext) -> Settings:
    """What holds now."""
    query.zone()  # of one that is not known it is said that it does not hold
    return replace(_holding(query, query.own, query.team, changed=False), of_team=_of_team(query.settings))


def _of_team(settings: Mapping[str, TeamSetting]) -> tuple[TeamHeld, ...]:
    return tuple(_team_held(name, settings.get(name)) for name in team_changes.NAMES)


def _team_held(name: str, said: TeamSetting | None) -> TeamHeld:
    if said is None:
        ours = team_changes.OURS.get(name)
        return TeamHeld(name, None if ours is None else str(ours), "the default", None, None)
    return TeamHeld(name, said.value, "the workspace", said.person, iso(said.at))


def _holding(query: QueryContext, mine: Preferences, team: Preferences, *, changed: bool) -> Settings:
    asker = asker_of(query)
    profile = _followed(Preferences(tz=asker.tz)).tz
    return Settings(_followed(mine), _followed(team), asker.locale, profile, changed, query.environment)


def _followed(said: Preferences) -> Preferences:
    """What can be followed of it: a time zone that is not known does not hold."""
    return replace(said, tz=said.tz if said.tz and find_zone(said.tz) else None)


def asker_of(query: QueryContext) -> Asker:
    """Who asks; settings belong to people in chat."""
    if query.asker is None:
        raise Refused(
            Note("settings belong to people in chat; elsewhere the environment holds: `spotbot settings` shows it")
        )
    return query.asker


async def me(
    query: QueryContext, *, language: str | None, tz: str | None, home: str | None, gpus: str | None
) -> Settings:
    """Change one's own."""
    asker = asker_of(query)
    new = _changed(query.own, await _said(query, language, tz, home, gpus))
    await _save(query, asker, asker.person, new)
    return _holding(query, new, query.team, changed=new != query.own)


async def _said(
    query: QueryContext, language: str | None, tz: str | None, home: str | None, gpus: str | None
) -> Preferences:
    if gpus is None or gpus.lower() in UNSET:
        return Preferences(language, tz, home, () if gpus is None else NO_MODELS)
    names = [name for name in gpus.split(",") if name.strip()]
    return Preferences(
        language, tz, home, tuple(dict.fromkeys([m for name in names for m in await query.resolve(name)]))
    )


async def team(
    query: QueryContext,
    *,
    language: str | None,
    tz: str | None,
    home: str | None,
    gpus: str | None,
    **given: str | None,
) -> Settings:
    """Change what holds for all who said nothing themselves, and what the team wants."""
    asker = asker_of(query)
    said = await _said(query, language, tz, home, gpus)
    if said == Preferences() and not any(given.values()):
        raise _nothing_said()
    new = _changed(query.team, said) if said != Preferences() else query.team
    wanted = team_changes.read_settings(replace(query, team=new), given, new.tz)
    moved = team_changes.tz_moves(query, new.tz)
    wanted |= {} if QUIET in wanted or moved is None else {QUIET: moved}
    async with query.writing() as writer:
        if new != query.team:
            await writer.save_preferences(asker.platform, asker.team, "", new)
        settings = await team_changes.change(writer, query, wanted)
        await team_changes.note(writer, query, _differences(query.team, new) | wanted)
    changed = new != query.team or _values(settings) != _values(query.settings)
    return replace(_holding(query, query.own, new, changed=changed), of_team=_of_team(settings))


def _values(settings: Mapping[str, TeamSetting]) -> dict[str, str]:
    return {name: said.value for name, said in settings.items()}


def _differences(old: Preferences, new: Preferences) -> dict[str, object]:
    return {name: getattr(new, name) for name in ORDER if getattr(old, name) != getattr(new, name)}


def _nothing_said() -> AskError:
    return AskError(
        Note("say what to change"), suggestions=("settings me language=pt-BR", "settings me home=Berlin,DE")
    )


def _changed(old: Preferences, said: Preferences) -> Preferences:
    if said == Preferences():
        raise _nothing_said()
    new = Preferences(
        language=_word(said.language, old.language),
        tz=_word(said.tz, old.tz),
        home=_word(said.home, old.home),
        gpus=() if said.gpus is NO_MODELS else said.gpus or old.gpus,
    )
    if new.tz and new.tz != old.tz:  # what was stored may have become unknown, and is not what is asked now
        zone(new.tz)
    if new.home and new.home != old.home and place(new.home) is None:
        raise AskError(
            Note("home: no place of that name is known"), suggestions=("Berlin, DE", "Sao Paulo, BR", "52.5,13.4")
        )
    if len(new.gpus) > MOST_GPUS:
        raise AskError(Note(Plural("at most {n} model", "at most {n} models"), {"n": MOST_GPUS}))
    return new


def _word(said: str | None, old: str | None) -> str | None:
    if said is None:
        return old
    return None if said.lower() in UNSET else said


async def _save(query: QueryContext, asker: Asker, person: str, new: Preferences) -> None:
    async with query.writing() as writer:
        await writer.save_preferences(asker.platform, asker.team, person, new)


async def forget(query: QueryContext) -> Settings:
    """Take back everything one has said, and sign out of the web pages everywhere."""
    asker = asker_of(query)
    async with query.writing() as writer:
        await writer.save_preferences(asker.platform, asker.team, asker.person, Preferences())
        await writer.browser_sessions.forget_person(asker)
    return _holding(query, NO_PREFERENCES, query.team, changed=query.own != NO_PREFERENCES)


def card(answer: Settings, words: Words) -> Card:
    """A line a setting: what holds, and who said so."""
    columns = (Column(words("setting")), Column(words("holds")), Column(words("said by")))
    rows = []
    for name in ORDER:
        value, by = held(answer, name)
        shown = ", ".join(value) if isinstance(value, tuple) else value
        rows.append((name, shown or "–", words(by)))
    lead = words("Saved.") if answer.changed else words("This holds for you.")
    notes = (words("change with, for example: {example}", example="settings me language=pt-BR tz=America/Sao_Paulo"),)
    tables = [Table(words("Settings"), columns, tuple(rows))]
    if answer.of_team:
        team_rows = tuple((one.name, one.value or "–", _source(one, words)) for one in answer.of_team)
        tables.append(Table(words("Of the workspace"), columns, team_rows))
    return Card(words("Settings"), lead, tuple(tables), notes=notes)


def _source(held: TeamHeld, words: Words) -> str:
    if held.person is None or held.at is None:
        return words(held.said_by)
    return words("the workspace (by {person}, {date})", person=held.person, date=held.at[:10])


def held(answer: Settings, name: str) -> tuple[str | tuple[str, ...] | None, str]:
    """What really holds of a setting, and who said so: as questions of this asker are answered."""
    profile = Preferences(pick_language(answer.platform_language, default="") or None, answer.platform_tz)
    said = {
        "you": answer.mine,
        "the workspace": answer.team,
        "your chat profile": profile,
        "the environment": answer.environment,
    }
    for by in ORDER[name]:
        if value := getattr(said[by], name):
            return value, by
    return DEFAULTS.get(name), "the default"


PARAMS = (
    Param("language", "choice", "of answers", choices=(*LOCALES, "none")),
    Param("tz", "text", "time zone, e.g. America/Sao_Paulo; “none” takes it back", positional=False),
    Param("home", "text", "where you are, for latencies, e.g. Berlin, DE; “none” takes it back", positional=False),
    Param(
        "gpus",
        "text",
        "models meant when you name none, commas between them; “none” takes them back",
        offers="gpus",
    ),
)

SHOW = Command(
    name="settings show",
    summary="What holds for you: language, time zone, home, default GPUs",
    path=None,
    params=(),
    ask=show,
    card=card,
    examples=("settings", "settings show"),
    role="member",
)
ME = Command(
    name="settings me",
    summary="Change your own settings",
    path=None,
    params=PARAMS,
    ask=me,
    card=card,
    examples=("settings me language=pt-BR", 'settings me tz=America/Sao_Paulo home="Sao Paulo, BR"'),
    role="member",
    method="POST",
)
TEAM = Command(
    name="settings team",
    summary="Change what holds for everybody here who said nothing themselves",
    path=None,
    params=(*PARAMS, *team_changes.PARAMS),
    ask=team,
    card=card,
    examples=("settings team language=en", "settings team gpus=4090,h100", "settings team quiet=22:00-07:00"),
    role="manager",
    method="POST",
)
FORGET = Command(
    name="settings forget",
    summary="Take back all your own settings, and sign out of the web pages",
    path=None,
    params=(),
    ask=forget,
    card=card,
    examples=("settings forget",),
    role="member",
    method="POST",
)
