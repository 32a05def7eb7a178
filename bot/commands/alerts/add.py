"""``alert add``: a new rule, with what it would have told in the last thirty days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from analytics.errors import AskError, Refused
from analytics.evidence import Note
from analytics.market import DAY
from bot.alerts.descriptions import describe
from bot.alerts.engine import key_of, rule_row
from bot.alerts.rules import Rule
from bot.alerts.state import initial
from bot.commands.alerts.options import following
from bot.commands.alerts.outlook import outlook_lines
from bot.commands.alerts.owned import Owned, asker_of, destination, find, is_told_alone, note, owner_of, resume
from bot.commands.alerts.trial import PARAMS, Trial, rule_said, trial_charts, trial_of, trial_result, trial_terms
from bot.commands.team_settings import aimed, elsewhere, limit_of
from bot.dispatch.command import Command, Form, QueryContext
from bot.presentation.card import Action, Card
from bot.presentation.words import Words
from bot.store.writer import Writer

MOST_OF_PERSON, MOST_OF_TEAM = 50, 500
"""Rules at most: who needs more needs a program."""

OF_PERSON, OF_TEAM = "alerts_per_person", "alerts_per_team"
"""The settings by which a team has fewer."""

REQUEST_S = DAY
"""Seconds in which a request that is sent again makes nothing new."""


@dataclass(frozen=True, slots=True)
class AlertAdded(Trial):
    """A rule that holds from now on."""

    id: str


async def ask(query: QueryContext, *, gpu: str, condition: str, to: str, **given: Any) -> AlertAdded:
    """Store the rule, and try it on the past."""
    if query.write is None:
        raise Refused(Note("this process cannot write"))
    there = aimed(query, to)
    channel, query = elsewhere(query, there), there
    direct = is_told_alone(asker_of(query), to)
    rule = await rule_said(query, gpu, condition, to, given)
    trial = await trial_of(query, rule, direct=direct, channel=channel)
    async with query.writing() as writer:
        made = await _made_before(writer, query)
        public_id = made.row.public_id if made else await _create(writer, query, rule, direct=direct)
    if made:
        trial = await trial_of(query, made.rule, direct=direct, channel=channel)
    return AlertAdded(**{one.name: getattr(trial, one.name) for one in fields(trial)}, id=public_id)


async def _create(writer: Writer, query: QueryContext, rule: Rule, *, direct: bool) -> str:
    """Store the rule where there is room for it; its channel is sent to again if nothing could be delivered there."""
    asker = asker_of(query)
    mine, team = await writer.alerts.counts(owner_of(asker))
    settings = await writer.team_settings.of(asker.platform, asker.team)
    limits = {"mine": limit_of(settings, OF_PERSON, MOST_OF_PERSON), "team": limit_of(settings, OF_TEAM, MOST_OF_TEAM)}
    if mine >= limits["mine"] or team >= limits["team"]:
        raise Refused(Note("alerts at most: {mine} a person, {team} a team; delete some first", limits))
    to_id = await destination(writer, asker, direct=direct)
    await resume(writer, asker, to_id, query.now)
    rule = following(rule, settings)  # as the team has it now, in the transaction that stores it
    stored = rule_row(await writer.alerts.series_id(key_of(rule)), rule, initial(rule))
    named = {} if query.request is None else {"request": (query.request.name, query.request.digest)}
    public_id = await writer.alerts.create(owner_of(asker), to_id, stored, query.now, **named)
    await note(writer, asker, "create", public_id, query.now, rule=str(describe(rule)))
    return public_id


async def _made_before(writer: Writer, query: QueryContext) -> Owned | None:
    """What a request of the same name has made within a day; one that says something else is refused."""
    if query.request is None:
        return None
    asker, name = asker_of(query), query.request.name
    made = await writer.alerts.requested(owner_of(asker), name, query.now - REQUEST_S)
    if made is None:
        return None
    public_id, digest = made
    if digest != query.request.digest:
        raise AskError(Note("this Idempotency-Key was sent with another request; use a new one"))
    return await find(writer.alerts, asker, public_id)


async def proposed(query: QueryContext, given: Mapping[str, str]) -> Mapping[str, str]:
    """What the form begins with: what was said, else the asker's first model, told where it is asked."""
    mine = query.preferences.gpus[:1]
    gpu = given.get("gpu") or (mine[0] if mine else "")
    to = given.get("to") or ("dm" if is_told_alone(asker_of(query), "channel") else "channel")
    return {"gpu": gpu, "to": to, **{name: given.get(name, "") for name in ("condition", "hold", "quiet")}}


_LABELS = {
    "gpu": "GPU",
    "condition": "Condition",
    "to": "Where it is told",
    "hold": "Must hold for",
    "quiet": "Quiet hours",
}


def card(answer: AlertAdded, words: Words) -> Card:
    """The rule in words, where and until when it holds, and what it would have told."""
    return Card(
        title=words("Alert {id}", id=answer.id),
        lead=words(answer.rule),
        notes=(
            *outlook_lines(answer.foretold, words),
            trial_result(answer, words),
            *trial_terms(answer, words),
        ),
        footer=words.footer(answer.evidence),
        charts=trial_charts(answer, words),
        actions=(
            Action(words("Test it"), f"alert test {answer.id}"),
            Action(words("Delete"), f"alert delete {answer.id}", "danger"),
        ),
    )


COMMAND = Command(
    name="alert add",
    summary="Be told when a price, or what is free, reaches a mark",
    path="/api/alerts",
    params=PARAMS,
    ask=ask,
    card=card,
    examples=("alert 4090 < 0.35", "alert h100 sxm drops 10% in 24h", "alert 4090 available >= 8 in EU"),
    role="member",
    method="POST",
    scope="alerts",
    idempotency=True,
    group_default=True,
    form=Form(_LABELS, proposed, {"hold": "", "quiet": ""}, is_new=True),
)
