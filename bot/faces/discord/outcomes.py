"""What became of a request to Discord, by its status and the code of the error."""

from __future__ import annotations

from collections.abc import Mapping

import aiohttp
import discord

from bot.faces.discord.attempts import Interrupted
from bot.outbox.sender import Ambiguous, Delivery, Rejected, TryLater

UNKNOWN_MESSAGE, ALREADY_A_THREAD, TOO_LARGE, BAD_FORM = 10008, 160004, 40005, 50035
UNKNOWN_CHANNEL = 10003
MISSING_ACCESS, MISSING_PERMISSIONS, WRONG_CHANNEL = 50001, 50013, 50024

EXPLICIT = 20009
"""A picture that the filter of the server takes for what must not be seen."""

NO_PICTURE = frozenset((TOO_LARGE, MISSING_PERMISSIONS, BAD_FORM, EXPLICIT))
"""Refusals of a message with pictures that may be for the pictures alone: without them it may be taken."""

GONE = frozenset(
    (
        *(UNKNOWN_CHANNEL, 10004, 10013),  # the last two: server, person
        *(MISSING_ACCESS, MISSING_PERMISSIONS, WRONG_CHANNEL),
        *(50007, 50278),  # closed direct messages, no server in common
    )
)
"""Codes of a destination where nothing can be delivered until a person changes something."""

ARCHIVED_THREAD = 50083
"""Discord archives threads by itself, and opens them again for a new message."""

LOST_EDIT = frozenset((UNKNOWN_MESSAGE, 50005, 50021, ARCHIVED_THREAD))
"""The message to edit is no more, another's, a system message or in an archived thread: a new one takes its place."""

OLD_EDITS = 30046
"""The code of a 429 that is no rate limit of requests: the message is older than an hour and was edited too often."""

NO_THREAD = frozenset(
    (MISSING_PERMISSIONS, MISSING_ACCESS, WRONG_CHANNEL, UNKNOWN_MESSAGE, 160005, 160006, ARCHIVED_THREAD, 10003)
)
"""No thread can be begun or written in: a reply does."""

NO_REPLY = frozenset((160002, MISSING_PERMISSIONS, UNKNOWN_MESSAGE))
"""Replies are not permitted, the first because past messages may not be read: a message of its own does."""

OPENING_TOO_FAST = 40003
LATER = {OPENING_TOO_FAST: 300.0}
"""Refusals that pass: seconds to wait."""

TOKEN_SECONDS, BAN_SECONDS = 600.0, 600.0
"""Seconds for which nothing is sent after Discord refused the token, or its edge the address."""

UNREACHABLE_SECONDS, OUTAGE_SECONDS, AGAIN = 5.0, 10.0, 5.0


def outcome(error: BaseException, *, sent: bool) -> Delivery:
    """What an error of a request means; ``sent``: whether Discord may have heard of it."""
    if isinstance(error, Interrupted):
        return _interrupted(error)
    if isinstance(error, discord.RateLimited):
        return TryLater("rate limited", error.retry_after)
    if isinstance(error, discord.HTTPException):
        return _refused(error)
    if isinstance(error, aiohttp.ClientConnectorError):
        return TryLater(f"not reached: {type(error).__name__}", UNREACHABLE_SECONDS, "platform")
    if sent:
        return Ambiguous(f"the answer was lost: {type(error).__name__}")
    return TryLater(f"not sent: {type(error).__name__}", AGAIN)


def _interrupted(error: Interrupted) -> Delivery:
    if error.status == 429:
        return _limited(error.headers)
    if error.status == 503:
        return TryLater("status 503", OUTAGE_SECONDS, "team")
    return Ambiguous(f"status {error.status}")


def _limited(headers: Mapping[str, str]) -> TryLater:
    seconds = _seconds(headers)
    if "Via" not in headers:
        return TryLater("refused at Discord's edge", max(seconds, BAN_SECONDS), "platform")
    if headers.get("X-RateLimit-Scope") == "global" or "X-RateLimit-Global" in headers:
        return TryLater("rate limited, globally", seconds, "platform")
    return TryLater("rate limited", seconds)


def _seconds(headers: Mapping[str, str]) -> float:
    try:
        found = float(headers.get("Retry-After") or headers.get("X-RateLimit-Reset-After") or AGAIN)
    except ValueError:
        return AGAIN
    return found if 0 <= found < 86_400 else AGAIN


def _refused(error: discord.HTTPException) -> Delivery:
    reason = f"{error.status} {error.code} {error.text}"[:200].strip()
    if error.status == 401:
        return TryLater(f"DISCORD_TOKEN is refused: {reason}", TOKEN_SECONDS, "platform")
    if error.code in LATER:
        return TryLater(reason, LATER[error.code])
    return Rejected(reason, gone=error.code in GONE or (error.status in (403, 404) and not error.code))
