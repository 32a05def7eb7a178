"""`make acceptance`: the program against the stand-in services beside the checkout, as a user would run it.

    python -m benchmarks.acceptance [--minutes 10] [--recording DIR]
                                    [--only contract,faults,live,quota,truth,slack,discord,alerts,scheduled]

Where the stand-ins are absent, all but the contract is skipped with a message. Traffic stays on loopback.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.processes import ROOT, TOOLS, environment, fake_vast, get, run, spotbot

FAULTS = (
    *("429", "429?retry_after=2", "429_json", "500", "502", "503", "timeout?hold=3"),
    *("truncated", "html", "empty", "no_offers", "redirect"),
    *("drift_missing", "drift_extra", "drift_null", "drift_strings", "drift_nan"),
)
"""Every fault of the stand-in but `quota`, which has a part of its own, and the false pages."""

LIES = (
    *("lie_rentable", "lie_rentable_text", "lie_x1000", "lie_min_bid_null"),
    *("lie_few?gpu_name=RTX%204090", "lie_duplicate", "lie_names"),
)
"""Pages that are believable but wrong. Four rows strike the model that has 52: of one that has ten they could be the
market, since a page is doubted that has fewer than 40 % of the usual rows."""

MACHINES = 600
STANDING = "RTX 4090,H100 SXM,L40S"
"""The models that are followed on the market that stands still."""
LEAST_EVENTS = 30
"""Models with fewer true interruptions are shown but not judged."""

failures: list[str] = []


def check(what: str, ok: bool, shown: Any = "") -> None:
    print(f"{'ok  ' if ok else 'FAIL'} {what}{f': {shown}' if shown != '' else ''}", flush=True)
    if not ok:
        failures.append(what)


def query(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(f"file:{folder / 'spotbot.db'}?mode=ro", uri=True) as conn:
        return conn.execute(sql).fetchall()


def polls(folder: Path) -> dict[int, int]:
    """Stored polls by quality code (0 is complete)."""
    return dict(query(folder, "SELECT quality, count(*) FROM poll GROUP BY quality"))


def inject(vast: str, fault: str) -> None:
    name, _, options = fault.partition("?")
    status, body = get(f"{vast}/_control/{name}?{options}", method="POST")
    assert status == 200, (fault, body)


def wait_until(what: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.5)
    return False


def faults(folder: Path) -> None:
    """A market that stands still: whatever changes in the store, a fault has made."""
    options = ("--machines", str(MACHINES), "--speedup", "0", "--quota", "0", "--seed", "7")
    with (
        fake_vast(folder, *options) as vast,
        spotbot(
            folder,
            vast,
            SPOTBOT_GPUS=STANDING,
            SPOTBOT_POLL_SECONDS="1",
            SPOTBOT_ROW_BUDGET="100000000",
        ) as (api, key, process),
    ):
        check("polls a standing market", wait_until(lambda: polls(folder).get(0, 0) >= 9, 60), polls(folder))
        before = get(f"{api}/api/spot/monitor", key)[1]["price_trends"]
        for fault in FAULTS:
            inject(vast, fault)
            seen = polls(folder).get(0, 0)
            back = wait_until(lambda seen=seen: polls(folder).get(0, 0) >= seen + 4, 60)
            check(f"{fault}: polls go on", back and process.poll() is None, polls(folder))
        for lie in LIES:
            tell(folder, vast, lie)
        after = get(f"{api}/api/spot/monitor", key)[1]["price_trends"]
        prices = [[(row["gpu_name"], row["current_price"]) for row in rows] for rows in (before, after)]
        check("no price changed by a fault", prices[0] == prices[1] and len(prices[0]) == 3, prices[1])
        stored = (
            "SELECT gpu_id, count(DISTINCT coalesce(price, -1)) FROM quote JOIN poll USING (gpu_id, at)"
            " WHERE quality = 0 AND region_id = 0 AND scope = 0 GROUP BY 1",
            "SELECT gpu_id, count(DISTINCT coalesce(price, -1)) FROM price_hour"
            " WHERE region_id = 0 AND scope = 0 GROUP BY 1",
        )
        for what, sql in zip(("price of a complete poll", "hour"), stored, strict=True):
            distinct = query(folder, sql)
            check(f"no {what} changed by a fault", all(n == 1 for _, n in distinct), distinct)
        count = query(folder, "SELECT count(*) FROM interruption")[0][0]
        check("no interruption recorded because of a fault", count == 0, count)
        check("faults were seen as failed or suspect polls", _doubted(folder) > 0, polls(folder))


def tell(folder: Path, vast: str, lie: str) -> None:
    """A false page in place of the next answer: no complete poll comes of it, and the polls after it are complete."""
    doubted, seen = _doubted(folder), polls(folder).get(0, 0)
    inject(vast, lie)
    met = wait_until(lambda: _doubted(folder) > doubted, 60)
    back = wait_until(lambda: polls(folder).get(0, 0) >= seen + 4, 60)
    check(f"{lie}: doubted, and polls go on", met and back, polls(folder))


def _doubted(folder: Path) -> int:
    return sum(n for quality, n in polls(folder).items() if quality)


def live(folder: Path, minutes: float) -> None:
    """The market at real speed, each fault once meanwhile."""
    options = ("--machines", str(MACHINES), "--speedup", "1", "--quota", "0", "--seed", "11")
    with (
        fake_vast(folder, *options) as vast,
        spotbot(folder, vast, SPOTBOT_POLL_SECONDS="20", SPOTBOT_ROW_BUDGET="100000000") as (api, key, process),
    ):
        end = time.monotonic() + 60 * minutes
        todo = list(FAULTS)
        pause = 60 * minutes / (len(todo) + 1)
        while time.monotonic() < end:
            time.sleep(min(pause, max(0.0, end - time.monotonic())))
            if todo:
                inject(vast, todo.pop(0))
        check(f"alive after {minutes:g} minutes with {len(FAULTS) - len(todo)} faults", process.poll() is None)
        status, health = get(f"{api}/health")
        check("healthy", status == 200, health)
        status, body = get(f"{api}/api/spot/monitor", key)
        check(
            "monitor answers",
            status == 200,
            f"{body.get('total_gpus_tracked')} models, {polls(folder)} polls by quality",
        )
        log = (folder / "spotbot.log").read_text()
        check("no traceback in the log", "Traceback" not in log, len(log.splitlines()))


def quota(folder: Path) -> None:
    """A quota far below what is believed: refused once, then silence until the reset."""
    options = ("--machines", str(MACHINES), "--speedup", "1", "--quota", "3000", "--seed", "13")
    generous = {"SPOTBOT_POLL_SECONDS": "1", "SPOTBOT_ROW_BUDGET": "100000000"}
    with fake_vast(folder, *options) as vast, spotbot(folder, vast, **generous) as (api, key, process):
        spent = wait_until(lambda: "search_quota" in (folder / "spotbot.log").read_text() or _learned(folder), 300)
        check("the quota is met and learned", spent and _learned(folder) == 3000, _learned(folder))
        before = get(f"{vast}/_control/status")[1]["requests"]
        time.sleep(30)
        after = get(f"{vast}/_control/status")[1]["requests"]
        check("no request after the refusal", before == after, f"{before} requests, then {after - before} in 30 s")
        status, body = get(f"{api}/api/spot/monitor", key)
        check("answers go on", status == 200, len(body.get("price_trends", [])))
        check("still running", process.poll() is None)


def _learned(folder: Path) -> int | None:
    rows = query(folder, "SELECT learned_limit FROM quota WHERE learned_limit IS NOT NULL")
    return rows[0][0] if rows else None


def truth(folder: Path, recording: Path | None) -> None:
    """A recorded market of 14 days with known interruptions: our MTBI through import, store and API."""
    if recording is None:
        recording = folder / "recording"
        maker = [
            sys.executable,
            str(TOOLS / "record_market.py"),
            str(recording),
            "--days",
            "14",
            "--every",
            "15",
            "--seed",
            "11",
        ]
        subprocess.run(maker, check=True)
    env = environment(folder)
    print(run(["import", str(recording / "offers.csv.gz"), "--kind", "offers"], env).strip())
    answer = json.loads(run(["ask", "interruptions 30d", "--json"], env))
    ours = {row["gpu_name"]: row for row in answer["gpus"]}
    real = json.loads((recording / "truth.json").read_text())["summary"]
    errors, held = [], []
    print(f"{'model':16} {'true events':>11} {'true MTBI h':>11} {'ours h':>8} {'error':>8}  95 % interval")
    for name, true in sorted(real.items()):
        row = next((row for gpu, row in ours.items() if gpu == name or gpu.rsplit(" ", 1)[0] == name), None)
        if row is None or row["mean_time_between_interruptions_hours"] is None or not true["mtbi_h"]:
            print(f"{name:16} {true['interruptions']:>11}  no figure")
            continue
        mtbi, interval = row["mean_time_between_interruptions_hours"], row["interval_95"]
        error = mtbi / true["mtbi_h"] - 1
        inside = interval["low"] <= true["mtbi_h"] <= interval["high"]
        print(
            f"{name:16} {true['interruptions']:>11} {true['mtbi_h']:>11.2f} {mtbi:>8.2f} {error:>+8.1%}  "
            f"{interval['low']:.2f} .. {interval['high']:.2f} {'holds it' if inside else ''}"
        )
        if true["interruptions"] >= LEAST_EVENTS:
            errors.append(abs(error))
            held.append(inside)
    check(
        "median absolute error of MTBI <= 25 %", statistics.median(errors) <= 0.25, f"{statistics.median(errors):.1%}"
    )
    check("no model off by more than 50 %", max(errors) <= 0.5, f"{max(errors):.1%}")
    print(f"     95 % intervals that hold the truth: {sum(held)} of {len(held)}")


def contract() -> None:
    """The HTTP API against its own description, on a demo."""
    done = subprocess.run([sys.executable, "-m", "benchmarks.contract"], cwd=ROOT, check=False)
    check("the API keeps what its OpenAPI document promises", done.returncode == 0)


def chat(part: str) -> None:
    """A chat platform's stand-in: every verb, the dialogues, trouble, hostile texts, a rush."""
    done = subprocess.run(_module(part), cwd=ROOT, check=False)
    check(f"everything on {part}", done.returncode == 0)


def alerts(folder: Path) -> None:
    """Alerts on both platforms: two plays of some minutes with stand-ins of their own, at the same time."""
    log = folder / "features.log"
    with log.open("wb") as out, subprocess.Popen(_module("alert_features"), cwd=ROOT, stdout=out, stderr=out) as other:
        chat("alerts")
        code = other.wait()
    print(log.read_text(), end="")
    check("everything on alert_features", code == 0)


def _module(part: str) -> list[str]:
    return [sys.executable, "-m", f"benchmarks.standins_{part}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--only", default="contract,faults,live,quota,truth,slack,discord,alerts,scheduled")
    parser.add_argument("--recording", type=Path)
    args = parser.parse_args()
    if not TOOLS.exists():
        print("acceptance: all but the contract skipped, there are no stand-in services beside this checkout")
        args.only = "contract"
    parts: dict[str, Callable[[Path], None]] = {
        "contract": lambda _: contract(),
        "faults": faults,
        "live": lambda folder: live(folder, args.minutes),
        "quota": quota,
        "truth": lambda folder: truth(folder, args.recording),
        "slack": lambda _: chat("slack"),
        "discord": lambda _: chat("discord"),
        "alerts": alerts,
        "scheduled": lambda _: chat("scheduled"),
    }
    for name in args.only.split(","):
        print(f"== {name}", flush=True)
        with tempfile.TemporaryDirectory(prefix="spotbot-acceptance-") as folder:
            parts[name](Path(folder))
    print(f"{len(failures)} failed" if failures else "acceptance: all passed")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
