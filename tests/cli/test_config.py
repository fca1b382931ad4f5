"""`config show` tells what is set and by whom; what `config init` writes changes nothing until edited."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from focalcli.cli.app import VERBS, command
from focalcli.cli.config import template, toml_value


def test_nothing_set_shows_nothing(shell) -> None:
    assert shell("config", "show") == (0, "", "")
    assert json.loads(shell("config", "show", "--json").stdout) == []


def test_show_tells_the_winner_and_its_origin(shell) -> None:
    Path("focalcli.toml").write_text("seed = 3\n[fit]\nepochs = 7\nalpha = 'none'")
    Path("pyproject.toml").write_text("[tool.focalcli.fit]\nepochs = 6\naverage = false")
    assert shell("config", "show", "--origin", FOCALCLI_FIT_SIZES="64,96").stdout.splitlines() == [
        "seed = 3                                  # focalcli.toml: seed",
        "",
        "[fit]",
        'alpha = "none"                            # focalcli.toml: [fit] alpha',
        "average = false                           # pyproject.toml: [fit] average",
        "epochs = 7                                # focalcli.toml: [fit] epochs",
        "sizes = [64, 96]                          # FOCALCLI_FIT_SIZES",
    ]


def test_show_of_a_verb_lists_every_option(shell) -> None:
    done = shell("config", "show", "fit", "--json", FOCALCLI_FIT_EPOCHS="7")
    rows = {row["key"]: (row["value"], row["origin"]) for row in json.loads(done.stdout)}
    assert rows["epochs"] == (7, "FOCALCLI_FIT_EPOCHS")
    assert rows["sizes"] == ([320, 544], "default")
    assert rows["rate"] == (None, "default")


def test_every_value_of_every_verb_can_be_shown(shell) -> None:
    """Also paths, which JSON and TOML have no word for."""
    for verb in VERBS:
        assert json.loads(shell("config", "show", verb, "--json").stdout) or not command(verb).params
        tomllib.loads(shell("config", "show", verb, "--origin").stdout)


def test_what_show_prints_is_a_configuration_file(shell) -> None:
    Path("focalcli.toml").write_text('seed = 3\n[fit]\nepochs = 7\nkeep = ["a \\"b\\"", "ü"]')
    shown = shell("config", "show", "--origin").stdout
    assert tomllib.loads(shown) == {"seed": 3, "fit": {"epochs": 7, "keep": ['a "b"', "ü"]}}


def test_show_checks_every_verb(shell) -> None:
    Path("focalcli.toml").write_text("[fit]\nepochs = 'many'")
    done = shell("config", "show")
    assert (done.returncode, done.stderr) == (
        78,
        "error: focalcli.toml: [fit] epochs: must be a whole number, not 'many'\n",
    )


def test_init_writes_comments_once(shell) -> None:
    assert shell("config", "init").stdout == "focalcli.toml\n"
    assert tomllib.loads(Path("focalcli.toml").read_text())["fit"] == {}
    assert shell("fit").returncode == 0
    done = shell("config", "init")
    assert (done.returncode, done.stderr) == (
        73,
        "error: focalcli.toml: exists, name another file with -o or add --overwrite\n",
    )
    assert shell("config", "init", "--overwrite").returncode == 0


def test_every_default_in_the_template_is_the_default(shell) -> None:
    """Taking every `#` away changes nothing."""
    before = shell("fit").stdout
    lines = [re.sub(r"^# (\w+ = .)", r"\1", line) for line in template().splitlines()]
    Path("focalcli.toml").write_text("\n".join(lines))
    assert "epochs = 20" in lines
    assert shell("fit").stdout == before


def test_an_unknown_verb_is_an_error_of_usage(shell) -> None:
    assert shell("config", "show", "fti") == (2, "", "error: focalcli config: no such verb fti, did you mean fit?\n")


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, '"none"'), (True, "true"), (0.5, "0.5"), ((1, 2), "[1, 2]"), (Path("a"), '"a"'), ([], "[]")],
)
def test_values_are_written_as_toml(value: object, text: str) -> None:
    assert toml_value(value) == text
