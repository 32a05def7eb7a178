"""Speaking to Slack: its Web API, the response_url of a request, and who the people are."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from aiohttp import ClientConnectorError, ClientError
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.http_retry.async_handler import AsyncRetryHandler
from slack_sdk.http_retry.builtin_async_handlers import (
    AsyncConnectionErrorRetryHandler,
    AsyncRateLimitErrorRetryHandler,
)
from slack_sdk.http_retry.request import HttpRequest
from slack_sdk.http_retry.response import HttpResponse
from slack_sdk.http_retry.state import RetryState
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.people import Role

log = structlog.get_logger()

quiet = logging.getLogger("spotbot.slack")
"""For the SDKs: they would log addresses that are secrets, and each failed try with its traceback."""
quiet.setLevel(logging.CRITICAL)

TRIES = 5
"""Times that a limited or unreachable method is tried."""

LONGEST_WAIT = 60
"""Seconds of a Retry-After that are waited for; an answer that comes later helps nobody."""

TIMEOUT = 20
"""Seconds for one request."""

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

Sleep = Callable[[float], Awaitable[None]]


class Patient(AsyncRateLimitErrorRetryHandler):
    """Waits as long as Slack says, within reason."""

    def __init__(self, sleep: Sleep = asyncio.sleep) -> None:
        super().__init__(max_retry_count=TRIES - 1)
        self._sleep = sleep

    async def _can_retry_async(
        self,
        *,
        state: RetryState,
        request: HttpRequest,
        response: HttpResponse | None = None,
        error: Exception | None = None,
    ) -> bool:
        return response is not None and response.status_code == 429 and retry_after(response.headers) <= LONGEST_WAIT

    async def prepare_for_next_attempt_async(  # noqa: D102  the SDK's
        self,
        *,
        state: RetryState,
        request: HttpRequest,
        response: HttpResponse | None = None,
        error: Exception | None = None,
    ) -> None:
        state.next_attempt_requested = True
        await self._sleep(retry_after(response.headers) if response else 1.0)
        state.increment_current_attempt()


class Unreached(AsyncConnectionErrorRetryHandler):
    """Tries again where nothing can have been sent; a connection that was lost half-way may have been heard."""

    def __init__(self, sleep: Sleep = asyncio.sleep) -> None:
        super().__init__(TRIES - 1, error_types=[ClientConnectorError])
        self._sleep = sleep

    async def prepare_for_next_attempt_async(  # noqa: D102  the SDK's
        self,
        *,
        state: RetryState,
        request: HttpRequest,
        response: HttpResponse | None = None,
        error: Exception | None = None,
    ) -> None:
        state.next_attempt_requested = True
        await self._sleep(float(2**state.current_attempt))
        state.increment_current_attempt()


def retry_after(headers: Mapping[str, Any]) -> float:
    """The seconds that a refusal asks to wait; one where it does not say."""
    for name, value in headers.items():
        if name.lower() == "retry-after":
            text = str(value[0] if isinstance(value, list) else value)
            return float(text) if text.isascii() and text.isdigit() else 1.0
    return 1.0


def retrying(sleep: Sleep) -> list[AsyncRetryHandler]:
    """Try again when limited, and when Slack was not reached."""
    return [Patient(sleep), Unreached(sleep)]


def web_client(
    base: str, *, token: str | None = None, sleep: Sleep = asyncio.sleep, retry: bool = True
) -> AsyncWebClient:
    """A client of the Web API at an address without a slash at its end."""
    handlers = retrying(sleep) if retry else []
    return AsyncWebClient(token, base_url=f"{base}/", timeout=TIMEOUT, retry_handlers=handlers, logger=quiet)


def error_of(error: SlackApiError) -> str:
    """Slack's name for what is wrong; in an outage it answers with pages instead."""
    data = error.response.data
    named = data.get("error") if isinstance(data, dict) else None
    return str(named) if named else f"status {error.response.status_code}"


async def post(url: str, body: Mapping[str, Any], *, sleep: Sleep = asyncio.sleep) -> str:
    """Post to a response_url; gives what is wrong, or nothing. Never raises."""
    hook = AsyncWebhookClient(url, timeout=TIMEOUT, retry_handlers=retrying(sleep), logger=quiet)
    for last in (False, True):
        try:
            found = await hook.send_dict(dict(body))
        except UNREACHED as error:
            return f"unreachable: {type(error).__name__}"
        if found.status_code < 500 or last:
            break
        await sleep(1.0)
    if found.status_code == 200 and '"ok":false' not in found.body.replace(" ", ""):
        return ""
    return f"{found.status_code} {found.body[:200]}"


@dataclass(frozen=True, slots=True)
class Person:
    """What Slack says of somebody."""

    role: Role = "member"
    locale: str | None = None
    tz: str | None = None
    name: str = ""


NOBODY = Person()
"""Somebody of whom Slack says nothing: may what everybody may."""


class People:
    """Who somebody is, asked once an hour for each. Whoever Slack is silent about is a member."""

    KEPT, AGAIN, PATIENCE, MOST = 3600, 60, 2.0, 10_000
    """Seconds that an answer holds, and the lack of one; seconds waited for it; people remembered."""

    def __init__(self, client: AsyncWebClient, *, timer: Callable[[], float] = time.monotonic) -> None:
        self._client, self._timer = client, timer
        self._known: OrderedDict[tuple[str, str], tuple[float, Person]] = OrderedDict()
        self._under_way: dict[tuple[str, str], asyncio.Task[Person]] = {}

    async def who(self, team: str, person: str, token: str) -> Person:
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

    def remember(self, team: str, person: str, found: Person, *, seconds: float = KEPT) -> None:
        """Take this for true for a while."""
        self._known.pop((team, person), None)
        self._known[(team, person)] = (self._timer() + seconds, found)
        while len(self._known) > self.MOST:
            self._known.popitem(last=False)

    def forget(self, team: str) -> None:
        """Of a whole workspace."""
        for key in [key for key in self._known if key[0] == team]:
            del self._known[key]

    async def close(self) -> None:
        """Stop asking."""
        for task in list(self._under_way.values()):
            task.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    async def _ask(self, key: tuple[str, str], token: str) -> Person:
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


def person_of(user: Mapping[str, Any], team: str) -> Person:
    """Somebody as users.info tells. Admins of another workspace, seen in a shared channel, are members here."""
    ours = user.get("team_id") in (None, team) and not user.get("is_stranger")
    admin = ours and any(user.get(flag) for flag in ("is_owner", "is_primary_owner", "is_admin"))
    profile = user.get("profile") or {}
    names = (profile.get("display_name"), profile.get("real_name"), user.get("real_name"), user.get("name"))
    name = next((str(name) for name in names if name), "")
    return Person("admin" if admin else "member", user.get("locale"), user.get("tz"), name)
