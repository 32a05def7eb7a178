"""``settings``: language, time zone, default GPUs and home, of oneself or of the whole workspace."""

from __future__ import annotations

from dataclasses import dataclass, replace

from analytics.errors import AskError, Refused
from analytics.evidence import Note, Plural
from analytics.regions import place
from bot.accounts import NO_PREFERENCES, Asker, Preferences
from bot.commands.windows import zone
from bot.dispatch.command import Command, Param, QueryContext
from bot.presentation.card import Card, Column, Table
from bot.presentation.words import LOCALES, Words, pick_language
from bot.zones import find_zone

UNSET = frozenset(("none", "off", "default", "-", "nada"))
"""Takes a setting back."""

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


async def show(query: QueryContext) -> Settings:
    """What holds now."""
    query.zone()  # of one that is not known it is said that it does not hold
    return _holding(query, query.own, query.team, changed=False)


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
    query: QueryContext, *, language: str | None, tz: str | None, home: str | None, gpus: str | None
) -> Settings:
    """Change what holds for all who said nothing themselves."""
    asker = asker_of(query)
    new = _changed(query.team, await _said(query, language, tz, home, gpus))
    await _save(query, asker, "", new)
    return _holding(query, query.own, new, changed=new != query.team)


def _changed(old: Preferences, said: Preferences) -> Preferences:
    if said == Preferences():
        raise AskError(
            Note("say what to change"), suggestions=("settings me language=pt-BR", "settings me home=Berlin,DE")
        )
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
    return Card(words("Settings"), lead, (Table(words("Settings"), columns, tuple(rows)),), notes=notes)


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
    params=PARAMS,
    ask=team,
    card=card,
    examples=("settings team language=en", "settings team gpus=4090,h100"),
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
