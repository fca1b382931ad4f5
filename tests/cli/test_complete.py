"""What Tab offers, word by word."""

import json
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from focalcli.cli.candidates import class_names, classes


def offered(shell, *words: str) -> list[str]:
    """Complete the last word; give the candidates without their help."""
    done = shell("__complete", str(len(words)), *words)
    assert (done.returncode, done.stderr) == (0, "")
    return [line.partition("\t")[0] for line in done.stdout.splitlines() if line]


@pytest.mark.parametrize(
    ("words", "candidates"),
    [
        (["fi"], ["fit"]),
        (["xyz"], []),
        (["--v"], ["--version", "--verbose"]),
        (["--color", ""], ["auto", "always", "never"]),
        (["--color", "al"], ["always"]),
        (["--color=a"], ["--color=auto", "--color=always"]),
        (["--color", "=", "a"], ["auto", "always"]),
        (["--color", "="], ["auto", "always", "never"]),
        (["--config", ""], [":files"]),
        (["--color", "never", "fi"], ["fit"]),
        (["fit", "--ep"], ["--epochs"]),
        (["fit", "--epochs", ""], []),
        (["fit", "--no-a"], ["--no-average"]),
        (["fit", "--augment", ""], ["none", "light"]),
        (["fit", "--augment=n"], ["--augment=none"]),
        (["fit", "--epochs", "3", "--ep"], []),
        (["fit", "--keep", "a", "--ke"], ["--keep"]),
        (["fit", "--", "--ep"], []),
        (["fit", "--debu"], ["--debug"]),
        (["nonsense", ""], []),
        (["config", "s"], ["show"]),
        (["config", "show", "fi"], ["fit"]),
        (["config", "--origin", "show", "fi"], ["fit"]),
        (["schema", "err"], ["error"]),
        (["convert", "a", "b", "--to", "vo"], ["voc"]),
        (["train", "--preset", "r5"], ["r50", "r50v2"]),
        (["train", "--weights", "n"], ["none", ":files"]),
        (["train", "--images", ""], [":dirs"]),
        (["detect", ""], [":files"]),
        (["completions", ""], ["bash", "zsh", "fish", "powershell"]),
        (["config", "init", "-o", ""], [":files"]),
    ],
)
def test_tab_offers_what_fits(shell, words: list[str], candidates: list[str]) -> None:
    assert offered(shell, *words) == candidates


def test_an_empty_line_offers_every_verb_with_its_sentence(shell) -> None:
    done = shell("__complete", "1")
    assert "fit\tFit." in done.stdout.splitlines()
    assert [line.partition("\t")[0] for line in done.stdout.splitlines()] == shell("--list-verbs").stdout.split()


@pytest.mark.parametrize("words", [[], ["x"], ["1", "fit"], ["-3"], ["9", "fit"]])
def test_a_strange_question_is_no_error(shell, words: list[str]) -> None:
    done = shell("__complete", *words)
    assert (done.returncode, done.stderr) == (0, "")


def test_models_and_runs_are_offered(shell) -> None:
    for name in ("a", "b"):
        model(Path("runs") / name / "best.safetensors")
    Path("m.onnx").touch()
    found = ["runs/a/best.safetensors", "runs/b/best.safetensors", "m.onnx", ":files"]
    assert offered(shell, "evaluate", "--model", "") == found
    assert offered(shell, "compare", "runs/a/best.safetensors", "") == found
    assert offered(shell, "train", "--resume", "-o", "") == ["runs/a", "runs/b", ":dirs"]
    assert offered(shell, "verify", "") == ["m.onnx", ":files"]
    assert offered(shell, "evaluate", "--model=runs/b") == ["--model=runs/b/best.safetensors", ":files"]


@pytest.mark.parametrize("words", [["1"], ["2", "tr"], ["3", "train", "--ba"], ["5", "convert", "a", "b", "--to"]])
def test_tab_loads_nothing_heavy(words: list[str]) -> None:
    code = (
        "import sys; from focalcli.cli.console import run; run(['__complete', *sys.argv[1:]]);"
        "print([m for m in ('torch', 'numpy', 'rich', 'PIL', 'pydantic') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def model(path: Path, *names: str) -> Path:
    """Write the header of a model file."""
    config = json.dumps({"classes": [{"name": name, "id": 0} for name in names]})
    header = json.dumps({"__metadata__": {"focalcli.config": config}}).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    return path


def test_class_names_come_from_the_models_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert list(classes([])) == []
    model(Path("runs/a/best.safetensors"), "cat", "traffic light")
    assert list(classes([""])) == [("cat", ""), ("traffic light", "")]
    other = model(Path("other.safetensors"), "dog")
    assert list(classes(["--model", str(other), ""])) == [("dog", "")]
    Path("focalcli.toml").write_text(f"model = '{other}'")
    assert list(classes([""])) == [("dog", "")]


@pytest.mark.parametrize("content", [b"", b"text", struct.pack("<Q", 9) + b"{}", struct.pack("<Q", 2**63) + b"[]"])
def test_a_file_that_is_no_model_has_no_class_names(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    assert class_names(tmp_path / "x") == []
    assert class_names(tmp_path / "absent") == []
