"""A form that is sent twice acts once: by pressing twice, by loading its answer anew, by going back."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Hashable, Mapping

from cachetools import FIFOCache

from bot.dispatch.command import Request
from bot.dispatch.reply import Reply
from bot.faces.web.seen import Seen

KEY_FIELD = "key"
"""The hidden field with the name that a form was given when it was shown: what is sent twice is done once."""

KEPT_S = 3600
"""How long the answer to a form is given again: pages stay open, and what was answered may hold a secret."""

MOST_KEPT = 500
"""Answers that are kept; there are some kilobytes in each."""


def request_of(said: Mapping[str, str], texts: Mapping[str, str]) -> Request | None:
    """The request that a form makes: the same form with the same texts is the same one, with others another."""
    if not said.get(KEY_FIELD):
        return None
    digest = hashlib.sha256(json.dumps(sorted(texts.items())).encode()).hexdigest()
    name = hashlib.sha256(f"{said[KEY_FIELD]} {digest}".encode()).hexdigest()
    return Request(f"form-{name}", digest)


class KeptReplies:
    """What forms came to, in this process, each for who sent it alone; not what failed, for it may be tried again."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._kept: FIFOCache[Hashable, tuple[int, asyncio.Task[Reply]]] = FIFOCache(MOST_KEPT)

    async def reply(self, seen: Seen, said: Mapping[str, str], act: Callable[[], Awaitable[Reply]]) -> Reply:
        """What ``act`` comes to, or came to when this form was sent before; a form without a name always acts."""
        request = request_of(said, said)
        if request is None:
            return await act()
        key = (seen.visitor.csrf, seen.request.scope["path"], request.name)
        now = self._clock()
        at, task = self._kept.get(key, (now, None))
        if task is None or now - at >= KEPT_S:
            task = asyncio.ensure_future(act())
            self._kept[key] = now, task
            task.add_done_callback(lambda done: self._forget_failed(key, done))
        return await asyncio.shield(task)

    def _forget_failed(self, key: Hashable, done: asyncio.Future[Reply]) -> None:
        if done.cancelled() or done.exception() is not None or not done.result().ok:
            self._kept.pop(key, None)
