"""Webhooks under attack, and with a sender that is killed again and again.

``python -m benchmarks.webhooks`` makes a network namespace and in it sends to 100 endpoints, 30 of them hostile, and to
addresses that are private in disguise; ``--silent 60`` for more that never answer. ``--kill`` sends to 20 receivers on
loopback through a process that is killed every 0.5 to 0.9 s. Prints a table; exits 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from benchmarks import webhooks_kill
from benchmarks.processes import ROOT
from benchmarks.webhooks_namespace import (
    Packets,
    enter,
    make_certificate,
    must_be_inside,
    set_up_addresses,
    touch_private,
)
from benchmarks.webhooks_receivers import ZONE, Receivers, listening
from benchmarks.webhooks_sender import EVERY_S, attack, resident
from bot.secret_box import new_key
from tests.webhooks.test_guard import HIDDEN

MODULE = "benchmarks.webhooks"
HEALTHY = 70
HOSTILE = {"silent": 10, "dripping": 5, "flooding": 5, "resetting": 5, "redirecting": 5}
DISGUISED = ("rebinding", "flipping", "mixed", "mapped")
REFUSED = "this address may not be reached"
LONGEST_S = 300.0
P99_S, GROWTH_KB = 2.0, 50 * 1024


@dataclass(frozen=True, slots=True)
class Goal:
    """A line of the table."""

    name: str
    figure: object
    goal: str = ""
    met: bool = True


def name_urls(silent: int) -> list[str]:
    counts = {"healthy": HEALTHY, **HOSTILE, "silent": silent}
    urls = [f"https://{kind}-{n}.{ZONE}{':8443' if n % 2 else ''}/hook" for kind, many in counts.items()
            for n in range(many)]  # fmt: skip
    return [*urls, *(f"https://{kind}-0.{ZONE}/hook" for kind in DISGUISED), *HIDDEN]


def kind_of(url: str) -> str:
    host = url.removeprefix("https://").split("/")[0]
    return host.split("-")[0] if ZONE in host else "hidden"


@dataclass(frozen=True, slots=True)
class Settings:
    """What may be chosen."""

    silent: int
    waves: int
    every: float
    outside: str


async def run_sender(folder: Path, settings: Settings) -> tuple[int, int]:
    """The sending process until it is done; gives the kilobytes it held before the first event, and the most."""
    command = [sys.executable, "-m", MODULE, "--outside", settings.outside, "--send", str(folder)]
    command += ["--silent", str(settings.silent), "--waves", str(settings.waves), "--every", str(settings.every)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=(folder / "log").open("wb"))  # noqa: ASYNC220
    before = most = 0
    try:
        for _ in range(int(LONGEST_S / 0.05)):
            if process.poll() is not None:
                break
            if (folder / "ready").exists() and not (folder / "over").exists():
                held = resident(str(process.pid))
                before, most = before or held, max(most, held)
            await asyncio.sleep(0.05)
    finally:
        process.kill()
        process.wait()
    return before, most


async def inside(settings: Settings) -> list[Goal]:
    """The attack; already in the namespace."""
    set_up_addresses()
    packets = Packets()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _, context = make_certificate(folder, f"*.{ZONE}")
        (folder / "key").write_text(new_key())
        async with listening(context) as receivers:
            touched = await asyncio.to_thread(touch_private)
            await asyncio.sleep(0.5)
            seen, receivers.private = dict(packets.bytes), 0
            packets.bytes.clear()
            before, most = await run_sender(folder, settings)
            leaked = dict(packets.bytes)
        if not (folder / "result.json").exists():
            raise SystemExit("the sending process failed:\n" + (folder / "log").read_text()[-3000:])
        result = json.loads((folder / "result.json").read_text())
    control = Goal("private addresses reached by hand, and seen", len(seen), f"{touched}", len(seen) == touched)
    growth = Goal("growth of memory, MB", round((most - before) / 1024, 1), "< 50", most - before < GROWTH_KB)
    private = Goal("bytes to other addresses than the public one", sum(leaked.values()) or 0, "0", not leaked)
    connected = Goal("connections to private addresses", receivers.private, "0", not receivers.private)
    load = Goal("load of this machine (all programs, 1 min)", f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    held = Goal("memory before the first event, MB", before // 1024)
    return [*delays(result, receivers), load, held, growth, control, private,
            connected, *guarded(result), *figures(result, receivers)]  # fmt: skip


def delays(result: dict[str, Any], receivers: Receivers) -> list[Goal]:
    """From queued to answered, of the healthy ones."""
    mine = [(id_, at) for id_, at, _, url in result["messages"] if kind_of(url) == "healthy"]
    took = sorted(receivers.answered[id_][0] - at for id_, at in mine if id_ in receivers.answered)
    missing = len(mine) - len(took)
    twice = sum(len(times) - 1 for times in receivers.answered.values())
    p99 = quantiles(took, n=100)[98] if len(took) > 1 else float("inf")
    return [
        Goal("events to healthy endpoints", len(mine)),
        Goal("of them not delivered", missing, "0", not missing),
        Goal("of them delivered twice", twice, "0", not twice),
        Goal("queued to delivered, p50, s", round(median(took or [0]), 3)),
        Goal("queued to delivered, p99, s", round(p99, 3), "< 2", p99 < P99_S),
        Goal("queued to delivered, longest, s", round(max(took, default=0), 3)),
    ]


def guarded(result: dict[str, Any]) -> list[Goal]:
    """What the guard refused when endpoints were added, and at each attempt."""
    at_once = len(set(HIDDEN) & set(result["refused"]))
    hidden = [one for one in result["attempts"] if kind_of(one[0]) in ("hidden", "rebinding", "mixed", "mapped")]
    tried = len({one[0] for one in hidden})
    other = {(url, error) for url, error, *_ in hidden if error != REFUSED}
    return [
        Goal("private forms refused when added", at_once, str(len(HIDDEN)), at_once == len(HIDDEN)),
        Goal("forms and moving names tried all the same", tried, str(len(HIDDEN) + 3), tried == len(HIDDEN) + 3),
        Goal("attempts at them", len(hidden)),
        Goal("of them not refused", sorted(other) or 0, "0", not other),
    ]


def figures(result: dict[str, Any], receivers: Receivers) -> list[Goal]:
    """What helps to understand the rest."""
    kinds = ["healthy", *HOSTILE, "flipping"]
    by_kind = {kind: [one for one in result["attempts"] if kind_of(one[0]) == kind] for kind in kinds}
    claims = sorted(result["claims_ms"])
    lag = sorted(result["lag"])
    return [
        *(Goal(f"attempts, {kind}", f"{len(tries)} ({receivers.hits[kind]} arrived, median "
               f"{median([one[2] for one in tries] or [0]):.0f} ms)") for kind, tries in by_kind.items()),
        Goal("event loop late, p99 and longest, ms", f"{lag[len(lag) * 99 // 100] * 1000:.0f}, {lag[-1] * 1000:.0f}"),
        Goal("a client, made and closed", f"{result['client_ms']:.2f} ms, {result['client_kb']:.1f} KB kept"),
        Goal("claim of 10 of 100 endpoints, 2,000 queued, ms", f"median {median(claims):.1f}, most {claims[-1]:.1f}"),
    ]  # fmt: skip


def report(goals: list[Goal]) -> bool:
    """Print the table; gives whether all goals are met."""
    for one in goals:
        verdict = "" if not one.goal else f"   goal {one.goal}: {'met' if one.met else 'MISSED'}"
        print(f"{one.name:48} {one.figure}{verdict}")
    return all(one.met for one in goals)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--silent", type=int, default=HOSTILE["silent"], help="endpoints that never answer")
    parser.add_argument("--waves", type=int, default=12, help="events to each endpoint")
    parser.add_argument("--every", type=float, default=EVERY_S, help="seconds between them")
    parser.add_argument("--kill", action="store_true")
    parser.add_argument("--in-flight", type=int, help="with --kill: deliveries at once")
    parser.add_argument("--outside", help=argparse.SUPPRESS)
    parser.add_argument("--send", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        asyncio.run(webhooks_kill.work(Path(options.work[0]), int(options.work[1])))
    elif options.kill:
        sys.exit(not webhooks_kill.run(options.in_flight))
    elif options.outside and options.send:
        must_be_inside(options.outside)
        urls = name_urls(options.silent)
        asyncio.run(
            attack(options.send, urls, options.waves, options.every, [*HIDDEN, f"https://rebinding-0.{ZONE}/hook"])
        )
    elif options.outside:
        must_be_inside(options.outside)
        settings = Settings(options.silent, options.waves, options.every, options.outside)
        sys.exit(not report(asyncio.run(inside(settings))))
    else:
        sys.exit(enter(MODULE, sys.argv[1:]))


if __name__ == "__main__":
    main()
