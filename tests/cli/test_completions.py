"""The scripts in `completions/` are what the program prints, and they work in the real shells."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from focalcli.cli.completions import SCRIPTS

COMMITTED = Path(__file__).parent.parent.parent / "completions"


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_committed_script_is_what_the_program_prints(shell, name: str) -> None:
    file, _ = SCRIPTS[name]
    assert shell("completions", name).stdout == (COMMITTED / file).read_text(), "run: python -m tests.update_readme"


def test_zsh_finds_its_mark_in_the_first_line() -> None:
    assert (COMMITTED / "_focalcli").read_text().startswith("#compdef focalcli\n")


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """Give the environment of a user with an empty home and `focalcli` in the PATH."""
    program = tmp_path / "bin" / "focalcli"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m focalcli "$@"\n')
    program.chmod(0o755)
    (tmp_path / "photos").mkdir()
    return {
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "TERM": "dumb",
        "LC_ALL": "C.UTF-8",
    }


def need(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed (.ci/packages installs what Debian has)")
    return found


def in_bash(home: dict[str, str], *words: str) -> list[str]:
    """Complete the last word as bash would, and give COMPREPLY."""
    script = (
        f'source {COMMITTED}/focalcli.bash; COMP_WORDS=(focalcli "$@"); COMP_CWORD=$#; _focalcli;'
        ' for word in "${COMPREPLY[@]}"; do echo "$word"; done'
    )
    command = [need("bash"), "--norc", "-c", script, "bash", *words]
    return subprocess.run(
        command, env=home, cwd=home["HOME"], capture_output=True, text=True, check=True, timeout=60
    ).stdout.splitlines()


@pytest.mark.e2e
def test_bash_completes_verbs_options_and_values(home: dict[str, str]) -> None:
    assert in_bash(home, "dem") == ["demo"]
    assert in_bash(home, "demo", "--se") == ["--seed"]
    assert in_bash(home, "--color", "=", "al") == ["always"]
    assert in_bash(home, "config", "") == ["show", "init"]


@pytest.mark.e2e
def test_bash_completes_at_the_prompt(home: dict[str, str]) -> None:
    """A real terminal: the line is finished by Tab, an option's value too, and file names where they belong."""
    bash = pexpect.spawn(need("bash"), ["--norc", "-i"], env=home | {"PS1": "> "}, cwd=home["HOME"], timeout=30)
    bash.sendline(f"source {COMMITTED}/focalcli.bash")
    bash.send("focalcli confi\tini\t")
    bash.expect("focalcli config init ")
    bash.send("\x15")
    bash.send("focalcli --color=alw\t")
    bash.expect("--color=always")
    bash.send("\x15focalcli config init -o pho\t")
    bash.expect("-o photos/")
    bash.sendline("\x15exit")
    bash.close()


@pytest.mark.e2e
def test_zsh_completes_at_the_first_tab(home: dict[str, str]) -> None:
    """Autoloaded from fpath by compinit, nothing sourced: the first Tab of the session already works."""
    zsh = pexpect.spawn(need("zsh"), ["-f", "-i"], env=home | {"PS1": "> "}, cwd=home["HOME"], timeout=30)
    zsh.sendline(f"fpath=({COMMITTED} $fpath); autoload -Uz compinit; compinit -u -D; unsetopt beep; echo ready $?")
    zsh.expect("ready 0")
    zsh.send("focalcli dem\t")
    zsh.expect("focalcli demo ")
    zsh.send("--see\t")
    zsh.expect("--seed ")
    zsh.send("\x15focalcli --color=alw\t")
    zsh.expect("color=always")
    zsh.send("\x15focalcli config init -o pho\t")
    zsh.expect("photos/")
    zsh.sendline("\x15exit")
    zsh.close()


@pytest.mark.e2e
def test_fish_completes_verbs_options_values_and_files(home: dict[str, str]) -> None:
    def complete(line: str) -> list[str]:
        script = f"source {COMMITTED}/focalcli.fish; complete -C '{line}'"
        command = [need("fish"), "--no-config", "-c", script]
        done = subprocess.run(command, env=home, cwd=home["HOME"], capture_output=True, text=True, timeout=60)
        assert done.stderr == ""
        return [found.partition("\t")[0] for found in done.stdout.splitlines()]

    assert complete("focalcli dem") == ["demo"]
    assert complete("focalcli demo --se") == ["--seed"]
    assert complete("focalcli --color=al") == ["--color=always"]
    assert sorted(complete("focalcli config ")) == ["init", "show"]
    assert complete("focalcli config init -o pho") == ["photos/"]


@pytest.mark.e2e
def test_powershell_completes(home: dict[str, str]) -> None:
    script = (
        f". {COMMITTED}/focalcli.ps1; "
        "(TabExpansion2 -inputScript 'focalcli dem' -cursorColumn 12).CompletionMatches.CompletionText"
    )
    command = [need("pwsh"), "-NoProfile", "-Command", script]
    done = subprocess.run(command, env=home, capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["demo"]
