"""``alert preview``: what an alert would have told, before it is made."""

from __future__ import annotations

from typing import Any

from bot.commands.alerts.outlook import outlook_lines
from bot.commands.alerts.owned import asker_of, is_told_alone
from bot.commands.alerts.trial import PARAMS, Trial, rule_said, trial_charts, trial_of, trial_result, trial_terms
from bot.commands.team_settings import aimed, elsewhere
from bot.dispatch.command import Command, QueryContext
from bot.presentation.card import Card
from bot.presentation.words import Words


async def ask(query: QueryContext, *, gpu: str, condition: str, to: str, **given: Any) -> Trial:
    """Try the rule on the past; nothing is stored."""
    there = aimed(query, to)
    rule = await rule_said(there, gpu, condition, to, given)
    direct = is_told_alone(asker_of(there), to)
    return await trial_of(there, rule, direct=direct, channel=elsewhere(query, there))


def card(answer: Trial, words: Words) -> Card:
    """What it would have told, and that it does not hold yet."""
    return Card(
        title=words("Not saved yet: {rule}", rule=words(answer.rule)),
        lead=trial_result(answer, words),
        notes=(
            *outlook_lines(answer.foretold, words),
            words("To save it, say “alert add” instead of “alert preview”."),
            *trial_terms(answer, words),
        ),
        footer=words.footer(answer.evidence),
        charts=trial_charts(answer, words),
    )


COMMAND = Command(
    name="alert preview",
    summary="See how often an alert would have fired, before you make it",
    path="/api/alerts/preview",
    params=PARAMS,
    ask=ask,
    card=card,
    examples=("alert preview 4090 < 0.35", "alert preview h100 sxm drops 10% in 24h"),
    role="member",
    scope="alerts",
)
