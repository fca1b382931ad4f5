"""The manual holds every verb and option and is clean roff."""

import shutil
import subprocess

import pytest

from focalcli.cli.man import _line


def test_the_manual_names_every_verb_and_exit_code(shell) -> None:
    text = shell("man").stdout
    for verb in shell("--list-verbs").stdout.split():
        assert f".SS focalcli {verb}" in text
    for word in ("\\-\\-epochs INT", ".SH EXIT STATUS", "\\fB143\\fR", "FOCALCLI_KEY"):
        assert word in text


def test_text_cannot_become_a_request() -> None:
    assert _line(".so /etc/passwd") == r"\&.so /etc/passwd"
    assert _line("a-b\\c") == r"a\-b\ec"


@pytest.mark.e2e
def test_man_shows_it_without_a_warning(shell) -> None:
    if shutil.which("man") is None:
        pytest.skip("man is not installed; .ci/packages installs it")
    done = subprocess.run(
        ["man", "--warnings", "-E", "UTF-8", "-l", "-"],
        input=shell("man").stdout,
        capture_output=True,
        text=True,
        timeout=60,
        env={"MANWIDTH": "200", "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "focalcli fit [DATA] [OPTIONS]" in done.stdout
