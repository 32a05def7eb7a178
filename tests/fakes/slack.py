"""A small Slack on loopback: its Web API, Socket Mode, signed requests, response_urls, uploads and OAuth.

``async with FakeSlack() as slack``: SDKs speak to ``slack.url``. People ``say``, ``click`` and cause an ``event``;
what they then see is in ``messages``, ``homes`` and ``files``. ``troubles`` holds answers that come first, by method.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx
from aiohttp import web

from tests.fakes.slack_blocks import wrong_with, wrong_with_modal
from tests.fakes.slack_channels import Channels, Message

__all__ = ["FakeSlack", "Message", "Trouble", "signed", "until"]

BOT, APP, SECRET = "xoxb-good", "xapp-good", "signing-secret"
CLIENT_ID, CLIENT_SECRET = "11.22", "client-secret"
SCOPES = "commands,chat:write,files:write,im:write,pins:write,users:read"


@dataclass(slots=True)
class Trouble:
    """An answer out of turn."""

    status: int = 200
    error: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    wait: asyncio.Event | None = None
    """answered only when this is set"""
    lost: str = ""
    """``before`` or ``after`` it is done, the connection breaks off"""

    async def response(self) -> web.Response | None:
        if self.wait is not None:
            await self.wait.wait()
        if self.status == 200 and not self.error:
            return None
        return web.json_response(
            {"ok": False, "error": self.error or "failed"}, status=self.status, headers=self.headers
        )


LIMITED = Trouble(429, "ratelimited", {"Retry-After": "7"})


class FakeSlack(Channels):
    """See the module. ``over_http``: where signed requests go instead of over the socket."""

    def __init__(self) -> None:
        super().__init__()
        self.people: dict[str, dict[str, Any]] = defaultdict(dict)
        self.teams = {BOT: "T1"}
        self.homes: dict[str, dict[str, Any]] = {}
        self.home_ids: dict[str, str] = {}
        self.modals: list[dict[str, Any]] = []
        self._triggers: set[str] = set()
        self.calls: list[str] = []
        self.troubles: dict[str, deque[Trouble]] = defaultdict(deque)
        self.acks: dict[str, dict[str, Any]] = {}
        self.sockets: list[web.WebSocketResponse] = []
        self.over_http: httpx.AsyncClient | None = None
        self.url = ""
        self._hooks: dict[str, tuple[str, str, str, Message | None]] = {}
        self._codes: dict[str, tuple[str, str]] = {}
        self._uses: dict[str, int] = defaultdict(int)
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> FakeSlack:
        await self.listen(0)
        return self

    async def __aexit__(self, *args: object) -> None:
        await self.hang_up()

    async def listen(self, port: int) -> None:
        app = web.Application()
        app.add_routes(
            [
                web.route("*", "/api/{method}", self._api),
                web.get("/link", self._link),
                web.post("/upload/{file}", self._upload),
                web.post("/hook/{hook}", self._hook),
            ]
        )
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def hang_up(self) -> None:
        """As if this Slack were gone."""
        await self.drop()
        if self._runner is not None:
            await self._runner.cleanup()

    # what people do

    async def say(self, text: str, *, person: str = "U1", team: str = "T1", channel: str = "C1", **more: Any) -> str:
        """Type ``/spot`` and this; gives the envelope's id, or the status over HTTP."""
        return await self.send(self.command(text, person=person, team=team, channel=channel, **more))

    def command(
        self, text: str, *, person: str = "U1", team: str = "T1", channel: str = "C1", **more: Any
    ) -> dict[str, Any]:
        """The payload of a command."""
        return {
            "command": "/spot", "text": text, "user_id": person, "user_name": person.lower(), "team_id": team,
            "channel_id": channel, "trigger_id": self._id("trigger"), "is_enterprise_install": "false",
            "response_url": self.response_url(team, channel, person), **more,
        }  # fmt: skip

    def click_on(self, message: Message, action: str, *, person: str = "U1", **more: Any) -> dict[str, Any]:
        """The payload of a click."""
        button = message.button(action)
        return {
            "type": "block_actions", "user": {"id": person, "name": person.lower(), "team_id": message.team},
            "team": {"id": message.team}, "enterprise": None, "channel": {"id": message.channel},
            "container": {"type": "message", "message_ts": message.ts, "channel_id": message.channel},
            "trigger_id": self._id("trigger"), "actions": [{**button, "action_ts": self._id("ts")}],
            "response_url": self.response_url(message.team, message.channel, person, message), **more,
        }  # fmt: skip

    async def click(self, message: Message, action: str, *, person: str = "U1") -> str:
        return await self.send(self.click_on(message, action, person=person))

    def click_home(self, action: str, *, person: str = "U1", team: str = "T1") -> dict[str, Any]:
        """The payload of a click on somebody's App Home: without a channel, a message or a response_url."""
        home = self.homes[person]
        found = [(block, one) for block in home["blocks"] for one in block.get("elements", []) if _is(one, action)]
        block, button = found[0]
        clicked = {**button, "block_id": block["block_id"], "action_ts": self._id("ts")}
        return {
            "type": "block_actions", "user": {"id": person, "name": person.lower(), "team_id": team},
            "team": {"id": team}, "enterprise": None, "container": {"type": "view", "view_id": self.home_ids[person]},
            "trigger_id": self._id("trigger"), "actions": [clicked], "view": {**home, "id": self.home_ids[person]},
        }  # fmt: skip

    async def submit(self, view: Mapping[str, Any], *, person: str = "U1", team: str = "T1", **texts: str) -> str:
        """Send a modal back with other texts in some of its fields."""
        return await self.send(self.submission(view, person=person, team=team, **texts))

    def submission(
        self, view: Mapping[str, Any], *, person: str = "U1", team: str = "T1", **texts: str
    ) -> dict[str, Any]:
        """The payload of a modal that is sent back."""
        fields = {block["block_id"]: block["element"] for block in view["blocks"]}
        values = {
            name: {element["action_id"]: {"type": element["type"], "value": texts.get(name, element["initial_value"])}}
            for name, element in fields.items()
        }
        return {
            "type": "view_submission", "user": {"id": person, "name": person.lower(), "team_id": team},
            "team": {"id": team}, "enterprise": None, "trigger_id": self._id("trigger"), "response_urls": [],
            "view": {**view, "state": {"values": values}},
        }  # fmt: skip

    def event_of(self, kind: str, *, team: str = "T1", at: int | None = None, **event: Any) -> dict[str, Any]:
        """The payload of an event, of a second where one is told."""
        return {
            **({} if at is None else {"event_time": at}),
            "type": "event_callback", "team_id": team, "api_app_id": "A1", "event_id": self._id("Ev"),
            "event": {"type": kind, **event}, "authorizations": [{"team_id": team, "is_enterprise_install": False}],
        }  # fmt: skip

    async def event(self, kind: str, *, team: str = "T1", **event: Any) -> str:
        return await self.send(self.event_of(kind, team=team, **event))

    async def send(self, payload: dict[str, Any]) -> str:
        """Deliver a payload, over the newest socket or as a signed request."""
        if self.over_http is not None:
            body, headers = signed(payload)
            answer = await self.over_http.post("/slack/events", content=body, headers=headers)
            return str(answer.status_code)
        envelope = self._id("envelope")
        kinds = {"event_callback": "events_api", "block_actions": "interactive", "view_submission": "interactive"}
        kind = kinds.get(payload.get("type", ""), "slash_commands")
        await self.sockets[-1].send_json({"envelope_id": envelope, "type": kind, "payload": payload})
        return envelope

    async def drop(self) -> None:
        """Break all sockets off."""
        for socket in list(self.sockets):
            await socket.close()

    async def announce(self) -> None:
        """Say on the newest socket that it will end soon."""
        await self.sockets[-1].send_json({"type": "disconnect", "reason": "refresh_requested"})

    def response_url(self, team: str, channel: str, person: str, message: Message | None = None) -> str:
        hook = self._id("hook")
        self._hooks[hook] = (team, channel, person, message)
        return f"{self.url}/hook/{hook}"

    # what the bot does

    async def _trouble(self, method: str) -> web.Response | None:
        return await self.troubles[method].popleft().response() if self.troubles[method] else None

    async def _api(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        self.calls.append(method)
        lost = self.troubles[method][0].lost if self.troubles[method] else ""
        if (trouble := await self._trouble(method)) is not None:
            return trouble
        if lost != "before":
            answer = await self._done(method, request)
        if lost:
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        return answer

    async def _done(self, method: str, request: web.Request) -> web.Response:
        given = dict(request.query)
        given |= await request.json() if request.content_type == "application/json" else dict(await request.post())
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        answers: dict[str, Callable[[dict[str, Any], str], dict[str, Any]]] = {
            "auth.test": lambda given, team: {"team_id": team, "team": "One", "bot_id": "B1", "user_id": "UB"},
            "users.info": self._users_info,
            "views.publish": self._publish,
            "views.open": self._open_modal,
            "views.update": self._update_modal,
            "files.getUploadURLExternal": self._upload_url,
            "files.completeUploadExternal": self._complete,
            "chat.postMessage": self._post,
            "chat.update": self._update,
            "chat.delete": self._delete,
            "pins.add": self._pin,
            "conversations.open": lambda given, team: self._open(given["users"]),
        }
        if method == "oauth.v2.access":
            return web.json_response(self._access(given))
        if method == "apps.connections.open":
            good = token == APP
            return web.json_response(
                {"ok": good, "error": "invalid_auth", "url": f"{self.url.replace('http', 'ws')}/link"}
            )
        team = self.teams.get(token)
        found = answers[method](given, team) if team else {"ok": False, "error": "invalid_auth"}
        return web.json_response({"ok": True, **found}, headers={"X-OAuth-Scopes": SCOPES})

    def _users_info(self, given: dict[str, Any], team: str) -> dict[str, Any]:
        user = {"id": given["user"], "team_id": team, "name": given["user"].lower(), **self.people[given["user"]]}
        if given.get("include_locale") not in ("1", "true"):
            user.pop("locale", None)
        return {"user": user}

    def _publish(self, given: dict[str, Any], team: str) -> dict[str, Any]:
        view = given["view"] if isinstance(given["view"], dict) else json.loads(given["view"])
        reason = wrong_with(view["blocks"], 100)
        if reason:
            self.refused.append(reason)
            return {"ok": False, "error": "invalid_arguments"}
        self.homes[given["user_id"]], self.home_ids[given["user_id"]] = view, self._id("V")
        return {"view": view}

    def _open_modal(self, given: dict[str, Any], team: str) -> dict[str, Any]:
        view = given["view"] if isinstance(given["view"], dict) else json.loads(given["view"])
        reason = wrong_with_modal(view)
        if reason:
            self.refused.append(reason)
            return {"ok": False, "error": "invalid_arguments"}
        if given["trigger_id"] in self._triggers:
            return {"ok": False, "error": "exchanged_trigger_id"}
        self._triggers.add(given["trigger_id"])
        self.modals.append({**view, "id": self._id("V")})
        return {"view": self.modals[-1]}

    def _update_modal(self, given: dict[str, Any], team: str) -> dict[str, Any]:
        view = given["view"] if isinstance(given["view"], dict) else json.loads(given["view"])
        shown = next((modal for modal in self.modals if modal["id"] == given["view_id"]), None)
        if shown is None or (reason := wrong_with_modal(view)):
            self.refused.append(reason if shown else "not_found")
            return {"ok": False, "error": "not_found"}
        shown.clear()
        shown.update({**view, "id": given["view_id"]})
        return {"view": shown}

    def _upload_url(self, given: dict[str, Any], team: str) -> dict[str, Any]:
        file = self._id("F")
        self.files[file] = {"team": team, "alt": given["alt_txt"], "length": int(given["length"]), "state": "asked"}
        return {"upload_url": f"{self.url}/upload/{file}", "file_id": file}

    async def _upload(self, request: web.Request) -> web.Response:
        if (trouble := await self._trouble("upload")) is not None:
            return trouble
        file, data = self.files[request.match_info["file"]], await request.read()
        file.update(data=data, state="sent" if len(data) == file["length"] else "broken")
        return web.Response(text="OK")

    def _complete(self, given: dict[str, Any], team: str) -> dict[str, Any]:
        files = given["files"] if isinstance(given["files"], list) else json.loads(given["files"])
        if any(self.files[file["id"]]["state"] != "sent" for file in files):
            return {"ok": False, "error": "file_not_found"}
        for file in files:
            self.files[file["id"]]["state"] = "complete"
        return {"files": [{"id": file["id"]} for file in files]}

    async def _hook(self, request: web.Request) -> web.Response:
        self.calls.append("response_url")
        lost = self.troubles["response_url"][0].lost if self.troubles["response_url"] else ""
        if (trouble := await self._trouble("response_url")) is not None:
            return trouble
        if lost != "before":
            answer = await self._hooked(request)
        if lost:
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        return answer

    async def _hooked(self, request: web.Request) -> web.Response:
        hook, body = request.match_info["hook"], await request.json()
        self._uses[hook] += 1
        reason = "used_url" if self._uses[hook] > 5 else wrong_with(body.get("blocks", []), 50)
        if not reason and not 0 < len(body.get("text") or "") <= 4000:
            reason = "no_text"
        if not reason and any(self._unknown_file(block) for block in body.get("blocks", [])):
            reason = "invalid_blocks"
        if reason:
            self.refused.append(reason)
            return web.Response(text=reason, status=404 if reason == "used_url" else 400)
        self._show(hook, body)
        return web.Response(text="ok")

    def _show(self, hook: str, body: dict[str, Any]) -> None:
        team, channel, person, original = self._hooks[hook]
        if body.get("replace_original") and original is not None:
            original.body, original.edits = body, original.edits + 1
            return
        only = "" if body.get("response_type") == "in_channel" else person
        self.messages.append(Message(self._id("ts"), team, channel, only, body))

    async def _link(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"type": "hello", "num_connections": 1})
        self.sockets.append(socket)
        try:
            async for frame in socket:
                ack = json.loads(frame.data)
                self.acks[ack["envelope_id"]] = ack
        finally:
            self.sockets.remove(socket)
        return socket

    # installing

    def revoke(self, team: str) -> None:
        """As Slack does when a workspace removes the app."""
        self.teams = {token: of for token, of in self.teams.items() if of != team}

    def consent(self, team: str, *, enterprise: str = "") -> str:
        """Somebody of a workspace agrees, or without one somebody of an organisation for all of it; gives the code."""
        code = self._id("code")
        self._codes[code] = (team, enterprise)
        return code

    def _access(self, given: dict[str, Any]) -> dict[str, Any]:
        team, enterprise = self._codes.pop(str(given.get("code")), ("", ""))
        if not (team or enterprise):
            return {"ok": False, "error": "invalid_code"}
        token = self._id(f"xoxb-of-{team or enterprise}")
        self.teams[token] = team or enterprise
        return {
            "ok": True, "access_token": token, "token_type": "bot", "scope": SCOPES, "bot_user_id": "UB",
            "team": {"id": team, "name": team} if team else None, "is_enterprise_install": not team, "app_id": "A1",
            "enterprise": {"id": enterprise, "name": enterprise} if enterprise else None,
            "authed_user": {"id": "U1"},
        }  # fmt: skip


def _is(element: dict[str, Any], action: str) -> bool:
    """Whether it is the button with this action id, or whose line begins so."""
    return element.get("action_id") == action or str(element.get("value", "")).partition(" ")[2].startswith(action)


def signed(
    payload: dict[str, Any] | bytes, *, secret: str = SECRET, at: float | None = None, kind: str = ""
) -> tuple[bytes, dict[str, str]]:
    """A body and headers as Slack sends them."""
    if isinstance(payload, bytes):
        body, content_type = payload, kind or "application/json"
    elif "command" in payload:
        body, content_type = urlencode(payload).encode(), "application/x-www-form-urlencoded"
    elif payload.get("type") in ("block_actions", "view_submission"):
        body, content_type = urlencode({"payload": json.dumps(payload)}).encode(), "application/x-www-form-urlencoded"
    else:
        body, content_type = json.dumps(payload).encode(), "application/json"
    stamp = str(int(time.time() if at is None else at))
    mark = "v0=" + hmac.new(secret.encode(), f"v0:{stamp}:".encode() + body, hashlib.sha256).hexdigest()
    headers = {"X-Slack-Signature": mark, "X-Slack-Request-Timestamp": stamp, "Content-Type": kind or content_type}
    return body, headers


async def until(what: Callable[[], Any], seconds: float = 20.0) -> None:
    """Until a condition holds; fails when it never does."""
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            raise AssertionError("it did not happen in time")
        await asyncio.sleep(0.005)
