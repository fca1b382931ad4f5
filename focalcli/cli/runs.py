"""`focalcli runs`: the trainings in a folder, side by side."""

import json
import math
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from focalcli.cli.console import colored, say
from focalcli.errors import InputNotFound

_COLUMNS = ("run", "status", "preset", "epochs", "best_epoch", "AP", "AP50", "AP75", "data")


def runs(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder that holds the runs.")] = Path("runs"),
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, also to a terminal.")] = False,
) -> None:
    """List trainings with their best numbers, best first.

    The numbers are those of the validation split, from the run's metrics.jsonl; a run that was not evaluated has
    none. A table on a terminal, JSON otherwise.

    Example:
        focalcli runs --json | jq -r '.[0].model'
    """
    if not folder.is_dir():
        raise InputNotFound(folder, "no such folder", "focalcli train writes its runs into runs/")
    found = [_summary(path) for path in sorted(folder.iterdir()) if (path / "run.json").is_file()]
    found.sort(key=lambda run: (-(run["AP"] if run["AP"] is not None else -1.0), run["run"]))
    if as_json or not sys.stdout.isatty():
        print(json.dumps(found, indent=2))
    elif found:
        from focalcli.cli.tables import table_of, tables_text

        rows = [[_shown(run[name], name) for name in _COLUMNS] for run in found]
        print(tables_text([table_of(_COLUMNS, rows)], colors=colored(sys.stdout)))
    if not found:
        say(f"{folder} holds no runs; focalcli train writes one")


def _shown(value: Any, column: str) -> Any:
    """Give what the table shows: a number that is not there is NaN, which it writes as a dash."""
    if value is None:
        return math.nan if column.startswith("AP") else "-"
    return value


def _summary(path: Path) -> dict[str, Any]:
    """Gather what the table and the JSON tell about one run; what cannot be read is None."""
    facts, settings = _read_json(path / "run.json"), _read_settings(path / "config.toml")
    best = _best_evaluation(path / "metrics.jsonl")
    model = path / "best.safetensors"
    return {
        "run": path.name,
        "status": facts.get("status", "damaged"),
        "preset": settings.get("preset"),
        "epochs": settings.get("epochs"),
        "best_epoch": best.get("epoch"),
        "AP": best.get("AP"),
        "AP50": best.get("AP50"),
        "AP75": best.get("AP75"),
        "data": facts.get("data"),
        "model": str(model) if model.is_file() else None,
    }


def _best_evaluation(path: Path) -> dict[str, Any]:
    """Give the evaluation with the highest AP, the first of equals; a line that was cut off is passed over."""
    best: dict[str, Any] = {}
    for line in _read_text(path).splitlines():
        record = _parse(line)
        if record.get("kind") == "evaluation" and record.get("AP") is not None and record["AP"] > best.get("AP", -1):
            best = record
    return best


def _read_settings(path: Path) -> dict[str, Any]:
    import tomllib

    try:
        table = tomllib.loads(_read_text(path)).get("train", {})
    except tomllib.TOMLDecodeError:
        return {}
    return table if isinstance(table, dict) else {}


def _read_json(path: Path) -> dict[str, Any]:
    return _parse(_read_text(path))


def _parse(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
