"""What became of a call of Slack's Web API, by the name that Slack gives to what is wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from aiohttp import ClientConnectorError
from slack_sdk.errors import SlackApiError

from bot.faces.slack.web_api import REFUSALS, UNREACHED, error_of
from bot.outbox.sender import Ambiguous, Delivery, Rejected, TryLater

Scope = Literal["destination", "team", "platform"]

GONE = REFUSALS | {
    *("channel_not_found", "is_archived", "is_inactive", "not_in_channel", "access_denied", "no_permission"),
    *("messages_tab_disabled", "missing_scope", "ekm_access_denied", "enterprise_is_restricted", "accesslimited"),
    *("user_not_found", "users_not_found", "user_not_visible", "user_disabled", "cannot_dm_bot"),
    *("two_factor_setup_required", "app_missing_action_url", "slack_connect_blocked"),
}
"""Nothing can be delivered there until a person changes something. ``restricted_action…`` are such too."""

LATER: dict[str, tuple[float, Scope]] = {
    "service_unavailable": (10.0, "platform"),
    "team_added_to_org": (300.0, "team"),
    "message_limit_exceeded": (60.0, "team"),
    "rate_limited": (5.0, "destination"),
}
"""Refused before anything happened: seconds to wait, and what has to."""

UNSURE = frozenset(("fatal_error", "internal_error", "request_timeout"))
"""Of the first two Slack says that some of the operation may have succeeded."""

BAD_BLOCKS = frozenset(("invalid_blocks", "invalid_blocks_format", "invalid_arguments", "invalid_attachments"))
"""The blocks are at fault, or a picture that Slack has not looked at yet."""

TOO_LONG = frozenset(("msg_too_long", "msg_blocks_too_long", "metadata_too_large"))

LOST_EARLIER = frozenset(
    (
        *("message_not_found", "cant_update_message", "edit_window_closed"),
        *("thread_not_found", "cannot_reply_to_message"),
        *("restricted_action_non_threadable_channel", "restricted_action_thread_locked"),
    )
)
"""The message to edit or to answer is no more, or takes neither: a new one can take its place."""

TOO_OLD = "edit_window_closed"
"""The workspace limits for how long messages may be edited: ours is there, and a new one has to take its place."""

NO_MORE = "message_not_found"

UNREACHABLE_SECONDS, OUTAGE_SECONDS = 5.0, 10.0
"""Seconds before a platform is tried again that was not reached, or that said it is out of service."""


def outcome(error: Exception) -> Delivery:
    """What an error of a call means, a rate limit aside; raises what is no error of the network or of Slack."""
    if isinstance(error, SlackApiError):
        return _named(error_of(error), error.response.status_code)
    if isinstance(error, ClientConnectorError):
        return TryLater(f"not reached: {type(error).__name__}", UNREACHABLE_SECONDS, "platform")
    if isinstance(error, UNREACHED):
        return Ambiguous(f"the answer was lost: {type(error).__name__}")
    raise error


def edit_refused(found: Rejected) -> Rejected:
    """A refusal of an edit, with what it says of the message that was to be edited."""
    if found.reason not in LOST_EARLIER:
        return found
    return replace(found, gone=False, edit_refused="too_often" if found.reason == TOO_OLD else "missing")


def _named(name: str, status: int) -> Delivery:
    if name in LATER:
        seconds, scope = LATER[name]
        return TryLater(name, seconds, scope)
    if name in UNSURE:
        return Ambiguous(name)
    if status == 503:
        return TryLater(name, OUTAGE_SECONDS)
    if status >= 500:
        return Ambiguous(name)
    return Rejected(name, gone=name in GONE or name.startswith("restricted_action"))
