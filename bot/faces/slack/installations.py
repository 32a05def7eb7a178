"""Workspaces and their tokens: one from the environment, or many that installed the app, sealed in the store."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

import structlog
from slack_bolt.adapter.starlette.async_handler import to_starlette_response
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.errors import SlackClientError
from slack_sdk.oauth.installation_store import Installation
from slack_sdk.oauth.installation_store.async_installation_store import AsyncInstallationStore
from slack_sdk.oauth.state_store.async_state_store import AsyncOAuthStateStore
from slack_sdk.web.async_client import AsyncWebClient
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from bot.config import SLACK_API_URL
from bot.dispatch.deduplicator import Deduplicator
from bot.faces.slack.retries import quiet
from bot.faces.slack.web_api import UNREACHED
from bot.secret_box import CannotOpen, SecretBox
from bot.store.engine import Store, StoreError

log = structlog.get_logger()

SCOPES = ("commands", "chat:write", "files:write", "im:write", "pins:write", "users:read")
"""What it may: take commands, post, upload pictures, open direct messages, pin, know names, languages and admins."""

INSTALL, REDIRECT = "/slack/install", "/slack/oauth_redirect"

STATE_SECONDS = 600
"""How long somebody may take from the install page to Slack's consent."""

_STATE = "slack-oauth-state"

Handler = Callable[[Request], Awaitable[Response]]


class NotInstalled(Exception):
    """A workspace that did not install the app, or has removed it."""


class CannotServe(Exception):
    """A kind of installation that is not served; its text says what to do instead."""


class Workspaces(Protocol):
    """Whose tokens we have. A workspace is known by its team: it may join an organisation, and leave it."""

    async def token(self, team: str) -> str:
        """The bot token of a workspace; raises NotInstalled."""

    async def since(self, team: str) -> int | None:
        """The second at which it was installed, where that is known."""


@dataclass(frozen=True, slots=True)
class OneWorkspace:
    """The one whose token is in the environment."""

    bot_token: str

    async def token(self, team: str) -> str:
        """That token: the app is installed nowhere else."""
        return self.bot_token

    async def since(self, team: str) -> int | None:
        """Nobody told."""
        return None


@dataclass(slots=True)
class Installed(AsyncInstallationStore):
    """Those that installed the app. ``arrived`` is told of each."""

    store: Store
    vault: SecretBox
    clock: Callable[[], int]
    arrived: Callable[[str], None] = field(default=lambda team: None)

    async def token(self, team: str) -> str:
        """The bot token of a workspace; raises NotInstalled. Read each time: another process may have removed it."""
        async with self.store.reader() as reader:
            found = await reader.installation("slack", team)
        if found is None:
            raise NotInstalled
        try:
            document = self.vault.open(label(team), found[0], is_earlier=lambda other: _is_of(other, team))
        except CannotOpen as error:
            log.error("slack_token_sealed", team=team, reason=str(error))
            raise NotInstalled from None
        return str(document["token"])

    async def since(self, team: str) -> int | None:
        """The second at which it was installed; None where it is not."""
        async with self.store.reader() as reader:
            found = await reader.installation("slack", team)
        return None if found is None else found[1]

    async def async_save(self, installation: Installation) -> None:
        """Keep the tokens of a workspace, sealed; raises CannotServe."""
        team = installation.team_id or ""
        if installation.is_enterprise_install or not team:
            raise CannotServe(ONE_WORKSPACE)
        if not installation.bot_token:
            raise CannotServe("Slack gave no bot token: the app needs a bot, as its manifest says.")
        if installation.bot_refresh_token:
            raise CannotServe("Switch token rotation off for this Slack app, as its manifest says; then install again.")
        sealed = self.vault.seal(label(team), {"token": installation.bot_token})
        self.arrived(team)  # before it is stored, lest a removal under way take it for the old one
        async with self.store.writer(beside=True) as writer:
            await writer.save_installation("slack", team, sealed, self.clock())
        log.info("slack_installed", team=team)


ONE_WORKSPACE = (
    "spotbot is installed in one workspace at a time, not in a whole organisation. Open /slack/install again, and "
    "choose a workspace in the list on Slack's page before you allow it."
)


def label(team: str) -> str:
    """What a workspace's tokens are sealed for; an organisation stood between the colons once."""
    return f"slack::{team}"


def _is_of(other: str, team: str) -> bool:
    """Whether a label is one of the same workspace, from when its organisation was part of the name."""
    platform, _, rest = other.partition(":")
    return platform == "slack" and rest.partition(":")[2] == team


class States(AsyncOAuthStateStore):
    """The states of installations under way: sealed, so that nothing is stored; each is good once, for ten minutes."""

    def __init__(self, vault: SecretBox) -> None:
        self._vault, self._used = vault, Deduplicator(STATE_SECONDS + 60)

    async def async_issue(self, *args: object, **kwargs: object) -> str:
        """A new one. Without padding, which cookies and addresses would have to quote."""
        return self._vault.seal(_STATE, {"nonce": secrets.token_urlsafe(16)}).decode().rstrip("=")

    async def async_consume(self, state: str) -> bool:
        """Whether it is one of ours, fresh, and not used before."""
        try:
            document = self._vault.open(_STATE, (state + "=" * (-len(state) % 4)).encode(), ttl=STATE_SECONDS)
        except (CannotOpen, ValueError):
            return False
        return self._used.first(str(document["nonce"]))


def authorize_url(api: str) -> str:
    """Where people consent: Slack's page, or that of the server which stands for Slack."""
    if api.rstrip("/") == SLACK_API_URL.rstrip("/"):
        return "https://slack.com/oauth/v2/authorize"
    there = urlsplit(api)
    return f"{there.scheme}://{there.netloc}/oauth/v2/authorize"


def oauth_flow(
    client: AsyncWebClient, installed: Installed, *, client_id: str, client_secret: str, api: str
) -> AsyncOAuthFlow:
    """The installation of the app by other workspaces."""
    return AsyncOAuthFlow(
        client=client,
        logger=quiet,
        settings=AsyncOAuthSettings(
            client_id=client_id,
            client_secret=client_secret,
            scopes=SCOPES,
            user_scopes=(),
            install_path=INSTALL,
            redirect_uri_path=REDIRECT,
            install_page_rendering_enabled=False,
            authorization_url=authorize_url(api),
            installation_store=installed,
            installation_store_bot_only=True,
            state_store=States(installed.vault),
            state_expiration_seconds=STATE_SECONDS,
            logger=quiet,
        ),
    )


def routes(flow: AsyncOAuthFlow) -> list[tuple[str, list[str], Handler]]:
    """The two pages of an installation."""

    async def install(request: Request) -> Response:
        # nothing of the request is passed on: it would be copied into the address of Slack's page
        return to_starlette_response(await flow.handle_installation(AsyncBoltRequest(body="")))

    async def redirect(request: Request) -> Response:
        asked = AsyncBoltRequest(
            body="", query=dict(request.query_params), headers={"cookie": request.headers.getlist("cookie")}
        )
        try:
            return to_starlette_response(await flow.handle_callback(asked))
        except CannotServe as error:
            log.warning("slack_install_refused", reason=str(error))
            return PlainTextResponse(str(error), 400)
        except StoreError as error:
            log.warning("slack_install_failed", reason=str(error))
            return PlainTextResponse("The installation could not be stored. Please install again in a minute.", 503)
        except (SlackClientError, *UNREACHED) as error:
            log.warning("slack_install_failed", reason=type(error).__name__)
            return PlainTextResponse("Slack could not be reached. Please install again in a minute.", 502)

    return [(INSTALL, ["GET"], install), (REDIRECT, ["GET"], redirect)]
