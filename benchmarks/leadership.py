"""Workers on one PostgreSQL, killed, stopped and cut off at random: who polls, and how soon somebody does again.

``python -m benchmarks.leadership --seconds 300``. Prints a table; exits 1 when a goal is missed. The stand-in market is
that of the tests: it notes which worker asked what when, by a key of each worker's own.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
from aiohttp import web

from benchmarks.processes import ROOT, SPOTBOT
from bot.store.engine import open_store
from tests.fakes.postgres import Databases, postgres_server, restart
from tests.fakes.vast import FakeVast, offer_row

WORKERS = 3
MODELS = ("RTX 4090", "RTX 5090", "RTX 3090", "H100 SXM", "L40S", "A10")
INTERVAL_S = 5
ANSWER_S = 0.3
"""How long the market takes to answer: faults then also fall into the middle of a fetch."""
STOPPED_S = 20.0
TAKEOVER_GOAL_S = 15.0
LONGEST_S = 40.0
"""After this a takeover counts as failed."""

AUDIT = """
CREATE TABLE IF NOT EXISTS audit (at timestamptz, epoch bigint, holder text);
CREATE OR REPLACE FUNCTION note() RETURNS trigger AS
$$ BEGIN INSERT INTO audit VALUES (clock_timestamp(), NEW.epoch, NEW.holder); RETURN NEW; END $$ LANGUAGE plpgsql;
CREATE OR REPLACE TRIGGER noted BEFORE UPDATE ON leader FOR EACH ROW
WHEN (OLD.epoch <> NEW.epoch) EXECUTE FUNCTION note();
"""
CLOSE_TOGETHER = f"""
SELECT count(*) FROM (SELECT at - lag(at) OVER (PARTITION BY gpu_id ORDER BY at) AS apart FROM poll) AS steps
WHERE apart < {INTERVAL_S // 2}
"""


class SlowVast(FakeVast):
    """Takes its time."""

    async def _search(self, request: web.Request) -> web.StreamResponse:
        answer = await super()._search(request)
        await asyncio.sleep(ANSWER_S)
        return answer


@dataclass(slots=True)
class Worker:
    """One process; a killed one is followed by another under a key of its own."""

    process: subprocess.Popen[bytes]
    key: str

    @property
    def holder(self) -> str:
        return f"{socket.gethostname()}:{self.process.pid}"


@dataclass(slots=True)
class Drill:
    """What runs, and what was seen."""

    url: str
    market: SlowVast
    folder: Path
    stack: ExitStack
    chance: random.Random
    workers: list[Worker] = field(default_factory=list)
    started: list[Worker] = field(default_factory=list)
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def start(self) -> None:
        key = f"worker-{len(self.started)}"
        env = {
            "DATABASE_URL": self.url,
            "VAST_URL": self.market.url,
            "VAST_API_KEY": key,
            "SPOTBOT_GPUS": ",".join(MODELS),
            "SPOTBOT_POLL_SECONDS": str(INTERVAL_S),
            "SPOTBOT_ROW_BUDGET": str(10**7),
        }
        log = self.stack.enter_context((self.folder / f"{key}.log").open("wb"))
        process = subprocess.Popen(
            [*SPOTBOT, "worker"], env={**os.environ, **env}, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT
        )
        self.workers.append(Worker(process, key))
        self.started.append(self.workers[-1])

    def stop(self) -> None:
        for worker in self.workers:
            worker.process.send_signal(signal.SIGCONT)
            worker.process.send_signal(signal.SIGTERM)
        for worker in self.workers:
            try:
                worker.process.wait(20)
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()

    async def fetch(self, query: str) -> list[asyncpg.Record]:
        """Ask the database, which may be away for a moment."""
        while True:
            try:
                conn = await asyncpg.connect(self.url, timeout=5)
                try:
                    return list(await conn.fetch(query))
                finally:
                    await conn.close()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await asyncio.sleep(0.1)

    async def leader(self) -> Worker | None:
        rows = await self.fetch("SELECT holder FROM leader WHERE expires_at > now()")
        return next((worker for worker in self.workers if rows and worker.holder == rows[0]["holder"]), None)

    async def renewed(self, what: str, began: float) -> None:
        """Note how long it takes until somebody has renewed or taken the lease."""
        before = (await self.fetch("SELECT expires_at FROM leader"))[0][0]
        while time.monotonic() - began < LONGEST_S:
            if (await self.fetch("SELECT expires_at FROM leader"))[0][0] != before and await self.leader():
                break
            await asyncio.sleep(0.1)
        self.seconds.setdefault(what, []).append(time.monotonic() - began)

    async def takeover(self, what: str, began: float, victim: Worker) -> None:
        while time.monotonic() - began < LONGEST_S:
            if (leader := await self.leader()) and leader is not victim:
                break
            await asyncio.sleep(0.1)
        self.seconds.setdefault(what, []).append(time.monotonic() - began)

    async def kill(self, victim: Worker, leads: bool) -> None:
        began = time.monotonic()
        victim.process.kill()
        victim.process.wait()
        self.workers.remove(victim)
        if leads:
            await self.takeover("takeover after SIGKILL", began, victim)
        self.start()

    async def pause(self, victim: Worker, leads: bool) -> None:
        began = time.monotonic()
        victim.process.send_signal(signal.SIGSTOP)
        if leads:
            await self.takeover("takeover after SIGSTOP", began, victim)
        await asyncio.sleep(max(0.0, STOPPED_S - (time.monotonic() - began)))
        victim.process.send_signal(signal.SIGCONT)
        await asyncio.sleep(3)

    async def cut_off(self, victim: Worker, leads: bool) -> None:
        began = time.monotonic()
        whose = f"application_name = 'spotbot {victim.holder}'"
        await self.fetch(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {whose}")
        if leads:
            await self.renewed("renewed after its backends ended", began)

    async def restart(self, victim: Worker, leads: bool) -> None:
        began = time.monotonic()
        await asyncio.to_thread(restart, self.url)
        await self.renewed("renewed after a database restart", began)

    async def run(self, seconds: float) -> Counter[str]:
        """Faults one after the other until the time is up."""
        done: Counter[str] = Counter()
        deck: list[str] = []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            deck = deck or self.chance.sample(["kill", "pause", "cut_off", "restart"], 4)
            leader = await self.leader()
            others = [worker for worker in self.workers if worker is not leader]
            leads = leader is not None and self.chance.random() < 0.75
            victim = leader if leader and leads else self.chance.choice(others)
            fault = deck.pop()
            await getattr(self, fault)(victim, leads)
            done[f"{fault} of {'the leader' if leads else 'a stand-by'}"] += 1
            await asyncio.sleep(self.chance.uniform(1, 6))
        return done

    async def strangers(self) -> int:
        """Requests of workers that were not the leader when they came."""
        terms = [
            (row["at"].timestamp(), row["holder"]) for row in await self.fetch("SELECT * FROM audit ORDER BY epoch")
        ]
        holders = {f"Bearer {worker.key}": worker.holder for worker in self.started}
        wrong = 0
        for at, headers in zip(self.market.times, self.market.headers, strict=True):
            leading = [holder for since, holder in terms if since <= at]
            wrong += not leading or leading[-1] != holders[headers["Authorization"]]
        return wrong

    async def report(self, done: Counter[str]) -> bool:
        """The table; gives whether every goal was met."""
        for fault, times in sorted(done.items()):
            print(f"     {fault:<46} {times:>24}")
        await asyncio.sleep(0.5)
        polls = (await self.fetch("SELECT count(*) FROM poll"))[0][0]
        doubled = (await self.fetch(CLOSE_TOGETHER))[0][0]
        terms = (await self.fetch("SELECT count(*) FROM audit"))[0][0]
        text = "".join(path.read_text(errors="replace") for path in self.folder.glob("*.log"))
        asked = len(self.market.times)
        lines = [
            *((what, max(some), TAKEOVER_GOAL_S) for what, some in sorted(self.seconds.items())),
            ("polls stored twice", doubled, 0),
            ("requests by a process that does not lead", await self.strangers(), 0),
        ]
        print(f"     {'market requests / polls stored / leaders':<46} {f'{asked} / {polls} / {terms}':>24}")
        print(f"     {'tracebacks in the logs':<46} {text.count('Traceback (most recent'):>24}")
        for what, figure, goal in lines:
            few = f" (of {len(self.seconds[what])}, worst)" if what in self.seconds else ""
            shown = f"{figure:.1f} s{few}" if few else str(figure)
            print(f"{'ok  ' if figure <= goal else 'MISS'} {what:<46} {shown:>24}   goal {goal:g}")
        return all(figure <= goal for _, figure, goal in lines)


async def main(seconds: float, seed: int) -> int:
    rows = [offer_row(n, gpu_name=MODELS[n % len(MODELS)]) for n in range(3 * len(MODELS))]
    with ExitStack() as stack, tempfile.TemporaryDirectory(prefix="spotbot-drill-") as folder:
        server = stack.enter_context(postgres_server())
        url = await Databases(server).create()
        async with SlowVast(rows) as market:
            market.clock = time.time
            drill = Drill(url, market, Path(folder), stack, random.Random(seed))
            try:
                await (await open_store(url, writer=True)).close()
                conn = await asyncpg.connect(url)
                await conn.execute(AUDIT)
                await conn.close()
                for _ in range(WORKERS):
                    drill.start()
                await drill.takeover("first leader", time.monotonic(), Worker(drill.workers[0].process, ""))
                done = await drill.run(seconds)
            finally:
                await asyncio.to_thread(drill.stop)
            return 0 if await drill.report(done) else 1


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=300)
    options.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    given = options.parse_args()
    print(f"seed {given.seed}")
    sys.exit(asyncio.run(main(given.seconds, given.seed)))
