"""Speaking to Slack: what it refuses, the response_url of a request, and who the people are."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from aiohttp import ClientConnectorError, ClientError
from cachetools import FIFOCache
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.accounts import Role
from bot.faces.slack.retries import TIMEOUT, Sleep, quiet, retry_after, retrying

log = structlog.get_logger()

UNREACHED = (ClientError, OSError, TimeoutError)
"""What network trouble looks like."""

REFUSALS = frozenset(
    (
        "invalid_auth",
        "not_authed",
        "token_revoked",
        "token_expired",
        "account_inactive",
        "not_allowed_token_type",
        "org_login_required",
        "team_access_not_granted",
    )
)
"""What Slack says of a token that will not become valid by waiting."""


AGAIN = (1.0, 3.0)
"""Seconds before what the network lost on its way to a person is sent again, as often as there are pauses."""

OF_MESSAGE = (200, 400, 413, 422)
"""Statuses of what Slack does not like in a message; the others are of the place, or of the moment."""

SPENT = ("used_url", "expired_url")
"""What Slack says of a response_url that takes nothing more."""


def error_of(error: SlackApiError) -> str:
    """Slack's name for what is wrong; in an outage it answers with pages instead."""
    data = error.response.data
    named = data.get("error") if isinstance(data, dict) else None
    return str(named) if named else f"status {error.response.status_code}"


def pause_after(error: SlackApiError, pause: float) -> float:
    """How long to wait after a refusal: this pause, or longer where Slack says so."""
    return max(pause, retry_after(error.response.headers)) if error.response.status_code == 429 else pause


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something was not brought. ``unsure``: it may have been. ``of_message``: another message might be taken."""

    reason: str
    unsure: bool = False
    of_message: bool = False


async def post(url: str, body: Mapping[str, Any], *, sleep: Sleep = asyncio.sleep) -> Refusal | None:
    """Post to a response_url; gives what is wrong, or nothing. Never raises.

    What was lost on the way goes again to a person alone: twice costs them less than nothing. To everybody it does not.
    """
    hook = AsyncWebhookClient(url, timeout=TIMEOUT, retry_handlers=retrying(sleep), logger=quiet)
    again = () if body.get("response_type") == "in_channel" else AGAIN
    for pause in (*again, None):
        wrong = await _posted(hook, body)
        if wrong is None or not wrong.unsure or pause is None:
            break
        log.info("slack_answer_again", reason=wrong.reason)
        await sleep(pause)
    return wrong


async def _posted(hook: AsyncWebhookClient, body: Mapping[str, Any]) -> Refusal | None:
    """One try, in which only what cannot have been heard is repeated."""
    try:
        found = await hook.send_dict(dict(body))
    except ClientConnectorError as error:
        return Refusal(f"unreachable: {type(error).__name__}")
    except UNREACHED as error:
        return Refusal(f"lost: {type(error).__name__}", unsure=True)
    status, said = found.status_code, found.body.replace(" ", "")
    if status == 200 and '"ok":false' not in said:
        return None
    of_message = status in OF_MESSAGE and not any(name in said for name in SPENT)
    return Refusal(f"{status} {found.body[:200]}", unsure=status >= 500, of_message=of_message)


@dataclass(frozen=True, slots=True)
class Member:
    """What Slack says of somebody."""

    role: Role = "member"
    locale: str | None = None
    tz: str | None = None
    name: str = ""


NOBODY = Member()
"""Somebody of whom Slack says nothing: may what everybody may."""


class Members:
    """Who somebody is, asked once an hour for each. Whoever Slack is silent about is a member."""

    KEPT, AGAIN, PATIENCE, MOST = 3600, 60, 2.0, 10_000
    """Seconds that an answer holds, and the lack of one; seconds waited for it; people remembered."""

    def __init__(self, client: AsyncWebClient, *, timer: Callable[[], float] = time.monotonic) -> None:
        self._client, self._timer = client, timer
        self._known: FIFOCache[tuple[str, str], tuple[float, Member]] = FIFOCache(self.MOST)
        self._under_way: dict[tuple[str, str], asyncio.Task[Member]] = {}

    async def who(self, team: str, person: str, token: str) -> Member:
        """What is known of somebody, within two seconds."""
        key = (team, person)
        until, known = self._known.get(key, (0.0, NOBODY))
        if self._timer() < until:
            return known
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.create_task(self._ask(key, token))
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        try:
            return await asyncio.wait_for(asyncio.shield(task), self.PATIENCE)
        except TimeoutError:
            found = dataclasses.replace(known, role=NOBODY.role)  # who was an admin an hour ago need not be one now
            self.remember(team, person, found, seconds=self.AGAIN)  # nor should the next answer wait as long
            return found

    def remember(self, team: str, person: str, found: Member, *, seconds: float = KEPT) -> None:
        """Take this for true for a while."""
        self._known[(team, person)] = (self._timer() + seconds, found)

    def forget(self, team: str) -> None:
        """Of a whole workspace."""
        for key in [key for key in self._known if key[0] == team]:
            del self._known[key]

    async def close(self) -> None:
        """Stop asking."""
        for task in list(self._under_way.values()):
            task.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    async def _ask(self, key: tuple[str, str], token: str) -> Member:
        try:
            answer = await self._client.users_info(user=key[1], include_locale=True, token=token)
            found = person_of(answer["user"], key[0])
        except (SlackClientError, *UNREACHED, KeyError, TypeError, AttributeError) as error:
            reason = error_of(error) if isinstance(error, SlackApiError) else type(error).__name__
            log.warning("slack_person_unknown", team=key[0], reason=reason)
            self.remember(*key, NOBODY, seconds=self.AGAIN)
            return NOBODY
        self.remember(*key, found)
        return found


def person_of(user: Mapping[str, Any], team: str) -> Member:
    """Somebody as users.info tells. Admins of another workspace, seen in a shared channel, are members here."""
    ours = user.get("team_id") in (None, team) and not user.get("is_stranger")
    admin = ours and any(user.get(flag) for flag in ("is_owner", "is_primary_owner", "is_admin"))
    profile = user.get("profile") or {}
    names = (profile.get("display_name"), profile.get("real_name"), user.get("real_name"), user.get("name"))
    name = next((str(name) for name in names if name), "")
    locale, tz = (value if isinstance(value, str) else None for value in (user.get("locale"), user.get("tz")))
    return Member("admin" if admin else "member", locale, tz, name)
