"""Who waits for an answer on Slack, and where it goes: read from what Slack sends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bot.faces.slack.form_views import Submission, read_submission


@dataclass(frozen=True, slots=True)
class Call:
    """Somebody who waits for an answer, and where it goes."""

    team: str
    person: str
    channel: str = ""
    answer_to: str = ""
    """the response_url"""
    name: str = ""
    trigger: str = ""
    """opens a modal, for three seconds"""
    from_home: bool = False
    """from the App Home, which has no response_url: the answer is a modal"""

    @property
    def can_be_answered(self) -> bool:
        """Whether there is anywhere to answer."""
        return self.from_home or self.answer_to.startswith(("https://", "http://"))


def call_of_command(body: Mapping[str, Any]) -> Call:
    """Who typed a command."""
    names = ("team_id", "user_id", "channel_id", "response_url", "user_name")
    team, person, channel, answer_to, name = (str(body.get(name) or "") for name in names)
    return Call(team, person, channel, answer_to, name)


def call_of_action(body: Mapping[str, Any]) -> Call:
    """Who clicked a button."""
    user, team, channel, view = (body.get(n) or {} for n in ("user", "team", "channel", "view"))
    return Call(
        str(team.get("id") or user.get("team_id") or ""),
        str(user.get("id") or ""),
        str(channel.get("id") or ""),
        str(body.get("response_url") or ""),
        str(user.get("name") or user.get("username") or ""),
        str(body.get("trigger_id") or ""),
        from_home=view.get("type") == "home",
    )


def call_of_submission(body: Mapping[str, Any], view: Mapping[str, Any]) -> tuple[Call, Submission]:
    """Who sent a modal back, and what it says; raises ValueError where it is none of ours."""
    sent = read_submission(view)
    call = replace(call_of_action(body), channel=sent.channel, answer_to=sent.answer_to)
    return replace(call, from_home=not sent.answer_to), sent
