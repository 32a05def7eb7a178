"""What is posted at the fake Discord: channels, threads and direct messages, and what Discord refuses of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiohttp import web

from tests.fakes.discord_objects import PEOPLE, Call, attachments, refusal, user_object

APPLICATION = "900000000000000001"
GUILD, OTHER_GUILD, CHANNEL = "800000000000000001", "800000000000000002", "700000000000000001"
LOADING, EPHEMERAL = 128, 64
FORM = 50035
"""The code for a body that breaks the rules."""


class Channels:
    """One channel of a server, the threads that are begun in it, and direct messages."""

    def __init__(self) -> None:
        self.messages: dict[str, dict[str, Any]] = {}
        self.channels = {CHANNEL: "text"}
        self.may_pin = True
        self.pins_left = 250
        self.broken: list[str] = []
        """rules that messages broke"""
        self._ids = itertools.count(1_000_000_000_000_000_001)

    def _posting(self) -> Sequence[tuple[str, Callable[..., Any]]]:
        return (
            (r"POST /users/@me/channels", self._open),
            (r"POST /channels/(\d+)/messages", self._post),
            (r"PATCH /channels/(\d+)/messages/(\d+)", self._change),
            (r"DELETE /channels/(\d+)/messages/(\d+)", self._delete),
            (r"PUT /channels/(\d+)/messages/pins/(\d+)", self._pin),
            (r"POST /channels/(\d+)/messages/(\d+)/threads", self._begin_thread),
        )

    def _open(self, call: Call) -> Any:
        person = str(call.body["recipient_id"])
        if person not in PEOPLE.values():
            return refusal(404, 10013)
        key = f"71{person[2:]}"
        self.channels[key] = "direct"
        return {"id": key, "type": 1, "recipients": [user_object(person, "ana")], "last_message_id": None}

    def _post(self, call: Call, channel: str) -> Any:
        if channel not in self.channels:
            return refusal(404, 10003)
        if wrong := wrong_with(call.body):
            self.broken.append(wrong)
            return refusal(400, FORM)
        nonce, reference = call.body.get("nonce"), call.body.get("message_reference")
        if nonce is not None and call.body.get("enforce_nonce"):
            for earlier in self.messages.values():
                if earlier.get("nonce") == nonce:
                    return earlier
        if reference and str(reference["message_id"]) not in self.messages and reference["fail_if_not_exists"]:
            return refusal(400, FORM)
        message = self._message(call.body, call.body.get("flags", 0), channel)
        message.update(
            attachments=attachments(call),
            answers=str((reference or {}).get("message_id", "")),
            **({"nonce": nonce} if nonce else {}),
        )
        return message

    def _change(self, call: Call, channel: str, key: str) -> Any:
        message = self.messages.get(key)
        if message is None or message["channel_id"] != channel:
            return refusal(404, 10008)
        if wrong := wrong_with(call.body):
            self.broken.append(wrong)
            return refusal(400, FORM)
        changed = {name: call.body[name] or "" for name in ("content", "embeds", "components") if name in call.body}
        message.update(changed, attachments=attachments(call), edited_timestamp="2026-01-01T00:00:00+00:00")
        return message

    def _delete(self, call: Call, channel: str, key: str) -> Any:
        message = self.messages.get(key)
        if channel not in self.channels:
            return refusal(404, 10003)
        if message is None or message["channel_id"] != channel:
            return refusal(404, 10008)
        del self.messages[key]
        return web.Response(status=204)

    def _pin(self, call: Call, channel: str, key: str) -> Any:
        message = self.messages.get(key)
        held = {
            (404, 10003): channel not in self.channels,
            (403, 50013): self.channels.get(channel) != "direct" and not self.may_pin,
            (404, 10008): message is None,
            (400, 50019): message is not None and message["channel_id"] != channel,
            (400, 30003): message is not None and not message["pinned"] and self.pins_left <= 0,
        }
        if wrong := next((refused for refused, holds in held.items() if holds), None):
            return refusal(*wrong)
        assert message is not None
        self.pins_left -= not message["pinned"]
        message["pinned"] = True
        return web.Response(status=204)

    def _begin_thread(self, call: Call, channel: str, key: str) -> Any:
        if self.channels.get(channel) != "text":
            return refusal(400, 50024)
        if key not in self.messages:
            return refusal(404, 10008)
        if key in self.channels:
            return refusal(400, 160004)
        if not 0 < len(call.body["name"]) <= 100:
            return refusal(400, FORM)
        self.channels[key] = "thread"
        return {"id": key, "type": 11, "guild_id": GUILD, "parent_id": channel, "name": call.body["name"]}

    def _message(self, body: Mapping[str, Any], flags: int, channel: str = CHANNEL) -> dict[str, Any]:
        message = {
            "id": str(next(self._ids)), "type": 0, "channel_id": channel, "author": self._bot(), "pinned": False,
            "content": body.get("content") or "", "embeds": body.get("embeds") or [], "attachments": [],
            "components": body.get("components") or [], "timestamp": "2026-01-01T00:00:00+00:00", "tts": False,
            "edited_timestamp": None, "mention_everyone": False, "mentions": [], "mention_roles": [], "flags": flags,
        }  # fmt: skip
        self.messages[message["id"]] = message
        return message

    def _bot(self) -> dict[str, Any]:
        return user_object(APPLICATION, "spotbot") | {
            "bot": True,
            "verified": True,
            "mfa_enabled": True,
            "locale": "en-US",
        }


def wrong_with(body: Mapping[str, Any]) -> str:
    """What Discord would refuse of a message; nothing when all is well."""
    embeds = body.get("embeds") or []
    limits = {"title": 256, "description": 4096}
    texts = [(embed.get(name) or "", most) for embed in embeds for name, most in limits.items()]
    texts += [((embed.get("footer") or {}).get("text") or "", 2048) for embed in embeds]
    held = {
        "longer than allowed": any(len(text) > most for text, most in texts),
        "more than 6000 characters": sum(len(text) for text, _ in texts) > 6000,
        "more than 10 embeds": len(embeds) > 10,
        "empty": not body.get("content") and not any(text for text, _ in texts),
        "a nonce of more than 25 characters": len(str(body.get("nonce") or "")) > 25,
        "mentions are not limited": "allowed_mentions" not in body,
    }
    return next((what for what, holds in held.items() if holds), "")
