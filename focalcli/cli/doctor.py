"""`focalcli doctor`: what this machine can do, and whether the whole chain works on it."""

import json
import sys
from typing import Annotated

import typer

from focalcli.cli.checkup import Check, machine
from focalcli.cli.console import escape, say
from focalcli.errors import GateFailed

_MARKS = {"ok": "ok", "info": "--", "warning": "!!", "failure": "XX"}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, also to a terminal.")] = False,
    self_test: Annotated[
        bool, typer.Option("--self-test/--no-self-test", help="Make, train, measure, export and compare a tiny model.")
    ] = True,
) -> None:
    """Say what this machine can do and try the whole chain on it.

    Versions, devices and the number format they train in, ONNX Runtime's providers, disk, shared memory and limits;
    then a tiny data set is drawn, trained on, measured, exported, and both models are compared. With a CUDA device,
    its results are compared with the CPU's. Exits with 1 if something failed; nothing is left behind.

    Example:
        focalcli doctor --json | jq '.checks[] | select(.state != "ok")'
    """
    checks: list[Check] = []
    plain = not as_json and sys.stdout.isatty()
    for check in machine():
        checks.append(check)
        _show(check, plain=plain)
    if self_test and not any(check.state == "failure" for check in checks):
        from focalcli.cli.selftest import chain

        say("self-test: demo, train, evaluate, export, compare")
        for check in chain():
            checks.append(check)
            _show(check, plain=plain)
    if not plain:
        print(json.dumps({"schema": "focalcli.doctor/1", "checks": [check._asdict() for check in checks]}, indent=2))
    failed = [check for check in checks if check.state == "failure"]
    if failed:
        remedy = failed[0].remedy or "see the list"
        raise GateFailed("doctor", f"{len(failed)} of {len(checks)} checks failed ({failed[0].name})", remedy)


def _show(check: Check, *, plain: bool) -> None:
    if plain:
        remedy = f"  -> {check.remedy}" if check.remedy else ""
        print(escape(f"{_MARKS[check.state]}  {check.name:<34}{check.fact}{remedy}"), flush=True)
