"""What is posted at the fake Slack: channels, threads and direct messages, and what Slack refuses of them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from tests.fakes.slack_blocks import texts, wrong_with


@dataclass(slots=True)
class Message:
    """What somebody sees in a channel. ``only``: who alone sees it."""

    ts: str
    team: str
    channel: str
    only: str
    body: dict[str, Any]
    edits: int = 0
    pinned: bool = False

    @property
    def blocks(self) -> list[dict[str, Any]]:
        return list(self.body.get("blocks") or ())

    @property
    def text(self) -> str:
        """All that is visible."""
        return "\n".join(texts(self.blocks))

    def button(self, action: str) -> dict[str, Any]:
        for block in self.blocks:
            for element in block.get("elements", ()):
                if element.get("action_id") == action:
                    return {**element, "block_id": block["block_id"]}
        raise LookupError(f"no button {action} among {self.buttons}")

    @property
    def buttons(self) -> list[str]:
        found = (e for b in self.blocks if b["type"] == "actions" for e in b["elements"])
        return [str(element["action_id"]) for element in found]


class Channels:
    """Channels named ``C…`` and people named ``U…``, all of whom can be posted to unless they are ``closed``."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.files: dict[str, dict[str, Any]] = {}
        self.refused: list[str] = []
        self.closed: dict[str, str] = {}
        """channels and people to whom nothing can be posted, with Slack's name for the reason"""
        self._number = itertools.count(1)

    def _post(self, given: dict[str, Any], team: str) -> dict[str, Any]:
        channel, thread = given["channel"], given.get("thread_ts")
        if channel[0] == "U":
            opened = self._open(channel)
            if "error" in opened:
                return {"ok": False, "error": "channel_not_found"}
            channel = opened["channel"]["id"]
        reason = self.closed.get(channel) or self._wrong_message(given, 40_000)
        if not reason and thread and self.message(channel, thread) is None:
            reason = "thread_not_found"
        if reason:
            return {"ok": False, "error": reason}
        self.messages.append(Message(self._id("ts"), team, channel, "", given))
        return {"channel": channel, "ts": self.messages[-1].ts, "message": {"text": given["text"]}}

    def _update(self, given: dict[str, Any], team: str) -> dict[str, Any]:
        found = self.message(given["channel"], given["ts"])
        reason = self._lost(found, given) or self._wrong_message(given, 4000)
        if found is None or reason:
            return {"ok": False, "error": reason}
        found.body, found.edits = {**found.body, **given}, found.edits + 1
        return {"channel": found.channel, "ts": found.ts, "text": given["text"]}

    def _delete(self, given: dict[str, Any], team: str) -> dict[str, Any]:
        found = self.message(given["channel"], given["ts"])
        reason = self._lost(found, given)
        if found is None or reason:
            return {"ok": False, "error": reason}
        self.messages.remove(found)
        return {"channel": found.channel, "ts": found.ts}

    def _pin(self, given: dict[str, Any], team: str) -> dict[str, Any]:
        if not given.get("timestamp"):
            return {"ok": False, "error": "no_item_specified"}
        found = self.message(given["channel"], given["timestamp"])
        reason = self._lost(found, given) or ("already_pinned" if found is not None and found.pinned else "")
        if found is None or reason:
            return {"ok": False, "error": reason}
        found.pinned = True
        return {}

    def _lost(self, found: Message | None, given: dict[str, Any]) -> str:
        """Slack's name for why nothing can be done with an earlier message."""
        return self.closed.get(given["channel"]) or ("message_not_found" if found is None else "")

    def _open(self, person: str) -> dict[str, Any]:
        if person in self.closed:
            return {"ok": False, "error": self.closed[person]}
        return {"channel": {"id": f"D{person[1:]}"}}

    def message(self, channel: str, ts: str) -> Message | None:
        """A message that is there."""
        return next((m for m in self.messages if (m.channel, m.ts) == (channel, ts)), None)

    def _wrong_message(self, given: dict[str, Any], longest: int) -> str:
        """Slack's name for what is wrong with a message; ours is in ``refused``."""
        blocks, metadata = given.get("blocks", []), given.get("metadata")
        wrong = wrong_with(blocks, 50) or ("unknown file" if any(map(self._unknown_file, blocks)) else "")
        named = {
            "invalid_blocks": bool(wrong),
            "no_text": not given.get("text"),
            "msg_too_long": len(given.get("text") or "") > longest,
            "invalid_metadata_format": metadata is not None and set(metadata) != {"event_type", "event_payload"},
        }
        reason = next((name for name, holds in named.items() if holds), "")
        self.refused += [wrong or reason] if reason else []
        return reason

    def _unknown_file(self, block: dict[str, Any]) -> bool:
        return block["type"] == "image" and self.files.get(block["slack_file"]["id"], {}).get("state") != "complete"

    def _id(self, kind: str) -> str:
        return f"{kind}{next(self._number)}"
