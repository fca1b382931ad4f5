"""Trainings side by side, best first; damaged ones are listed, not fatal."""

import json
from pathlib import Path

import pytest


def make_run(name: str, status: str = "finished", *evaluations: dict, preset: str = "lite0") -> None:
    folder = Path("runs") / name
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"status": status, "data": "/d"}))
    (folder / "config.toml").write_text(f'data = "/d"\n\n[train]\npreset = "{preset}"\nepochs = 9\n')
    records = [{"kind": "step", "step": 1, "AP": 1.0}, *({"kind": "evaluation", **each} for each in evaluations)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(each) + "\n" for each in records) + '{"kind": "eval')


def test_no_folder_is_66_and_says_what_writes_one(shell) -> None:
    done = shell("runs")
    assert (done.returncode, done.stderr) == (
        66,
        "error: runs: no such folder, focalcli train writes its runs into runs/\n",
    )


def test_an_empty_folder_is_an_empty_list(shell) -> None:
    Path("runs").mkdir()
    assert shell("runs") == (0, "[]\n", "runs holds no runs; focalcli train writes one\n")


def test_runs_are_listed_best_first_with_their_best_evaluation(shell, valid) -> None:
    make_run("a", "finished", {"epoch": 5, "AP": 0.4, "AP50": 0.7}, {"epoch": 9, "AP": 0.3})
    make_run("b", "stopped", {"epoch": 5, "AP": 0.6, "AP50": 0.9, "AP75": 0.5})
    make_run("c")
    (Path("runs") / "b" / "best.safetensors").touch()
    (Path("runs") / "notes").mkdir()
    found = json.loads(shell("runs").stdout)
    valid("runs", found)
    assert [(run["run"], run["status"], run["AP"], run["best_epoch"]) for run in found] == [
        ("b", "stopped", 0.6, 5),
        ("a", "finished", 0.4, 5),
        ("c", "finished", None, None),
    ]
    assert (found[0]["model"], found[1]["model"]) == (str(Path("runs/b/best.safetensors")), None)
    assert (found[0]["preset"], found[0]["epochs"]) == ("lite0", 9)


def test_damaged_runs_are_listed_as_such(shell) -> None:
    make_run("a")
    (Path("runs") / "a" / "run.json").write_text("{")
    (Path("runs") / "a" / "config.toml").write_text("=")
    (Path("runs") / "a" / "metrics.jsonl").unlink()
    [run] = json.loads(shell("runs").stdout)
    assert (run["status"], run["preset"], run["AP"]) == ("damaged", None, None)


def test_a_terminal_gets_a_table(shell, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run("a\x1b", "finished", {"epoch": 5, "AP": 0.4, "AP50": 0.7, "AP75": 0.25})
    make_run("b")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    lines = shell("runs", "--color", "never").stdout.splitlines()
    assert lines[0].split() == ["run", "status", "preset", "epochs", "best_epoch", "AP", "AP50", "AP75", "data"]
    assert lines[1].split() == ["a\\x1b", "finished", "lite0", "9", "5", ".400", ".700", ".250", "/d"]
    assert lines[2].split() == ["b", "finished", "lite0", "9", "-", "-", "-", "-", "/d"]
