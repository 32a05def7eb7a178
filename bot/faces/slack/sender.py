"""Messages of our own accord on Slack: in channels and threads, as edits, and directly. One attempt each."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.faces.fitted import brief, fitted
from bot.faces.slack.blocks import MOST_BLOCKS, Picture, Sheet
from bot.faces.slack.blocks import message as rendered
from bot.faces.slack.chart_uploads import LOOKED_AT, ChartUploads
from bot.faces.slack.installations import NotInstalled
from bot.faces.slack.outcomes import BAD_BLOCKS, LOST_EARLIER, NO_MORE, TOO_LONG, Scope, edit_refused, outcome
from bot.faces.slack.retries import Sleep, retry_after
from bot.outbox.sender import Address, Ambiguous, Delivered, Delivery, Message, Receipt, Rejected, TryLater
from bot.presentation.words import Words
from bot.store.errors import StoreError

log = structlog.get_logger()

PREPARING, POSTING = 20.0, 30.0
"""Seconds that an attempt has before anything is posted, and for posting."""

AGAIN = 5.0
"""Seconds before another attempt where nothing says how long to wait."""

EVENT_TYPE = "spotbot_message"
"""Of the metadata: two messages of this type with one ``id`` are the same message twice."""

PINNED_BY = 20.0
"""Seconds after the beginning of an attempt at which a pin is given up: the outbox waits 25 for all of it, and what was
posted must not count as open because of its pin."""

POST, EDIT, REMOVE, OPEN = "chat.postMessage", "chat.update", "chat.delete", "conversations.open"
PIN = "pins.add"

MOST_GROUPS = 5
"""User groups that one message calls (ours: several alerts of one round share a message)."""

_USER_GROUP = re.compile(r"S[A-Z0-9]{1,20}")

Way = tuple[str, dict[str, Any]]


@dataclass(slots=True)
class SlackSender:
    """Implements :class:`bot.outbox.sender.Sender`. ``client`` must not retry: what was lost may have arrived."""

    token: Callable[[str], Awaitable[str]]
    """of a workspace; raises NotInstalled or StoreError"""
    is_gone: Callable[[str], bool]
    """whether a workspace removed the app"""
    client: AsyncWebClient
    pictures: ChartUploads
    clock: Callable[[], int]
    sleep: Sleep = asyncio.sleep
    timer: Callable[[], float] = time.monotonic
    preparing: float = PREPARING
    posting: float = POSTING
    pinned_by: float = PINNED_BY
    _limited: dict[str, tuple[str, float]] = field(default_factory=dict)
    _resting: dict[tuple[str, str], float] = field(default_factory=dict)
    """until when Slack wants edits or removals of a workspace left alone"""

    async def send(self, message: Message) -> Delivery:
        """One attempt, bounded in time; never raises but for cancellation."""
        pinned_by = asyncio.get_running_loop().time() + self.pinned_by
        try:
            ready = await self._prepared(message)
            delivery = await self._delivered(ready) if isinstance(ready, _Ready) else ready
            if isinstance(ready, _Ready) and isinstance(delivery, Delivered) and message.pins(delivery.receipt):
                await self._pin(ready, delivery.receipt, pinned_by)
            if isinstance(delivery, Ambiguous) and message.repeatable:
                return TryLater(delivery.reason, AGAIN)
            return delivery
        except Exception as error:  # the edge of the sender: a fault of ours would be the same at each attempt
            log.exception("slack_message_failed", id=message.id, team=message.address.team)
            return Rejected(f"a fault of ours: {type(error).__name__}")

    async def _prepared(self, message: Message) -> _Ready | Delivery:
        """All that is needed before posting; or why there will be no posting."""
        address = message.address
        method = REMOVE if message.remove else EDIT if message.edit else POST
        if (left := self._resting.get((address.team, method), 0.0) - self.timer()) > 0:
            return _resting(left)
        try:
            async with asyncio.timeout(self.preparing):
                token = await self.token(address.team)
                if self.is_gone(address.team):
                    return Rejected("the app was removed", gone=True)
                channel = await self._channel(message, token)
                if not isinstance(channel, str):
                    return channel
                pictures = await self._pictures(message, token)
        except NotInstalled:
            return Rejected("the app is not installed", gone=True)
        except StoreError as error:
            return TryLater(f"store: {error}", AGAIN, "platform")
        except TimeoutError:
            return TryLater("preparing took too long", AGAIN)
        return _Ready(message, token, channel, pictures, Words(message.language, self.clock()))

    async def _channel(self, message: Message, token: str) -> str | Delivery:
        """Where it goes; direct messages have to be opened."""
        address = message.address
        earlier = message.remove or message.edit
        if earlier is not None or not address.person:
            return address.channel or (earlier.channel if earlier else "")
        opened = await self._call(OPEN, {"users": address.person, "token": token}, address)
        if isinstance(opened, Ambiguous):  # opening twice is opening once
            return TryLater(opened.reason, AGAIN)
        if isinstance(opened, Rejected) and opened.reason == "missing_scope":
            return address.person  # installed before im:write was asked for: Slack opens it by the person's id too
        return str(opened["channel"]["id"]) if isinstance(opened, dict) else opened

    async def _pictures(self, message: Message, token: str) -> Sequence[Picture]:
        team, person = message.address.team, message.address.person
        if message.remove is not None:
            return ()
        try:
            return await self.pictures.of(
                message.card.charts, team=team, language=message.language, token=token, person=person
            )
        except Exception:  # whatever a chart does, the text goes out
            log.exception("slack_picture_lost", team=team)
            return ()

    async def _delivered(self, ready: _Ready) -> Delivery:
        """Post it in the first way that its earlier messages leave open."""
        delivery: Delivery = Rejected("no way to send it")
        try:
            async with asyncio.timeout(self.posting):
                if ready.message.remove is not None:
                    return await self._removed(ready, ready.message.remove)
                for way in ready.ways():
                    delivery = await self._in_some_form(ready, way)
                    if not (isinstance(delivery, Rejected) and delivery.reason in LOST_EARLIER):
                        break
        except TimeoutError:
            return Ambiguous("posting took too long")
        if ready.message.edit_only and isinstance(delivery, Rejected):
            return edit_refused(delivery)
        return delivery

    async def _removed(self, ready: _Ready, earlier: Receipt) -> Delivery:
        """Take it away; where it is no more, somebody else did."""
        body = {"channel": earlier.channel, "ts": earlier.message, "token": ready.token}
        found = await self._call(REMOVE, body, ready.message.address)
        is_gone = isinstance(found, Rejected) and found.reason == NO_MORE
        return Delivered(earlier) if is_gone or isinstance(found, dict) else found

    async def _pin(self, ready: _Ready, posted: Receipt, until: float) -> None:
        """Pin what was posted, once: whatever comes of it, it is there."""
        body = {"channel": posted.channel, "timestamp": posted.message, "token": ready.token}
        found: dict[str, Any] | Delivery = Ambiguous("no time was left")
        try:
            async with asyncio.timeout_at(until):
                found = await self._call(PIN, body, ready.message.address)
        except TimeoutError:
            pass
        except Exception as error:  # a fault of ours, which must not make it go again
            log.exception("slack_pin_failed", id=ready.message.id)
            found = Ambiguous(f"a fault of ours: {type(error).__name__}")
        if not isinstance(found, dict | Delivered):
            team = ready.message.address.team
            log.info("slack_message_not_pinned", id=ready.message.id, team=team, reason=found.reason)

    async def _in_some_form(self, ready: _Ready, way: Way) -> Delivery:
        """Post it, in simpler blocks where Slack refuses the better ones."""
        too_long, delivery = False, Rejected("no form")
        async for form, is_brief in self._forms(ready):
            if too_long and not is_brief:
                continue
            if self.is_gone(ready.message.address.team):
                return Rejected("the app was removed", gone=True)
            found = await self._posted(ready, way, form)
            if not (isinstance(found, Rejected) and (found.reason in BAD_BLOCKS | TOO_LONG or _pictured(form, found))):
                return found
            log.warning("slack_message_simplified", id=ready.message.id, reason=found.reason)
            too_long, delivery = found.reason in TOO_LONG, found
        return delivery

    async def _forms(self, ready: _Ready) -> AsyncIterator[tuple[dict[str, Any], bool]]:
        """Ever simpler bodies, and whether one is the shortest."""
        found = Sheet(fitted(ready.message.card, ready.words), ready.words)
        yield rendered(found, pictures=ready.pictures), False
        if any(picture.fresh for picture in ready.pictures):
            await self.sleep(LOOKED_AT)
            yield rendered(found, pictures=ready.pictures), False
        yield rendered(found, plainly=True), False
        short = dataclasses.replace(found, card=brief(ready.message.card, ready.words))
        yield rendered(short, plainly=True), True

    async def _posted(self, ready: _Ready, way: Way, form: dict[str, Any]) -> Delivery:
        method, where = way
        body = {**form, **where, "metadata": ready.metadata, "token": ready.token}
        if ready.message.mentions and not ready.message.edit_only:
            body["blocks"] = [*_mentions(ready.message.mentions), *body["blocks"]][:MOST_BLOCKS]
        found = await self._call(method, body, ready.message.address)
        if not isinstance(found, dict):
            return found
        if not (found.get("channel") and found.get("ts")):
            return Ambiguous("an answer without the message's name")
        return Delivered(Receipt(str(found["channel"]), str(found["ts"])))

    async def _call(self, method: str, body: dict[str, Any], address: Address) -> dict[str, Any] | Delivery:
        """Slack's answer, or what became of the call."""
        try:
            answer = await self.client.api_call(method, json=body)
        except Exception as error:
            if isinstance(error, SlackApiError) and error.response.status_code == 429:
                return self._after_limit(method, address, retry_after(error.response.headers))
            return outcome(error)
        return dict(answer.data) if isinstance(answer.data, dict) else Ambiguous("not an answer of Slack's")

    def _after_limit(self, method: str, address: Address, seconds: float) -> TryLater:
        """Slack limits each method: while it takes no edits of a workspace, alerts are posted there all the same."""
        if method not in (EDIT, REMOVE):
            return TryLater("ratelimited", seconds, self._scope(method, address, seconds))
        now = self.timer()
        self._resting = {key: until for key, until in self._resting.items() if until > now}
        self._resting[address.team, method] = now + seconds
        return _resting(seconds)

    def _scope(self, method: str, address: Address, seconds: float) -> Scope:
        """What a limit is for: posts are counted for each channel, and all else, like many posts, for the workspace."""
        if method != POST:
            return "team"
        now, here = self.timer(), address.channel or address.person
        self._limited = {team: last for team, last in self._limited.items() if last[1] > now}
        there, _ = self._limited.get(address.team, (here, 0.0))
        self._limited[address.team] = (here, now + seconds)
        return "destination" if there == here else "team"


@dataclass(frozen=True, slots=True)
class _Ready:
    """A message with all that its posting needs."""

    message: Message
    token: str
    channel: str
    pictures: Sequence[Picture]
    words: Words

    @property
    def metadata(self) -> dict[str, Any]:
        return {"event_type": EVENT_TYPE, "event_payload": {"id": self.message.id}}

    def ways(self) -> Iterator[Way]:
        """As an edit, in the thread, and as a message of its own."""
        edit, thread = self.message.edit, self.message.thread
        if edit is not None:
            yield EDIT, {"channel": edit.channel, "ts": edit.message}
            if self.message.edit_only:
                return
        if thread is not None:
            yield POST, {"channel": thread.channel, "thread_ts": thread.message, "reply_broadcast": False}
        channel = self.channel or (thread.channel if thread else "")
        yield POST, {"channel": channel}


def _resting(seconds: float) -> TryLater:
    """Only what edits or removes has to wait."""
    return TryLater("ratelimited", seconds, ours=True, alone=True)


def _pictured(form: dict[str, Any], refused: Rejected) -> bool:
    """Whether it may be the picture that is refused: nothing was posted, and the place takes messages."""
    shows = any(block["type"] == "image" for block in form["blocks"])
    return shows and not refused.gone and refused.reason not in LOST_EARLIER


def _mentions(groups: Sequence[str]) -> list[dict[str, Any]]:
    """A block that calls user groups, and nothing but ids of some."""
    ids = [group for group in groups if _USER_GROUP.fullmatch(group)][:MOST_GROUPS]
    called = [{"type": "usergroup", "usergroup_id": group} for group in ids]
    return [{"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": called}]}] if called else []
