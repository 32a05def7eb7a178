"""A channel whose messages can be edited, deleted and be refused an edit: a sender for messages that stay."""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.outbox.sender import Delivered, Delivery, Message, Receipt, Rejected


@dataclass
class EditableChannel:
    """Keeps what stands in it, by the messages' ids, and how each came to be."""

    shown: dict[str, str] = field(default_factory=dict)
    edits: list[tuple[str, str]] = field(default_factory=list)
    pinned: set[str] = field(default_factory=set)
    refuses: Delivery | None = None
    """what is said instead of taking a message to a channel"""
    refuses_edits: bool = False
    posts: int = 0

    async def send(self, message: Message) -> Delivery:
        """Implements the sender of a platform."""
        if self.refuses is not None and message.address.channel:
            return self.refuses
        if message.remove is not None:
            self.shown.pop(message.remove.message, None)
            return Delivered(message.remove)
        if message.edit is not None:
            return self._edited(message, message.edit)
        self.posts += 1
        receipt = Receipt(message.address.channel, f"m{self.posts}")
        self.shown[receipt.message] = message.card.lead
        if message.pin:
            self.pinned.add(receipt.message)
        return Delivered(receipt)

    def _edited(self, message: Message, edit: Receipt) -> Delivery:
        if edit.message not in self.shown:
            return Rejected("message_not_found", edit_refused="missing")
        if self.refuses_edits:
            return Rejected("429 30046", edit_refused="too_often")
        self.shown[edit.message] = message.card.lead
        self.edits.append((edit.message, message.card.lead))
        return Delivered(edit)
