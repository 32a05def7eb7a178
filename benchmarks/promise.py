"""The promise of the forecasts on real and simulated markets: ``python -m benchmarks.promise [SET ...]``.

Each set is imported into a fresh database with ``spotbot import`` and judged by ``spotbot backtest --json``, as a user
would. SET is a name of :data:`benchmarks.promise_sets.SOURCES` (all of them when none is given; those whose file is not
beside the checkout are skipped) or a folder with ``offers.csv.gz``, a recorded market. Exits with 1 when a promise is
not kept.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.processes import environment, run
from benchmarks.promise_sets import DATA, SOURCES, write
from benchmarks.promise_verdicts import HORIZONS, Check, checks, horizon, share_of_oracle
from bot.store.engine import open_store

TIMEOUT = 3 * 3600
OFFERS = "offers.csv.gz"
DATABASE = "spotbot.db"
"""As :func:`benchmarks.processes.environment` calls it."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One set: seconds that import and backtest took, their report, the verdicts, and what other methods do."""

    name: str
    imported: str
    """what ``spotbot import`` printed"""
    import_seconds: float
    backtest_seconds: float
    report: Mapping[str, Any]
    checks: Sequence[Check]
    others: Mapping[str, Any]

    @property
    def kept(self) -> bool:
        """No promise failed."""
        return all(check.ok is not False for check in self.checks)


def import_of(name: str, folder: Path, data: Path) -> Path | None:
    """The file to import for a set, written to ``folder`` if need be; None and a word on standard error without one."""
    if (Path(name) / OFFERS).exists():
        return Path(name).resolve() / OFFERS
    source = SOURCES.get(name)
    if source is None or not (data / source.file).exists():
        why = f"no {data / source.file}" if source else f"neither a set nor a folder with {OFFERS}"
        print(f"{name}: skipped, {why}", file=sys.stderr)
        return None
    write(source, folder / f"{name}.csv", data)
    return folder / f"{name}.csv"


def judge(name: str, file: Path, folder: Path, asked: argparse.Namespace) -> Judged:
    """Import and backtest one set in a database of its own, or backtest what an earlier run has imported."""
    env = environment(folder)
    kept = asked.again and (folder / DATABASE).exists()
    imported, import_seconds = ("imported before", 0.0) if kept else _imported(file, folder, env)
    print(f"{name}: {imported}", file=sys.stderr)
    started = time.perf_counter()
    report = json.loads(run(["backtest", "--json"], env, timeout=TIMEOUT))
    return Judged(
        name=name,
        imported=imported,
        import_seconds=import_seconds,
        backtest_seconds=time.perf_counter() - started,
        report=report,
        checks=checks(name, report, simulated=file.name == OFFERS),
        others={} if asked.ours_only else _others(env["DATABASE_URL"]),
    )


def _imported(file: Path, folder: Path, env: Mapping[str, str]) -> tuple[str, float]:
    """What the import into a new database said, and the seconds it took."""
    for old in folder.glob(f"{DATABASE}*"):
        old.unlink()
    started = time.perf_counter()
    said = run(["import", str(file)], env, timeout=TIMEOUT)
    return said.partition("\n")[0], time.perf_counter() - started


def _others(url: str) -> dict[str, Any]:
    from benchmarks.seed_method import compare  # scikit-learn takes seconds to load

    return compare(asyncio.run(hourly_prices(url)))


async def hourly_prices(url: str) -> dict[str, dict[int, float]]:
    """Model -> hour since 1970 -> the stored price of that hour, USD."""
    store = await open_store(url.replace("sqlite:", "sqlite+aiosqlite:", 1), writer=False)
    try:
        async with store.reader() as reader:
            hours = await reader.hours(None, 0)
    finally:
        await store.close()
    return {model: {p.hour: p.price / 1e6 for p in points if p.price} for model, points in hours.items()}


HEAD = ("h", "ratio", "worst", "series", "moving", "cover", "least", "width %", "Winkler", "ECE")
WIDTHS = (3, 8, 8, 8, 8, 8, 8, 9, 9, 8)


def table(found: Judged) -> Iterator[str]:
    """The lines of one set."""
    seconds = f"import {found.import_seconds:.0f} s, backtest {found.backtest_seconds:.0f} s"
    yield f"\n{found.name}: {found.imported} ({seconds})"
    yield _line(HEAD) + "  worst series"
    for hours in HORIZONS:
        now = horizon(found.report, hours)
        shares = (_f(now.coverage), _f(now.least_coverage), _f(now.width, 2), _f(now.winkler, 2), _f(now.ece))
        yield _line((hours, _f(now.ratio), _f(now.worst), now.series, now.moving, *shares)) + f"  {now.worst_series}"
    yield from _other_lines(found.others)
    yield _advice_line(found.report["advice"])
    if windows := found.report.get("windows"):
        yield "windows: " + ", ".join(f"{key} {value}" for key, value in windows.items())
    yield from _verdict_lines(found)


def _line(cells: Sequence[object]) -> str:
    return "".join(f"{cell:>{width}}" for cell, width in zip(cells, WIDTHS, strict=True))


def _advice_line(advice: Mapping[str, Any]) -> str:
    saved, oracle, wrong = (_f(advice[f"{key}_percent"], 2) for key in ("saved", "oracle", "wrong_waits"))
    share = _f(share_of_oracle(advice), 2)
    return (
        f"advice: {advice['n']} hours, {advice['waits']} waits, {wrong} % of them wrong; "
        f"saved {saved} % of {oracle} % with hindsight (share {share})"
    )


def _verdict_lines(found: Judged) -> Iterator[str]:
    for check in found.checks:
        if check.ok is False:
            yield f"FAIL {found.name}: {check.what} is {_f(check.value)}, promised {check.bound}"
    kept, said = (sum(check.ok in some for check in found.checks) for some in ((True,), (True, False)))
    yield f"{'PASS' if found.kept else 'FAIL'} {found.name}: {kept} of {said} promises kept"


def _other_lines(others: Mapping[str, Any]) -> Iterator[str]:
    for method, by_horizon in others.items():
        for hours, figures in by_horizon.items():
            named = ", ".join(f"{key.replace('_', ' ')} {_f(value)}" for key, value in figures.items())
            yield f"{hours:>3} {method}: {named}"


def _f(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"{', '.join(SOURCES)}, or a folder with {OFFERS}")
    parser.add_argument("--data", type=Path, default=DATA, help="where the real market data lie (default: %(default)s)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep import files and databases there")
    parser.add_argument("--again", action="store_true", help="take what --keep has kept, without importing anew")
    parser.add_argument("--json", action="store_true", help="everything as JSON")
    parser.add_argument("--ours-only", action="store_true", help="leave out the other methods, which take longest")
    return parser.parse_args()


def judged(asked: argparse.Namespace, root: Path) -> Iterator[Judged]:
    """Set by set; each in a folder of its own below ``root``, its database made anew."""
    for name in asked.sets or SOURCES:
        folder = root / Path(name).resolve().name
        folder.mkdir(parents=True, exist_ok=True)
        file = import_of(name, folder, asked.data)
        if file:
            yield judge(folder.name, file, folder, asked)


def main() -> int:
    asked = arguments()
    with ExitStack() as stack:
        root = asked.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="spotbot-promise-")))
        found = []
        for one in judged(asked, root.resolve()):
            found.append(one)
            if not asked.json:
                print(*table(one), sep="\n", flush=True)
    if asked.json:
        print(json.dumps([asdict(one) for one in found], indent=2))
    return 0 if found and all(one.kept for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
