"""Messages of our own accord on Discord: in channels and threads, as edits, and directly. One attempt each."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import discord
import structlog

from bot.accounts import Asker
from bot.faces.discord.attempts import Attempt, Interrupted, InvalidRequests, attempt
from bot.faces.discord.buttons import buttons
from bot.faces.discord.embeds import Message as Shown
from bot.faces.discord.embeds import Picture, cut
from bot.faces.discord.embeds import clean as one_line
from bot.faces.discord.embeds import message as rendered
from bot.faces.discord.outcomes import (
    AGAIN,
    ALREADY_A_THREAD,
    ARCHIVED_THREAD,
    BAD_FORM,
    LOST_EDIT,
    NO_PICTURE,
    NO_REPLY,
    NO_THREAD,
    OLD_EDITS,
    TOO_LARGE,
    UNKNOWN_CHANNEL,
    UNKNOWN_MESSAGE,
    outcome,
)
from bot.faces.discord.sdk import NETWORK
from bot.faces.fitted import brief, fitted
from bot.fair_queue import Waiter
from bot.outbox.sender import Ambiguous, Delivered, Delivery, Message, Receipt, Rejected, TryLater
from bot.presentation.card import Card
from bot.presentation.words import Words

log = structlog.get_logger()

REQUEST_SECONDS = 15.0
"""For one request; an attempt makes three at most, and one more for each simpler form."""

PINNED_BY = 20.0
"""Seconds after the beginning of an attempt at which a pin is given up: the outbox waits 25 for all of it, and what was
posted must not count as open because of its pin."""

NONCE = 25
"""Longest nonce in characters."""

THREAD_NAME = 100
"""Longest name of a thread in characters."""

Draw = Callable[[Card, str, Waiter], Awaitable[Sequence[Picture]]]
T = TypeVar("T")

MOST_ROLES = 5
"""Roles that one message calls (ours: several alerts of one round share a message)."""


class _Stopped(Exception):
    """A request did not succeed. ``code``: Discord's for the reason, or 0."""

    def __init__(self, delivery: Delivery, code: int) -> None:
        super().__init__(str(delivery))
        self.delivery, self.code = delivery, code

    @property
    def reason(self) -> str:
        return "" if isinstance(self.delivery, Delivered) else self.delivery.reason


@dataclass(slots=True)
class DiscordSender:
    """Implements :class:`bot.outbox.sender.Sender`, through whichever client is connected."""

    client: Callable[[], discord.Client | None]
    draw: Draw
    has_left: Callable[[str], bool]
    """whether a server removed the app"""
    clock: Callable[[], int]
    invalid: InvalidRequests
    seconds: float = REQUEST_SECONDS
    pinned_by: float = PINNED_BY

    async def send(self, message: Message) -> Delivery:
        """One attempt, bounded in time; never raises but for cancellation."""
        client = self.client()
        if client is None or client.is_closed() or client.user is None:  # the gateway itself is not needed
            return TryLater("not connected to Discord", AGAIN, "platform")
        if pause := self.invalid.pause():
            return TryLater("too many requests were refused", pause, "platform")
        if self.has_left(message.address.team):
            return Rejected("the app was removed", gone=True)
        pinned_by = asyncio.get_running_loop().time() + self.pinned_by
        try:
            delivery = await self._attempt(client, message)
            if isinstance(delivery, Delivered) and message.pins(delivery.receipt):
                await self._pin(client, message, delivery.receipt, pinned_by)
            return delivery
        except _Stopped as stopped:
            found = stopped.delivery
            return TryLater(found.reason, AGAIN) if message.repeatable and isinstance(found, Ambiguous) else found
        except Exception as error:  # the edge of the sender: a fault of ours would be the same at each attempt
            if client.is_closed():
                return TryLater("the connection to Discord was closed", AGAIN, "platform")
            log.exception("Discord message failed", id=message.id)
            return Rejected(f"a fault of ours: {type(error).__name__}")

    async def _attempt(self, client: discord.Client, message: Message) -> Delivery:
        if message.remove is not None:
            return await self._removed(client, message, message.remove)
        ready = _Ready(message, Words(message.language, self.clock()), await self._pictures(message))
        if message.edit is not None and (edited := await self._edited(client, ready, message.edit)) is not None:
            return edited
        if message.thread is not None:
            return await self._answer(client, ready, message.thread)
        return await self._in_some_form(ready, _posting(client, ready, await self._channel(client, message)))

    async def _edited(self, client: discord.Client, ready: _Ready, earlier: Receipt) -> Delivery | None:
        """As an edit; None where a new message has to take the place of one that is no more."""
        message = ready.message
        try:
            return await self._in_some_form(ready, _editing(client, ready, earlier))
        except _Stopped as stopped:
            if message.edit_only and stopped.code in (OLD_EDITS, ARCHIVED_THREAD):  # it stands, and a new one is taken
                return Rejected(f"{stopped.reason}, {stopped.code}", edit_refused="too_often")
            if stopped.code not in LOST_EDIT and not _thread_is_gone(stopped, message, earlier):
                raise
            return Rejected(stopped.reason, edit_refused="missing") if message.edit_only else None

    async def _removed(self, client: discord.Client, message: Message, earlier: Receipt) -> Delivery:
        """Take it away; where it is no more, somebody else did."""
        try:
            await self._request(client.http.delete_message(int(earlier.channel), int(earlier.message)))
        except _Stopped as stopped:
            if stopped.code != UNKNOWN_MESSAGE and not _thread_is_gone(stopped, message, earlier):
                raise
        return Delivered(earlier)

    async def _pin(self, client: discord.Client, message: Message, posted: Receipt, until: float) -> None:
        """Pin what was posted, once: whatever comes of it, it is there."""
        reason = "no time was left"
        try:
            async with asyncio.timeout_at(until):
                await self._request(client.http.pin_message(int(posted.channel), int(posted.message)))
            return
        except _Stopped as stopped:
            reason = stopped.reason
        except TimeoutError:
            pass
        except Exception as error:  # a fault of ours, which must not make it go again
            log.exception("Discord pin failed", id=message.id)
            reason = f"a fault of ours: {type(error).__name__}"
        log.info("Discord message not pinned", id=message.id, reason=reason)

    async def _pictures(self, message: Message) -> Sequence[Picture]:
        waiter = Asker("discord", message.address.team, message.address.person).waiter
        try:
            return await self.draw(message.card, message.language, waiter)
        except Exception:  # whatever a chart does, the text goes out
            log.exception("picture lost", id=message.id)
            return ()

    async def _channel(self, client: discord.Client, message: Message) -> int:
        """Where it goes; direct messages have to be opened."""
        if message.address.channel:
            return int(message.address.channel)
        return (await self._opened(client.create_dm(discord.Object(int(message.address.person))))).id

    async def _answer(self, client: discord.Client, ready: _Ready, to: Receipt) -> Delivery:
        """In the thread of a message, or as a reply to it where there can be no thread."""
        if not ready.message.address.person:
            try:
                thread = await self._thread(client, ready.message, to)
                return await self._in_some_form(ready, _posting(client, ready, thread))
            except _Stopped as stopped:
                if stopped.code not in NO_THREAD:
                    raise
        return await self._reply(client, ready, to)

    async def _reply(self, client: discord.Client, ready: _Ready, to: Receipt) -> Delivery:
        """As a reply, or as a message of its own where replies are not permitted."""
        channel, begun = int(to.channel), int(to.message)
        reference = discord.MessageReference(message_id=begun, channel_id=channel, fail_if_not_exists=False)
        try:
            return await self._in_some_form(ready, _posting(client, ready, channel, reference))
        except _Stopped as stopped:
            if stopped.code not in NO_REPLY:
                raise
        return await self._in_some_form(ready, _posting(client, ready, channel))

    async def _thread(self, client: discord.Client, message: Message, to: Receipt) -> int:
        name = cut(one_line(message.card.title), THREAD_NAME) or "–"
        channel, begun = int(to.channel), int(to.message)
        if client.get_channel(begun) is not None:  # a thread has the id of the message that it begins with
            return begun
        start = client.http.start_thread_with_message(channel, begun, name=name, auto_archive_duration=1440)
        try:
            return int((await self._opened(start))["id"])
        except _Stopped as stopped:
            if stopped.code != ALREADY_A_THREAD:
                raise
            return begun

    async def _in_some_form(self, ready: _Ready, put: Put) -> Delivery:
        """Send it, in simpler forms where Discord refuses the better ones."""
        *better, last = ready.forms()
        for form in better:
            try:
                return Delivered(await self._request(put(form)))
            except _Stopped as stopped:
                attached = bool(form.pictures) and stopped.code in NO_PICTURE
                if not attached and stopped.code not in (TOO_LARGE, BAD_FORM):
                    raise
                log.warning("Discord message simplified", id=ready.message.id, code=stopped.code)
        return Delivered(await self._request(put(last)))

    async def _opened(self, request: Awaitable[T]) -> T:
        """A request before the message itself, which may be made twice."""
        try:
            return await self._request(request)
        except _Stopped as stopped:
            if not isinstance(stopped.delivery, Ambiguous):
                raise
            raise _Stopped(TryLater(stopped.delivery.reason, AGAIN), stopped.code) from stopped

    async def _request(self, request: Awaitable[T]) -> T:
        """One request; raises _Stopped with what became of it."""
        current = Attempt()
        before = attempt.set(current)
        try:
            async with asyncio.timeout(self.seconds):
                return await request
        except (*NETWORK, discord.HTTPException, discord.RateLimited, Interrupted) as error:
            delivery = outcome(error, sent=current.sent)
            if isinstance(error, discord.HTTPException) and error.status == 401:
                log.error("Discord refuses DISCORD_TOKEN: nothing is sent", again_in=getattr(delivery, "seconds", None))
            code = error.code if isinstance(error, (discord.HTTPException, Interrupted)) else 0
            raise _Stopped(delivery, code) from error
        finally:
            attempt.reset(before)


def _thread_is_gone(stopped: _Stopped, message: Message, earlier: Receipt) -> bool:
    """Whether it was in a thread that is no more, or in a conversation, and not in the channel itself."""
    return stopped.code == UNKNOWN_CHANNEL and earlier.channel != message.address.channel


Put = Callable[[Shown], Awaitable[Receipt]]


@dataclass(frozen=True, slots=True)
class _Ready:
    """A message with all that its sending needs."""

    message: Message
    words: Words
    pictures: Sequence[Picture]

    def forms(self) -> Iterator[Shown]:
        """Ever simpler ones; the last is the shortest."""
        card = fitted(self.message.card, self.words)
        yield rendered(card, self.words, pictures=self.pictures)
        if self.pictures:
            yield rendered(card, self.words)
        yield rendered(brief(self.message.card, self.words), self.words)

    @property
    def roles(self) -> list[int]:
        """The roles that are called: nothing but ids of some."""
        if self.message.edit_only:
            return []
        return [int(role) for role in self.message.mentions if role.isascii() and role.isdigit()][:MOST_ROLES]

    @property
    def content(self) -> str | None:
        return " ".join(f"<@&{role}>" for role in self.roles) or None

    @property
    def allowed(self) -> discord.AllowedMentions:
        roles = [discord.Object(role) for role in self.roles] or False
        return discord.AllowedMentions(everyone=False, users=False, roles=roles, replied_user=False)

    @property
    def nonce(self) -> str:
        """The same at each attempt: Discord gives back what it has with the same nonce of the last minutes."""
        key = self.message.id
        return key if 0 < len(key) <= NONCE else hashlib.sha256(key.encode()).hexdigest()[:NONCE]


def _posting(
    client: discord.Client, ready: _Ready, channel: int, reference: discord.MessageReference | None = None
) -> Put:
    async def put(shown: Shown) -> Receipt:
        where = client.get_partial_messageable(channel)
        more: dict[str, Any] = {} if reference is None else {"reference": reference}
        if (view := buttons(ready.message.card.actions)) is not None:
            more["view"] = view
        sent = await where.send(
            ready.content,
            embeds=shown.embeds,
            files=shown.files(),
            nonce=ready.nonce,
            allowed_mentions=ready.allowed,
            **more,
        )
        return Receipt(str(sent.channel.id), str(sent.id))

    return put


def _editing(client: discord.Client, ready: _Ready, earlier: Receipt) -> Put:
    async def put(shown: Shown) -> Receipt:
        there = client.get_partial_messageable(int(earlier.channel)).get_partial_message(int(earlier.message))
        await there.edit(
            content=ready.content,
            embeds=shown.embeds,
            attachments=shown.files(),
            allowed_mentions=ready.allowed,
            view=buttons(ready.message.card.actions),
        )
        return earlier

    return put
