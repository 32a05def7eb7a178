"""The Slack face: ``/spot``, its buttons and the App Home, over Socket Mode or signed HTTP, from the same listeners."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Coroutine
from typing import Any

import structlog
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.authorization.async_authorize import AsyncAuthorize
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackApiError, SlackClientError

from bot.config import BadSettings, Settings
from bot.dispatch.deduplicator import Deduplicator
from bot.dispatch.dispatcher import Dispatcher
from bot.faces.errors import AccessRefused
from bot.faces.slack.blocks import FORM, PAGE, REFRESH, RUN, SHARE
from bot.faces.slack.calls import Call, call_of_action, call_of_command, call_of_submission
from bot.faces.slack.chart_uploads import ChartUploads, Draws
from bot.faces.slack.check import check, half_configured
from bot.faces.slack.form_views import CALLBACK, first_field
from bot.faces.slack.installations import Handler, Installed, OneWorkspace, Workspaces, oauth_flow, routes
from bot.faces.slack.presence import Presence
from bot.faces.slack.responder import SlackResponder, Tasks
from bot.faces.slack.retries import Sleep, quiet, web_client
from bot.faces.slack.sender import SlackSender
from bot.faces.slack.signed_requests import SignedRequests
from bot.faces.slack.socket_mode import SocketModeConnection, pauses, refused
from bot.faces.slack.web_api import REFUSALS, UNREACHED, Members, error_of, pause_after
from bot.secret_box import SecretBox

__all__ = ["EVENTS", "SlackFace", "build_slack", "check"]

log = structlog.get_logger()

EVENTS_PATH = "/slack/events"
EVENTS = ("app_home_opened", "app_uninstalled", "tokens_revoked")
"""What Slack is asked to tell besides commands and clicks."""

GRACE = 5.0
"""Seconds that answers under way get when the process is to end."""

DAY = 86_400
_ANY = re.compile(r".", re.DOTALL)

Route = tuple[str, list[str], Handler]
Begin = Callable[[Coroutine[Any, Any, None]], None]
"""Goes on with some work beside everything else."""


def build_slack(
    settings: Settings,
    dispatcher: Dispatcher,
    gallery: Draws,
    vault: SecretBox | None = None,
    *,
    sleep: Sleep = asyncio.sleep,
) -> SlackFace | None:
    """The face that the settings ask for; None when they say nothing of Slack, BadSettings when they say half of it."""
    wrong = half_configured(settings, sealed=vault is not None)
    if wrong:
        raise BadSettings("\n".join(wrong))
    if settings.slack_bot_token is None and settings.slack_client_id is None:
        return None
    client = web_client(settings.slack_api_url, sleep=sleep)
    workspaces: Workspaces
    flow = None
    if settings.slack_bot_token is not None:
        workspaces = OneWorkspace(settings.slack_bot_token.get_secret_value())
    else:
        if vault is None or settings.slack_client_id is None or settings.slack_client_secret is None:
            raise AssertionError("the settings were checked above")
        workspaces = Installed(dispatcher.store, vault, dispatcher.clock)
        flow = oauth_flow(
            client,
            workspaces,
            client_id=settings.slack_client_id.get_secret_value(),
            client_secret=settings.slack_client_secret.get_secret_value(),
            api=settings.slack_api_url,
        )
    uploads = web_client(settings.slack_api_url, retry=False)
    pictures = ChartUploads(gallery, uploads)
    people = Members(client)
    presence = Presence(dispatcher.store, workspaces, client, dispatcher.clock, sleep)
    answers = SlackResponder(dispatcher, presence, people, pictures, client, settings.locale, sleep=sleep)
    presence.on_leave = answers.left
    sender = SlackSender(presence.token, presence.gone.__contains__, uploads, pictures, dispatcher.clock, sleep)
    if isinstance(workspaces, Installed):
        workspaces.arrived = presence.arrived
    return SlackFace(settings, answers, sender, flow, sleep=sleep)


class SlackFace:
    """The face. ``routes``: path, methods and handler of each page that the web server must carry for it."""

    platform = "slack"

    def __init__(
        self,
        settings: Settings,
        answers: SlackResponder,
        sender: SlackSender,
        flow: AsyncOAuthFlow | None,
        *,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.answers, self._tasks = answers, Tasks()
        self._sender = sender
        self.app = bolt_app(answers, self._tasks.start, flow)
        self.line: SocketModeConnection | None = None
        self._sleep = sleep
        self._bot_token = settings.slack_bot_token
        self.routes: list[Route] = routes(flow) if flow else []
        if settings.slack_app_token is not None:
            app_token = settings.slack_app_token.get_secret_value()
            client = web_client(settings.slack_api_url, token=app_token, retry=False)
            self.line = SocketModeConnection(client, self.dispatch, sleep=sleep)
        elif settings.slack_signing_secret is not None:
            door = SignedRequests(settings.slack_signing_secret.get_secret_value(), self.dispatch, clock=time.time)
            self.routes.append((EVENTS_PATH, ["POST"], door.answer))

    @property
    def sender(self) -> SlackSender:
        """Sends messages that nobody asked for."""
        return self._sender

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop`` is set; then finish what is under way. Raises AccessRefused when Slack refuses a token."""
        parts = [asyncio.create_task(self._know_token())]
        if self.line is not None:
            parts.append(asyncio.create_task(self.line.run()))
        stopping = asyncio.create_task(stop.wait())
        try:
            waiting: set[asyncio.Task[Any]] = {stopping, *parts}
            while not stopping.done():
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            for task in (stopping, *parts):
                task.cancel()
            await asyncio.gather(stopping, *parts, return_exceptions=True)
            await self.close()

    async def close(self) -> None:
        """Finish what is under way, for a few seconds."""
        await self._tasks.finish(GRACE)
        await self.answers.pictures.close()
        await self.answers.people.close()

    async def dispatch(self, payload: dict[str, Any]) -> BoltResponse:
        """Give a payload, from wherever it came, to the listeners; they acknowledge at once. Never raises."""
        try:
            # as Slack's SDK passes what comes over a socket: it reads forms wrongly whose text says "payload"
            return await self.app.async_dispatch(AsyncBoltRequest(body=payload, mode="socket_mode"))
        except Exception:  # what is signed but not as documented must not end the connection
            log.exception("slack_payload_failed")
            return BoltResponse(status=400, body="the body is not one of Slack's")

    async def _know_token(self) -> None:
        """Ask Slack whether the bot token is good, until it says yes; raises AccessRefused when it says no."""
        if self._bot_token is None:
            return
        for pause in pauses():
            try:
                await self.answers.client.auth_test(token=self._bot_token.get_secret_value())
                return
            except SlackApiError as error:
                reason = error_of(error)
                if reason in REFUSALS:
                    raise AccessRefused(refused("SLACK_BOT_TOKEN", reason)) from None
                pause = pause_after(error, pause)
            except (SlackClientError, *UNREACHED) as error:
                reason = type(error).__name__
            log.warning("slack_unreachable", reason=reason, pause=pause)
            await self._sleep(pause)


class _Anybody(AsyncAuthorize):
    """Lets everybody in, without asking Slack or the store: who they are is looked up after the acknowledgement."""

    def __init__(self) -> None:
        pass

    async def __call__(
        self, *, enterprise_id: str | None, team_id: str | None, user_id: str | None, **more: Any
    ) -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=enterprise_id, team_id=team_id, user_id=user_id)


def bolt_app(answers: SlackResponder, begin: Begin, flow: AsyncOAuthFlow | None = None) -> AsyncApp:
    """The listeners. Each acknowledges and leaves the work to a task of its own (``begin``)."""
    app = AsyncApp(
        name="spotbot",
        client=web_client("http://unused.invalid", retry=False),
        authorize=_Anybody(),
        oauth_flow=flow,
        logger=quiet,
        process_before_response=True,  # listeners take no time, and else an acknowledgement would wait for a poll
        request_verification_enabled=False,  # done before, for HTTP, by slack_signed
        ignoring_self_events_enabled=False,
        attaching_function_token_enabled=False,
        attaching_conversation_kwargs_enabled=False,
    )
    _listen_to_people(app, answers, begin)
    _listen_to_events(app, answers, begin)

    @app.error
    async def failed(error: Exception) -> BoltResponse:
        log.error("slack_listener_failed", exc_info=error)
        return BoltResponse(status=400, body="the body is not one of Slack's")

    return app


def _listen_to_people(app: AsyncApp, answers: SlackResponder, begin: Begin) -> None:
    once = Deduplicator(DAY)

    @app.command(_ANY)
    async def command(ack: AsyncAck, body: dict[str, Any]) -> None:
        await ack()
        call = call_of_command(body)
        if call.can_be_answered and once.first(f"command {call.team} {body.get('trigger_id') or call.answer_to}"):
            begin(answers.command(call, str(body.get("text") or "")))

    @app.action(_ANY)
    async def action(ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        await ack()
        call, name = call_of_action(body), str(action.get("action_id") or "")
        known = name.startswith((SHARE, REFRESH, PAGE, RUN, FORM))
        if not (known and call.can_be_answered and all(once.first(key) for key in _keys(call, body, action))):
            return
        if name.startswith(FORM):
            begin(answers.open_form(call, str(action.get("value") or ""), str(body.get("trigger_id") or "")))
        else:
            begin(answers.again(call, str(action.get("value") or ""), name))

    @app.view(CALLBACK)
    async def submitted(ack: AsyncAck, body: dict[str, Any], view: dict[str, Any]) -> None:
        call, sent = call_of_submission(body, view)
        if not (call.can_be_answered and once.first(f"view {call.team} {body.get('trigger_id')}")):
            await ack()
            return
        told = await answers.form_sent(call, sent)
        if told.wrong:
            await ack(response_action="errors", errors={first_field(view): told.wrong})
        else:
            await (ack(response_action="update", view=told.view) if told.view else ack())


def _listen_to_events(app: AsyncApp, answers: SlackResponder, begin: Begin) -> None:
    once = Deduplicator(DAY)

    @app.event("app_home_opened")
    async def home_opened(ack: AsyncAck, body: dict[str, Any], event: dict[str, Any]) -> None:
        await ack()
        call = _call_of_event(body, str(event.get("user") or ""))
        if event.get("tab", "home") == "home" and call.team and once.first(f"event {body.get('event_id')}"):
            begin(answers.home(call))

    @app.event(re.compile("^(app_uninstalled|tokens_revoked)$"))
    async def removed(ack: AsyncAck, body: dict[str, Any], event: dict[str, Any]) -> None:
        await ack()
        ours = event.get("type") == "app_uninstalled" or bool((event.get("tokens") or {}).get("bot"))
        call = _call_of_event(body, "")
        if ours and call.team and once.first(f"event {body.get('event_id')}"):
            at = body.get("event_time")
            begin(answers.presence.removed(call.team, at if isinstance(at, int) else None))

    @app.event(_ANY)
    async def other(ack: AsyncAck) -> None:
        await ack()  # Slack would send it again and again


def _keys(call: Call, body: dict[str, Any], action: dict[str, Any]) -> list[str]:
    """What a click is known by: its own id; for Share and for what the App Home runs also the showing that it is on."""
    keys = [f"action {call.team} {body.get('trigger_id') or action.get('action_ts')}"]
    if call.from_home and str(action.get("action_id")).startswith(RUN):
        keys.append(f"home {call.team} {call.person} {action.get('block_id')} {action.get('action_id')}")
    elif str(action.get("action_id")).startswith(SHARE):
        on = (body.get("container") or {}).get("message_ts")
        keys.append(f"share {call.team} {call.channel} {on} {call.person} {action.get('block_id')}")
    return keys


def _call_of_event(body: dict[str, Any], person: str) -> Call:
    """The workspace stands at the top, or only with the authorizations."""
    given = body.get("authorizations")
    first = given[0] if isinstance(given, list) and given and isinstance(given[0], dict) else {}
    return Call(str(body.get("team_id") or first.get("team_id") or ""), person)
