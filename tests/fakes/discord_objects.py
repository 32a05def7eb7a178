"""What Discord's objects look like, and how its requests are read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

PEOPLE = {"ana": "600000000000000001", "bob": "600000000000000002"}


@dataclass(slots=True)
class Call:
    """A request as it came."""

    method: str
    path: str
    body: Any
    files: Mapping[str, bytes]
    at: float
    status: int = 0


@dataclass(slots=True)
class Fault:
    """An answer out of turn to the next requests that match."""

    match: str
    status: int
    times: int = 1
    code: int = 0
    retry_after: float | None = None
    method: str = ""
    scope: str = ""
    """of a limit"""
    via: bool = True
    """whether it comes from Discord itself and not from its edge"""
    lost: str = ""
    """``before`` or ``after`` it is done, the connection breaks off"""
    wait: asyncio.Event | None = None
    """answered only when this is set"""


def buttons(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The buttons of a message that can be pressed."""
    return [item for row in message["components"] for item in row["components"] if not item.get("disabled")]


def visible(message: Mapping[str, Any]) -> str:
    """Everything that a message shows, in one text."""
    parts = [message["content"]]
    for embed in message["embeds"]:
        parts += [embed.get("author", {}).get("name"), embed.get("title"), embed.get("description")]
        parts.append(embed.get("footer", {}).get("text"))
    return "\n".join(part for part in parts if part)


def user_object(key: str, name: str) -> dict[str, Any]:
    return {"id": key, "username": name, "global_name": name, "discriminator": "0", "avatar": None, "flags": 0}


CALLABLE_ROLE, QUIET_ROLE = "900000000000000301", "900000000000000302"
"""Roles of every server: one that anybody may call, and one that only who may call everybody may."""


def role_object(key: str, *, mentionable: bool = False) -> dict[str, Any]:
    return {
        "id": key, "name": "role", "color": 0, "colors": {"primary_color": 0}, "hoist": False, "position": 1,
        "permissions": "0", "managed": False, "mentionable": mentionable, "flags": 0,
    }  # fmt: skip


def guild_object(key: str) -> dict[str, Any]:
    return {
        "id": key, "name": "A server", "icon": None, "owner_id": PEOPLE["ana"], "features": [],
        "roles": [role_object(key), role_object(CALLABLE_ROLE, mentionable=True), role_object(QUIET_ROLE)],
        "emojis": [], "stickers": [], "unavailable": False, "member_count": 2, "large": False,
        "preferred_locale": "en-US", "afk_timeout": 60, "premium_tier": 0, "verification_level": 0,
        "default_message_notifications": 0, "explicit_content_filter": 0, "mfa_level": 0, "nsfw_level": 0,
        "system_channel_flags": 0,
    }  # fmt: skip


async def read_body(request: web.Request) -> tuple[Any, dict[str, bytes]]:
    if request.content_type.startswith("multipart/"):
        form = await request.post()
        files = {part.filename: part.file.read() for part in form.values() if isinstance(part, web.FileField)}
        return json.loads(str(form["payload_json"])), files
    raw = await request.read()
    return (json.loads(raw) if raw else {}), {}


def attachments(call: Call) -> list[dict[str, Any]]:
    metadata = call.body.get("attachments") or []
    return [
        {"id": str(n), "filename": name, "size": len(data), "url": "http://x/", "proxy_url": "http://x/", **metadata[n]}
        for n, (name, data) in enumerate(call.files.items())
    ]


def as_json(data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    body = json.dumps(data).encode()
    return web.Response(body=body, status=status, headers={"Content-Type": "application/json", **(headers or {})})


def refusal(status: int, code: int = 0, retry_after: float | None = None) -> web.Response:
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    document = {"message": "no", "code": code, "retry_after": retry_after, "global": False}
    return as_json(document, status, headers)


def refusal_of(fault: Fault) -> web.Response:
    response = refusal(fault.status, fault.code, fault.retry_after)
    if fault.scope:
        response.headers["X-RateLimit-Scope"] = fault.scope
    return response


def wrong_with_modal(modal: Mapping[str, Any]) -> str:
    """What Discord would refuse of a modal of text fields; nothing when all is well."""
    if not (0 < len(modal["custom_id"]) <= 100 and 0 < len(modal["title"]) <= 45 and len(modal["components"]) <= 5):
        return "bad modal"
    fields = [field for row in modal["components"] for field in row["components"]]
    good = all(
        field["type"] == 4 and 0 < len(field["label"]) <= 45 and len(field.get("placeholder") or "") <= 100
        for field in fields
    )
    return "" if good else "bad field"


MOST_WRITTEN = 8000
"""Characters of a command with all below it: more are refused."""


def written(command: Mapping[str, Any]) -> int:
    """Characters of a command's names, descriptions (of several languages the longest) and choices, with all below."""
    texts = [command.get("description") or "", *(command.get("description_localizations") or {}).values()]
    choices = sum(len(one["name"]) + len(str(one["value"])) for one in command.get("choices") or ())
    below = sum(written(option) for option in command.get("options") or ())
    return len(command["name"]) + max(map(len, texts)) + choices + below
