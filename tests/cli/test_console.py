"""Exit codes, talk and errors, seen from outside: real processes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from focalcli import errors
from focalcli.cli.console import colored, escape, run

SEE = ", see focalcli fit --help"
KINDS = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, errors.FocalError)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.code)
def test_each_kind_of_error_is_one_line_and_its_exit_code(process, kind) -> None:
    done = process("fail", kind.code)
    assert (done.returncode, done.stdout) == (kind.exit_code, "")
    assert done.stderr == "error: cat.txt: is a dog, bark\n"


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (["fail", "bug"], 70, "error: internal error: ValueError: two lines, run it again with --debug and report it"),
        (["fail", "memory"], 69, "error: memory: out of memory, use a smaller --batch or a smaller --min-size"),
        (["fail", "enoent"], 66, "error: absent.txt: no such file or directory"),
        (["fail", "full"], 74, "error: big.bin: no space left on device, free some space"),
        (["fail", "missing-package"], 69, "error: av: is not installed, pip install av"),
        (["fail", "sigint"], 130, "error: focalcli: interrupted"),
        (["fail", "sigterm"], 143, "error: focalcli: terminated"),
        (["fail", "exit"], 3, ""),
        (["fai", "bug"], 2, "error: focalcli: no such verb fai, did you mean fail?"),
        (["--versio"], 2, "error: focalcli: no such option --versio, did you mean --version?"),
        (["fit", "--epoch", "3"], 2, "error: focalcli fit: no such option --epoch, did you mean --epochs?"),
        (["fit", "--epochs"], 2, "error: focalcli fit: option '--epochs' requires an argument" + SEE),
        (["fit", "--epochs", "0"], 2, "error: focalcli fit: --epochs: '0' is not a whole number >= 1" + SEE),
        (["fit", "--seed", "x"], 2, "error: focalcli fit: --seed: 'x' is not a valid int" + SEE),
        (["fit", "a", "b"], 2, "error: focalcli fit: got unexpected extra argument(s) (b)" + SEE),
        (["fail"], 2, "error: focalcli fail: KIND is missing, see focalcli fail --help"),
        (["fit", "--color", "blue"], 2, "error: --color: no such choice 'blue', known: always, auto, never"),
        (["fit", "--config"], 2, "error: --config: needs a value"),
    ],
)  # fmt: skip
def test_failures_have_an_exit_code_and_one_line(process, words: list[str], code: int, line: str) -> None:
    done = process(*words)
    assert (done.returncode, done.stderr.strip(), done.stdout) == (code, line, "")


def test_a_closed_pipe_ends_quietly_with_141(process) -> None:
    head = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    done = process("fail", "pour", stdout=head.stdin)
    head.stdin.close()
    head.wait()
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("words", [["fail", "pour"], ["fail", "talk"], ["--help"]], ids=" ".join)
def test_a_full_standard_output_is_74(process, words: list[str]) -> None:
    """Whether the write fails midway or only when the last bytes are flushed."""
    with open("/dev/full", "w") as full:
        done = process(*words, stdout=full)
    assert done.returncode == 74
    assert done.stderr.splitlines()[-1] == "error: standard output: no space left on device, free some space"


def test_debug_shows_the_traceback_and_keeps_the_exit_code(shell) -> None:
    done = shell("fail", "--debug", "data")
    assert done.returncode == 65
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1] == "error: cat.txt: is a dog, bark"


@pytest.mark.parametrize("words", [["--error-format", "json", "fail", "data"], ["fail", "data", "--error-format=json"]])
def test_errors_as_json_are_the_last_line(shell, words: list[str]) -> None:
    done = shell(*words)
    assert json.loads(done.stderr.splitlines()[-1]) == {
        "error": {
            "code": "data",
            "exit": 65,
            "message": "cat.txt: is a dog, bark",
            "place": "cat.txt",
            "remedy": "bark",
        }
    }


def test_errors_of_usage_come_as_json_too(shell) -> None:
    for words in (["fit", "--nope", "--error-format", "json"], ["--color", "x", "--error-format", "json"]):
        assert json.loads(shell(*words).stderr)["error"]["exit"] == 2


def test_the_environment_sets_common_options(shell) -> None:
    assert json.loads(shell("fail", "data", FOCALCLI_ERROR_FORMAT="json").stderr)["error"]["code"] == "data"
    done = shell("fail", "data", FOCALCLI_ERROR_FORMAT="xml")
    assert (done.returncode, done.stderr) == (
        78,
        "error: FOCALCLI_ERROR_FORMAT: no such choice 'xml', known: json, text\n",
    )


def test_talk_goes_to_stderr_and_can_be_quiet_or_verbose(shell) -> None:
    assert (shell("fail", "talk").stdout, shell("fail", "talk").stderr) == ("result\n", "file \\x1b[31m\\udcff\n")
    assert shell("fail", "talk", "-q").stderr == ""
    assert shell("fail", "talk", "-v").stderr == "file \\x1b[31m\\udcff\nmore\n"
    assert shell("fail", "talk", "-q").stdout == "result\n"
    assert shell("-q", "fail", "data").stderr == "error: cat.txt: is a dog, bark\n", "errors are never quiet"


def test_after_two_dashes_everything_is_a_name(shell) -> None:
    assert shell("fit", "--", "--debug").stdout.count("--debug") == 1


def test_escape_keeps_text_and_shows_the_rest() -> None:
    assert escape("") == ""
    assert escape("Käse 🧀\n") == "Käse 🧀\n"
    assert escape("\x07\x9b\u202e") == "\\x07\\x9b\\u202e"


@pytest.mark.parametrize(
    ("words", "environment", "terminal", "colour"),
    [
        ([], {}, True, True),
        ([], {}, False, False),
        ([], {"NO_COLOR": "1"}, True, False),
        ([], {"NO_COLOR": ""}, True, True),
        ([], {"TERM": "dumb"}, True, False),
        (["--color", "always"], {"NO_COLOR": "1"}, False, True),
        (["--color=never"], {}, True, False),
        ([], {"FOCALCLI_COLOR": "never"}, True, False),
    ],
)
def test_colours_follow_the_flag_then_the_environment_then_the_terminal(
    shell, monkeypatch: pytest.MonkeyPatch, words: list[str], environment: dict, terminal: bool, colour: bool
) -> None:
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    assert shell(*words, "--version", **environment).returncode == 0
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    stream = type("Stream", (), {"isatty": lambda self: terminal})()
    assert colored(stream) is colour


def test_run_is_a_function_that_gives_the_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("focalcli ")
    assert run(["nonsense"]) == 2


def test_a_working_folder_that_was_removed_is_66(shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MKL ends the process there when torch is loaded; help needs no folder."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert shell("train", "--help").returncode == 0
    done = shell("fail", "talk")
    assert done == (66, "", "error: working folder: was removed, go to another with cd\n")
