"""Leadership in PostgreSQL: a row that says who leads until when, renewed on a connection of its own.

Only the database's clock decides when a lease has run out; a process's own clock (never its wall clock) only makes it
stop earlier. A database clock that steps forward by more than a lease lets another process take over from a living
leader, which the epoch then keeps from writing and its next renewal from polling. One that steps back delays a takeover
by the step, at most by a lease more: an end too far ahead counts as none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bot.clock import boot_seconds
from bot.store.errors import StoreBusy, StoreError, plain_errors
from bot.store.leadership import State

log = structlog.get_logger()

RENEW_SHARE, LOOK_SHARE = 0.3, 0.1
"""After which share of a lease the leader renews it, and the others look whether it is free."""

FENCE_PATIENCE = "1s"
"""How long taking over waits for a write under way. One that was left open ends with the idle time of its session."""

_FREE = "NOT coalesce(expires_at > now() AND expires_at <= now() + 2 * make_interval(secs => :length), false)"
_RENEW = text("UPDATE leader SET expires_at = now() + make_interval(secs => :length) WHERE epoch = :epoch RETURNING 1")
_LOOK = text(" ".join(("SELECT", _FREE, ", holder FROM leader")))
_COUNT = text("UPDATE lease SET epoch = epoch + 1 RETURNING epoch")
_TAKE = text(
    "UPDATE leader SET epoch = :epoch, holder = :holder, since = extract(epoch FROM now())::bigint, "  # noqa: S608
    "expires_at = now() + make_interval(secs => :length) WHERE " + _FREE + " RETURNING 1"
)
_RELEASE = text("UPDATE leader SET expires_at = NULL WHERE epoch = :epoch")


class PostgresLease:
    """One process's claim to the row. ``engine`` is used for nothing else; ``clock`` gives seconds that only pass."""

    def __init__(
        self, engine: AsyncEngine, holder: str, where: str, length: float, clock: Callable[[], float] = boot_seconds
    ) -> None:
        self.epoch: int | None = None
        self._engine, self._holder, self._where = engine, holder, where
        self._length, self._clock = length, clock
        self._until = 0.0
        self._said: State | None = None
        self._other = "unknown"
        self._turn = asyncio.Lock()

    @property
    def state(self) -> State:
        """What this process is now."""
        if self.held():
            return "leader"
        return "standing by" if self._said in (None, "standing by") else "lost"

    @property
    def rival(self) -> str:
        """A sentence on who leads instead."""
        return (
            f"Another spotbot ({self._other}) leads in {self._where}. Stop it first; "
            f"if it was killed, its lease ends within {self._length:g} s."
        )

    def held(self) -> bool:
        """Whether the lease runs by this process's own clock, counted from when its last renewal was sent."""
        return self.epoch is not None and self._clock() < self._until

    async def renew(self) -> bool:
        """Lead for longer, or from now on if nobody does; raises StoreError when the database does not answer."""
        async with self._turn:
            sent = self._clock()
            try:
                with plain_errors():
                    async with asyncio.timeout(max(1.0, self._length / 3)):
                        if not await self._prolong():
                            self._deposed()
                            await self._take()
            except (OSError, TimeoutError) as error:
                raise StoreError(f"{self._where} cannot be reached: {error or 'no answer in time'}") from error
            self._until = sent + self._length
            self._say("leader" if self.epoch is not None else "standing by")
            return self.held()

    async def keep(self) -> None:
        """Renew in time until cancelled; look often while another one leads."""
        while True:
            await asyncio.sleep(self._length * (RENEW_SHARE if self.held() else LOOK_SHARE))
            try:
                await self.renew()
            except Exception as error:
                if not self.held() and self.epoch is not None:
                    self._say("lost", reason=str(error))

    async def release(self) -> None:
        """Let another one lead at once; where the database does not answer, after the lease."""
        with suppress(StoreError, SQLAlchemyError, OSError, TimeoutError), plain_errors():
            if self.epoch is not None:
                async with asyncio.timeout(max(1.0, self._length / 3)), self._engine.begin() as conn:
                    await conn.execute(_RELEASE, {"epoch": self.epoch})
        self.epoch = None
        await self._engine.dispose()

    async def _prolong(self) -> bool:
        if self.epoch is None:
            return False
        async with self._engine.begin() as conn:
            found = await conn.execute(_RENEW, {"length": self._length, "epoch": self.epoch})
            return found.first() is not None

    def _deposed(self) -> None:
        if self.epoch is not None:
            self.epoch = None
            self._say("lost", reason="another process has taken over")

    async def _take(self) -> None:
        with suppress(StoreBusy):  # a write under way: the next look will find it done
            async with self._engine.connect() as conn, conn.begin() as transaction:
                epoch = await self._claim(conn)
                if epoch is None:
                    await transaction.rollback()
            self.epoch = epoch

    async def _claim(self, conn: AsyncConnection) -> int | None:
        free, holder = (await conn.execute(_LOOK, {"length": self._length})).one()
        self._other = holder or "unknown"
        if not free:
            return None
        await conn.execute(text(f"SET LOCAL lock_timeout = '{FENCE_PATIENCE}'"))
        with plain_errors():
            epoch = int((await conn.execute(_COUNT)).scalar_one())
        given = {"epoch": epoch, "holder": self._holder, "length": self._length}
        return epoch if (await conn.execute(_TAKE, given)).first() else None

    def _say(self, state: State, **facts: str) -> None:
        if state == self._said:
            return
        first, self._said = self._said is None, state
        if first:  # whoever opened the store tells how that went
            return
        if state == "leader":
            log.info("leading", holder=self._holder, epoch=self.epoch)
        elif state == "standing by":
            log.info("standing by", leader=self._other)
        else:
            log.warning("lost the leadership", **facts)
