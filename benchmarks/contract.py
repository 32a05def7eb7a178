"""The HTTP API against its own OpenAPI document: Schemathesis makes up requests to a demo, and judges the answers.

    python -m benchmarks.contract [--examples 25] [--seed 7]

`make acceptance` installs Schemathesis from `benchmarks/schemathesis.txt` into `.venv/schemathesis`: a program of its
own, which shares no package with ours. Where it is missing this fails and says so. Traffic stays on loopback.

Three runs: *anything* that the document allows and does not; *fitting* requests, whose texts are things that there are,
so that all of them must be accepted; and the one operation that would reach out to addresses, with a key that may not.
"""

from __future__ import annotations

import argparse
import copy
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.processes import ROOT, SPOTBOT, free_port, get, run, running, told

PROGRAM = ROOT / ".venv" / "schemathesis" / "bin" / "schemathesis"
OWNER = ("--scope", "read", "--scope", "alerts", "--scope", "webhooks", "--owner", "slack:T0123ABC:C0456DEF")
A_MINUTE = ("--per-minute", "600000")
REACHES_OUT = "webhook_add"
"""It would send a challenge to addresses that are made up here."""

RUN_SECONDS = 600

CONFIG = """
[checks]
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 409, 413, 414, 415, 429]
"""
"""Too long is a refusal too: Schemathesis knows only the others."""

REAL: dict[str, list[str]] = {
    "gpu": ["RTX 4090"],
    "gpu_name": ["RTX 4090", "rtx4090"],
    "gpus": ["RTX 4090", "RTX 4090,RTX 3090"],
    "home": ["Sao Paulo, BR"],
    "tz": ["UTC", "America/Sao_Paulo"],
    "quiet": ["22-7"],
    "mention": [],
    "id": ["last"],
    "message": [],
    "Idempotency-Key": [],
}
"""Things that there are, for the texts of which the document names no example; none: the parameter is left out, as is
the name of a request, which may not come again with another content."""

BESIDE_EACH_OTHER = {
    "cost": ("tokens", "rows"),
    "alert_add": ("hold",),
    "alert_edit": ("hold",),
    "alert_preview": ("hold",),
}
"""Left out of operations: what another value may forbid. One says how much to train on only once, and an alert must not
expire within the time that it has to hold."""


def program() -> str | None:
    return str(PROGRAM) if PROGRAM.exists() else shutil.which("schemathesis")


@contextmanager
def demo(folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """A demo without a prompt; gives its address and the environment of its database."""
    port, log = free_port(), folder / "demo.log"
    command = [*SPOTBOT, "demo", "--days", "20", "--seed", "7", "--port", str(port)]
    configured = f"sqlite:///{folder / 'none.db'}"  # so that the demo names its own, which else is found without
    with running(command, port, {"COLUMNS": "300", "PYTHONUNBUFFERED": "1", "DATABASE_URL": configured}, log):
        (url,) = told(log, r"DATABASE_URL='(.*?)'.*\nAll \d+ days are in")
        yield f"http://127.0.0.1:{port}", {"DATABASE_URL": url}


def narrowed(document: dict[str, Any]) -> dict[str, Any]:
    """The document where texts are real and measures plain numbers.

    A schema cannot say which texts name a time zone or a condition, nor how large a number before a unit may be.
    """
    made = copy.deepcopy(document)
    for ways in made["paths"].values():
        for operation in ways.values():
            out = BESIDE_EACH_OTHER.get(operation["operationId"], ())
            operation["parameters"] = [
                {**told, "schema": form}
                for told in operation.get("parameters", ())
                if told["name"] not in out and (form := _real(told["name"], told["schema"])) is not None
            ]
            for body in operation.get("requestBody", {}).get("content", {}).values():
                members = body["schema"]["properties"]
                forms = {name: _real(name, schema) for name, schema in members.items() if name not in out}
                body["schema"]["properties"] = {name: form for name, form in forms.items() if form is not None}
    return made


def _real(name: str, schema: dict[str, Any]) -> dict[str, Any] | None:
    forms = [form for form in schema["anyOf"] if "pattern" not in form] if "anyOf" in schema else [schema]
    if any(form.get("type") == "string" and "enum" not in form for form in forms):
        texts = REAL.get(name) or schema.get("examples")
        return {"enum": texts} if texts else None
    return {"anyOf": forms}


def judge(config: Path, location: str, key: str, *options: str) -> int:
    """The exit code of one run, which is 0 without findings."""
    command = [
        str(program()),
        "--config-file",
        str(config),
        "run",
        location,
        "-H",
        f"Authorization: Bearer {key}",
        *options,
    ]
    done = subprocess.run(command, cwd=config.parent, check=False, timeout=RUN_SECONDS)
    return done.returncode


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=25)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    if program() is None:
        sys.exit("FAIL Schemathesis is missing, so nothing was tested: `make acceptance` installs it")
    with tempfile.TemporaryDirectory(prefix="spotbot-contract-") as place:
        sys.exit(_runs(Path(place), args))


def _runs(folder: Path, args: argparse.Namespace) -> int:
    config, fitting = folder / "schemathesis.toml", folder / "fitting.json"
    config.write_text(CONFIG)
    usual = ("--seed", str(args.seed), "-n", str(args.examples), "--phases", "examples,coverage,fuzzing")
    usual = (*usual, "--continue-on-failure", "--suppress-health-check", "all", "--warnings", "off", "-c", "all")
    with demo(folder) as (api, env):
        document = get(f"{api}/openapi.json")[1]
        fitting.write_text(json.dumps(narrowed(document)))
        reads = run(["keys", "create", "reads", *A_MINUTE], env).split()[0]
        acts = run(["keys", "create", "acts", *A_MINUTE, *OWNER], env).split()[0]
        whole, other = f"{api}/openapi.json", ("--exclude-operation-id", REACHES_OUT)
        free = ("--exclude-checks", "positive_data_acceptance")
        runs = {
            "anything": (whole, acts, *free, *other),
            "fitting": (str(fitting), acts, "--url", api, "--mode", "positive", *other),
            "reaching out": (whole, reads, *free, "--include-operation-id", REACHES_OUT),
        }
        codes = {}
        for name, (location, key, *options) in runs.items():
            print(f"-- {name}", flush=True)
            codes[name] = judge(config, location, key, *usual, *options)
    for name, code in codes.items():
        print(f"{'FAIL' if code else 'ok  '} {name}: {'findings' if code else 'no findings'}", flush=True)
    return int(any(codes.values()))


if __name__ == "__main__":
    main()
