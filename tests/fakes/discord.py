"""A small Discord on loopback: its REST API and gateway, as far as spotbot uses them, with people who ask."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from tests.fakes.discord_channels import APPLICATION, CHANNEL, EPHEMERAL, FORM, GUILD, LOADING, OTHER_GUILD, Channels
from tests.fakes.discord_objects import (
    MOST_WRITTEN,
    PEOPLE,
    Call,
    Fault,
    as_json,
    attachments,
    buttons,
    guild_object,
    read_body,
    refusal,
    refusal_of,
    user_object,
    visible,
    written,
    wrong_with_modal,
)

__all__ = ["CHANNEL", "EPHEMERAL", "GUILD", "OTHER_GUILD", "FakeDiscord", "buttons", "until", "visible"]

TOKEN = "a.discord.token"
ADMIN, MANAGE_GUILD, SEND, ATTACH = 1 << 3, 1 << 5, 1 << 11, 1 << 15
MEMBER = SEND | ATTACH
COMMAND, COMPONENT, COMPLETION, SUBMISSION = 2, 3, 4, 5
MODAL = 9


async def until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    """What the condition gives as soon as that is true."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > end:
            raise AssertionError("it did not come about")
        await asyncio.sleep(0.005)
    return found


@dataclass(slots=True)
class Asked:
    """An interaction, and what became of it."""

    payload: dict[str, Any]
    user: str
    acknowledged: list[dict[str, Any]] = field(default_factory=list)
    took: float = 0.0
    """seconds until the first acknowledgement"""
    original: dict[str, Any] | None = None
    followups: list[dict[str, Any]] = field(default_factory=list)

    @property
    def choices(self) -> list[str]:
        return [choice["value"] for choice in self.acknowledged[0]["data"]["choices"]]

    @property
    def answered(self) -> bool:
        return self.original is not None and not self.original["flags"] & LOADING


@dataclass(slots=True)
class _Session:
    id: str
    socket: web.WebSocketResponse | None
    log: list[dict[str, Any]] = field(default_factory=list)


class FakeDiscord(Channels):
    """``async with FakeDiscord() as discord``; ``discord.url`` is the address."""

    def __init__(self) -> None:
        super().__init__()
        self.token = TOKEN
        self.commands: list[dict[str, Any]] = []
        self.calls: list[Call] = []
        self.faults: deque[Fault] = deque()
        self.asked: dict[str, Asked] = {}
        self.gateway_log: list[str] = []
        self.guilds = [GUILD]
        self.members: set[str] = set()
        """servers that the bot can read"""
        self.endpoint: str | None = None
        self.stuck = False
        """let requests for the callback wait until this is over"""
        self.url = ""
        self._sessions: dict[str, _Session] = {}

    async def __aenter__(self) -> FakeDiscord:
        app = web.Application(client_max_size=2**25)
        for path in ("/", "/gateway", "/gateway/"):
            app.router.add_get(path, self._gateway)
        app.router.add_route("*", "/api/v10/{path:.*}", self._rest)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    # -- people

    async def slash(self, name: str, options: Mapping[str, Any] | None = None, **who: Any) -> Asked:
        """Somebody calls a command and waits for its answer."""
        asked = await self.call(name, options, **who)
        await until(lambda: asked.answered)
        return asked

    async def call(self, name: str, options: Mapping[str, Any] | None = None, **who: Any) -> Asked:
        """Somebody calls a command."""
        return await self._send(COMMAND, self._command_data(name, options or {}), **who)

    async def complete(self, name: str, option: str, typed: str, **who: Any) -> list[str]:
        """What is offered to somebody who types."""
        data = self._command_data(name, {option: typed}, focused=option)
        asked = await self._send(COMPLETION, data, **who)
        await until(lambda: asked.acknowledged)
        return asked.choices

    async def click(self, message: Mapping[str, Any], button: str, **who: Any) -> Asked:
        """Somebody presses a button, and it is acknowledged."""
        assert button in {item["custom_id"] for item in buttons(message)}, buttons(message)
        data = {"custom_id": button, "component_type": 2}
        asked = await self._send(COMPONENT, data, message=message, **who)
        await until(lambda: asked.acknowledged)
        return asked

    async def submit(self, opened: Asked, texts: Mapping[str, str] | None = None, **who: Any) -> Asked:
        """Somebody sends a modal back with other texts in some of its fields, and it is acknowledged."""
        modal = opened.acknowledged[0]["data"]
        assert (opened.acknowledged[0]["type"], wrong_with_modal(modal)) == (MODAL, "")
        fields = [dict(row["components"][0]) for row in modal["components"]]
        values = {field["custom_id"]: field.get("value", "") for field in fields} | dict(texts or {})
        filled = [{"type": 4, "custom_id": name, "value": value} for name, value in values.items()]
        data = {"custom_id": modal["custom_id"], "components": [{"type": 1, "components": [one]} for one in filled]}
        asked = await self._send(SUBMISSION, data, message=opened.payload["message"], **who)
        await until(lambda: asked.acknowledged)
        return asked

    async def deliver(self, asked: Asked) -> None:
        """Send an interaction (again)."""
        await self.dispatch("INTERACTION_CREATE", asked.payload)

    # -- the gateway

    async def dispatch(self, kind: str, data: Any) -> None:
        for session in self._sessions.values():
            session.log.append({"op": 0, "t": kind, "s": len(session.log) + 1, "d": data})
            if session.socket is not None and not session.socket.closed:
                await session.socket.send_json(session.log[-1])

    @property
    def connected(self) -> bool:
        return any(session.socket is not None and not session.socket.closed for session in self._sessions.values())

    async def drop(self, code: int = 4000) -> None:
        """Close every connection; what is sent meanwhile waits in the sessions."""
        for session in self._sessions.values():
            socket, session.socket = session.socket, None
            if socket is not None:
                await socket.close(code=code)

    async def _gateway(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"op": 10, "d": {"heartbeat_interval": 41_250}, "s": None, "t": None})
        async for frame in socket:
            if frame.type is WSMsgType.TEXT:
                await self._said(socket, json.loads(frame.data))
        return socket

    async def _said(self, socket: web.WebSocketResponse, frame: dict[str, Any]) -> None:
        names = {1: "heartbeat", 2: "identify", 6: "resume"}
        self.gateway_log.append(names.get(frame["op"], str(frame["op"])))
        if frame["op"] == 1:
            await socket.send_json({"op": 11})
        elif frame["op"] in (2, 6) and frame["d"]["token"] != self.token:
            await socket.close(code=4004)
        elif frame["op"] == 2:
            self.intents, self.shard = frame["d"]["intents"], frame["d"].get("shard")
            await self._ready(socket)
        elif frame["op"] == 6:
            session = self._sessions[frame["d"]["session_id"]]
            session.socket = socket
            for event in session.log[frame["d"]["seq"] :]:
                await socket.send_json(event)
            await self.dispatch("RESUMED", {})

    async def _ready(self, socket: web.WebSocketResponse) -> None:
        self._sessions = {"s": _Session(f"session{len(self.gateway_log)}", socket)}
        (session,) = self._sessions.values()
        self._sessions = {session.id: session}
        ready = {
            "v": 10, "user": self._bot(), "guilds": [{"id": key, "unavailable": True} for key in self.guilds],
            "session_id": session.id, "resume_gateway_url": self.url.replace("http", "ws"), "shard": [0, 1],
            "application": {"id": APPLICATION, "flags": 0},
        }  # fmt: skip
        await self.dispatch("READY", ready)
        for guild in self.guilds:
            await self.dispatch("GUILD_CREATE", {**guild_object(guild), "channels": [], "members": [], "threads": []})

    # -- interactions

    def _command_data(self, name: str, given: Mapping[str, Any], focused: str = "") -> dict[str, Any]:
        (root,) = [command for command in self.commands if command["name"] == "spot"]
        node, path = root, []
        for word in name.split():
            (node,) = [option for option in node["options"] if option["name"] == word]
            path.append(node)
        known = {option["name"]: option for option in node.get("options", [])}
        options: list[dict[str, Any]] = [
            {"name": key, "type": known[key]["type"], "value": value, **({"focused": True} if key == focused else {})}
            for key, value in given.items()
        ]
        if focused:
            assert known[focused].get("autocomplete"), f"nothing is offered for {focused}"
        else:
            assert {key for key, option in known.items() if option.get("required")} <= set(given), (
                "an option is missing"
            )
        for part in reversed(path):
            options = [{"name": part["name"], "type": part["type"], "options": options}]
        return {"id": "1", "name": "spot", "type": 1, "options": options}

    async def _send(
        self,
        kind: int,
        data: dict[str, Any],
        *,
        user: str = "ana",
        permissions: int = MEMBER,
        guild: str | None = GUILD,
        locale: str = "en-US",
        guild_locale: str = "en-US",
        owners: Mapping[str, str] | None = None,
        message: Mapping[str, Any] | None = None,
        app_permissions: int = MEMBER,
        roles: Sequence[str] = (),
    ) -> Asked:
        who = user_object(PEOPLE.get(user, PEOPLE["ana"]), user)
        payload: dict[str, Any] = {
            "id": str(next(self._ids)), "application_id": APPLICATION, "type": kind, "data": data, "version": 1,
            "token": f"token{next(self._ids)}", "locale": locale, "app_permissions": str(app_permissions),
            "attachment_size_limit": 10_000_000, "entitlements": [], "channel_id": CHANNEL,
            "channel": {"id": CHANNEL, "type": 0 if guild else 1, "name": "general", "recipients": [], "position": 0},
            "authorizing_integration_owners": owners or ({"0": guild} if guild else {"1": who["id"]}),
            "context": 0 if guild else 1,
        }  # fmt: skip
        if guild:
            member = {
                "user": who,
                "roles": list(roles),
                "joined_at": None,
                "deaf": False,
                "mute": False,
                "flags": 0,
                "nick": None,
            }
            payload |= {
                "guild_id": guild, "guild": {"id": guild, "locale": guild_locale, "features": []},
                "guild_locale": guild_locale, "member": {**member, "permissions": str(permissions)},
            }  # fmt: skip
        else:
            payload["user"] = who
        if message is not None:
            payload["message"] = json.loads(json.dumps(message))
        asked = self.asked[payload["id"]] = Asked(payload, user, took=time.monotonic())
        await self.deliver(asked)
        return asked

    # -- REST

    def fail(self, match: str, status: int, **more: Any) -> None:
        self.faults.append(Fault(match, status, **more))

    def sent(self, match: str = "", method: str = "") -> list[Call]:
        return [call for call in self.calls if re.search(match, call.path) and method in ("", call.method)]

    async def _rest(self, request: web.Request) -> web.StreamResponse:
        body, files = await read_body(request)
        call = Call(request.method, "/" + request.match_info["path"], body, files, time.monotonic())
        self.calls.append(call)
        fault = self._fault(call)
        if fault is not None and fault.wait is not None:
            await fault.wait.wait()
        lost = fault.lost if fault is not None else ""
        refused = fault is not None and lost != "after"
        response = refusal_of(fault) if fault and refused else await self._answer(request, call)
        if lost and request.transport is not None:
            request.transport.close()
        call.status = response.status
        if fault is None or fault.via:
            response.headers["Via"] = "1.1 fake"
        return response

    def _fault(self, call: Call) -> Fault | None:
        for fault in self.faults:
            if fault.times and fault.method in ("", call.method) and re.search(fault.match, call.path):
                fault.times -= 1
                return fault
        return None

    async def _answer(self, request: web.Request, call: Call) -> web.Response:
        open_to_all = call.path.startswith(("/interactions/", "/webhooks/"))
        if not open_to_all and request.headers.get("Authorization") != f"Bot {self.token}":
            return refusal(401)
        for pattern, handler in self._routes():
            if match := re.fullmatch(pattern, f"{call.method} {call.path}"):
                found = handler(call, *match.groups())
                return found if isinstance(found, web.Response) else as_json(found)
        return refusal(404)

    def _routes(self) -> Sequence[tuple[str, Callable[..., Any]]]:
        return (
            (r"GET /users/@me", lambda call: self._bot()),
            (r"GET /(?:oauth2/)?applications/@me", lambda call: self._application()),
            (r"GET /gateway/bot", lambda call: self._gateway_bot()),
            (
                r"GET /users/@me/guilds",
                lambda call: [guild_object(key) | {"owner": False, "permissions": "0"} for key in self.guilds],
            ),
            (r"GET /guilds/(\d+)", lambda call, key: guild_object(key) if key in self.members else refusal(404, 10004)),
            (r"(?:GET|PUT) /applications/\d+/commands", self._commands),
            (r"POST /interactions/(\d+)/([^/]+)/callback", self._callback),
            (r"PATCH /webhooks/\d+/([^/]+)/messages/@original", self._edit),
            (r"POST /webhooks/\d+/([^/]+)", self._followup),
            *self._posting(),
        )

    def _commands(self, call: Call) -> Any:
        if call.method == "PUT":
            if any(written(command) > MOST_WRITTEN for command in call.body):
                return refusal(400, FORM)
            self.commands = [{"id": str(n), "version": "1", "application_id": APPLICATION, "nsfw": False, **command}
                             for n, command in enumerate(call.body)]  # fmt: skip
        return self.commands

    def _callback(self, call: Call, key: str, token: str) -> Any:
        asked = self.asked[key]
        if asked.acknowledged:
            return refusal(400, 40060)
        asked.took = time.monotonic() - asked.took
        asked.acknowledged.append(call.body)
        if call.body["type"] == 5:
            asked.original = self._message({}, LOADING | (call.body.get("data") or {}).get("flags", 0))
        elif call.body["type"] == 6:
            asked.original = self.messages[asked.payload["message"]["id"]]
        return {"interaction": {"id": key, "type": asked.payload["type"]}}

    def _edit(self, call: Call, token: str) -> Any:
        asked = self._by_token(token)
        assert asked.original is not None
        if "attachments" in call.body:
            asked.original["attachments"] = attachments(call)
        changed = {key: call.body[key] for key in ("content", "embeds", "components") if key in call.body}
        asked.original.update(changed, edited_timestamp="2026-01-01T00:00:00+00:00")
        asked.original["flags"] &= ~LOADING
        return asked.original

    def _followup(self, call: Call, token: str) -> Any:
        asked = self._by_token(token)
        message = self._message(call.body, call.body.get("flags", 0))
        message["attachments"] = attachments(call)
        asked.followups.append(message)
        return message

    def _by_token(self, token: str) -> Asked:
        (asked,) = [asked for asked in self.asked.values() if asked.payload["token"] == token]
        return asked

    def _application(self) -> dict[str, Any]:
        return {
            "id": APPLICATION, "name": "spotbot", "icon": None, "description": "", "bot_public": True, "summary": "",
            "bot_require_code_grant": False, "verify_key": "0", "flags": 0, "owner": user_object(PEOPLE["ana"], "ana"),
            "team": None, "rpc_origins": [], "interactions_endpoint_url": self.endpoint,
        }  # fmt: skip

    def _gateway_bot(self) -> dict[str, Any]:
        limits = {"total": 1000, "remaining": 999, "reset_after": 1, "max_concurrency": 1}
        return {"url": self.url.replace("http", "ws") + "/gateway", "shards": 1, "session_start_limit": limits}
