"""What ``spotbot doctor`` looks at for Slack."""

from __future__ import annotations

from collections.abc import Awaitable

from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.config import Settings
from bot.faces.slack.installations import SCOPES
from bot.faces.slack.retries import web_client
from bot.faces.slack.web_api import REFUSALS, UNREACHED, error_of

Finding = tuple[str, bool, str]
"""What was looked at, whether it is well, and what to do or to know."""


def half_configured(settings: Settings, *, sealed: bool) -> list[str]:
    """Sentences, each naming a variable, on what is said of Slack that is not enough or too much.

    ``sealed``: other workspaces' tokens can be encrypted.
    """
    bot, app, secret = settings.slack_bot_token, settings.slack_app_token, settings.slack_signing_secret
    client, client_secret = settings.slack_client_id, settings.slack_client_secret
    heard, known = app or secret, bot or client
    wrong = (
        (bool(client) != bool(client_secret), "SLACK_CLIENT_ID and SLACK_CLIENT_SECRET go together: set both or none"),
        (bool(bot and client), "SLACK_BOT_TOKEN is for one workspace, SLACK_CLIENT_ID for many: set one of them"),
        (
            bool(known and not heard),
            "SLACK_APP_TOKEN (Socket Mode) or SLACK_SIGNING_SECRET (HTTP) is missing: without one nothing is heard",
        ),
        (
            bool(heard and not known),
            "SLACK_BOT_TOKEN (one workspace) or SLACK_CLIENT_ID (many) is missing: without one nothing can be answered",
        ),
        (
            bool(client and not sealed),
            "SPOTBOT_SECRET_KEY is missing: it encrypts the workspaces' tokens; `spotbot keys secret` makes one",
        ),
    )
    misplaced = [sentence for name, sentence in settings.misplaced().items() if name.startswith("SLACK_")]
    return misplaced + [sentence for is_wrong, sentence in wrong if is_wrong]


async def check(settings: Settings) -> list[Finding]:
    """Tokens, scopes and the way to Slack; nothing at all where Slack is not set up."""
    found: list[Finding] = [
        ("Slack settings", False, wrong) for wrong in half_configured(settings, sealed=bool(settings.secret_key))
    ]
    if settings.slack_bot_token is not None:
        found += await _bot(settings, settings.slack_bot_token.get_secret_value())
    if settings.slack_app_token is not None:
        found.append(await _app(settings, settings.slack_app_token.get_secret_value()))
    elif settings.slack_signing_secret is not None:
        found.append(("SLACK_SIGNING_SECRET", True, "Slack must be able to post to /slack/events of this server"))
    if settings.slack_client_id is not None:
        found.append(
            ("SLACK_CLIENT_ID", True, "workspaces install the app at /slack/install of this server, over https")
        )
    return found


async def _bot(settings: Settings, token: str) -> list[Finding]:
    client = web_client(settings.slack_api_url, token=token, retry=False)
    answer, wrong = await _ask(client.auth_test())
    if answer is None:
        return [("SLACK_BOT_TOKEN", False, wrong)]
    granted = {scope.strip() for scope in _header(answer, "x-oauth-scopes").split(",")} - {""}
    missing = [scope for scope in SCOPES if granted and scope not in granted]
    advice = f"missing: {', '.join(missing)}. Paste manifest.yml under App Manifest, then install the app again"
    return [
        (f"SLACK_BOT_TOKEN of {answer.get('team')}", True, ""),
        ("Slack scopes", not missing, advice if missing else ", ".join(SCOPES)),
    ]


async def _app(settings: Settings, token: str) -> Finding:
    client = web_client(settings.slack_api_url, token=token, retry=False)
    answer, wrong = await _ask(client.apps_connections_open(app_token=token))
    return ("SLACK_APP_TOKEN (Socket Mode)", answer is not None, wrong)


async def _ask(asked: Awaitable[AsyncSlackResponse]) -> tuple[AsyncSlackResponse | None, str]:
    """Slack's answer, or what is wrong and how to mend it."""
    try:
        return await asked, ""
    except SlackApiError as error:
        reason = error_of(error)
        if reason == "missing_scope":
            return None, "Slack says missing_scope: give the app-level token the scope connections:write"
        if reason in REFUSALS:
            return None, f"Slack refuses it ({reason}): copy it anew from your app at api.slack.com/apps"
        return None, f"Slack says {reason}"
    except (SlackClientError, *UNREACHED) as error:
        return None, f"Slack cannot be reached ({type(error).__name__}): check the network and SLACK_API_URL"


def _header(answer: AsyncSlackResponse, name: str) -> str:
    return next((str(value) for key, value in answer.headers.items() if key.lower() == name), "")
