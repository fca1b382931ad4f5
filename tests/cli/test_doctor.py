"""The doctor looks at the machine, tries the chain, and says what to do about each finding."""

import json
import os
from collections import namedtuple
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from focalcli.cli import checkup
from focalcli.cli.checkup import Check, machine


def test_every_look_tells_something(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    checks = {check.name: check for check in machine()}
    for name in ("python", "focalcli", "torch", "cpu", "device auto", "onnxruntime providers", "disk"):
        assert checks[name].state == "ok", checks[name]
    assert "pytest" not in checks, "what only developers need is no concern of the doctor's"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("overflow", "state", "fact"), [(True, "info", "overflow"), (False, "ok", "exact")])
def test_sums_of_8_bits_are_tried(monkeypatch: pytest.MonkeyPatch, overflow: bool, state: str, fact: str) -> None:
    monkeypatch.setattr("focalcli.inference.eight_bit_sums.sums_overflow", lambda: overflow)
    [check] = [check for check in checkup._runtimes() if check.name == "8-bit sums"]
    assert check.state == state and check.fact.startswith(fact) and ("--weight-bits 7" in check.remedy) == overflow


def test_a_missing_package_is_a_failure_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    real = checkup.version

    def version(name: str) -> str:
        if name in ("timm", "wandb"):
            raise PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(checkup, "version", version)
    failures = [check for check in checkup._versions() if check.state == "failure"]
    assert failures == [Check("timm", "failure", "not installed", "pip install timm")]


def test_a_package_that_cannot_be_imported_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ImportError("no libfoo.so", name="onnxruntime")

    monkeypatch.setattr(checkup, "LOOKS", (broken,))
    [check] = machine()
    assert (check.name, check.state) == ("onnxruntime", "failure")


def test_little_room_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(checkup.shutil, "disk_usage", lambda path: usage(64 << 20, 0, 64 << 20))
    assert next(checkup._disk()) == Check("disk", "warning", f"0.1 GiB free in {Path.cwd()}", "free some space")
    if Path("/dev/shm").is_dir():
        [check] = checkup._shared_memory()
        assert (check.state, check.fact) == ("warning", "0.06 GiB: loader processes may die")


def test_few_open_files_are_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    monkeypatch.setattr(resource, "getrlimit", lambda which: (256, 256))
    assert list(checkup._open_files()) == [Check("open files", "warning", "at most 256", "ulimit -n 1024")]


def test_json_holds_every_check_and_a_failure_is_exit_code_1(shell, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [Check("a", "ok", "fine"), Check("b", "failure", "broken", "mend it")]
    monkeypatch.setattr("focalcli.cli.doctor.machine", lambda: iter(found))
    done = shell("doctor")
    assert (done.returncode, done.stderr) == (1, "error: doctor: 1 of 2 checks failed (b), mend it\n")
    assert json.loads(done.stdout) == {
        "schema": "focalcli.doctor/1",
        "checks": [
            {"name": "a", "state": "ok", "fact": "fine", "remedy": ""},
            {"name": "b", "state": "failure", "fact": "broken", "remedy": "mend it"},
        ],
    }


def test_a_terminal_gets_a_line_a_check(shell, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [Check("a", "ok", "fine"), Check("b", "warning", "tight", "loosen it")]
    monkeypatch.setattr("focalcli.cli.doctor.machine", lambda: iter(found))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    lines = shell("doctor", "--no-self-test").stdout.splitlines()
    assert [line.split() for line in lines] == [["ok", "a", "fine"], ["!!", "b", "tight", "->", "loosen", "it"]]


@pytest.mark.e2e
def test_the_self_test_runs_the_whole_chain_and_leaves_nothing(tmp_path: Path, monkeypatch) -> None:
    from focalcli.cli.selftest import chain

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    checks = list(chain())
    assert [check.name for check in checks if check.state == "ok"][:3] == ["train", "evaluate", "export"], checks
    assert checks[-1].name == "self-test"
    assert os.listdir(tmp_path) == []
