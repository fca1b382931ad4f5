"""Help is complete, plain and quick: sections, defaults, limits, an example at the end; nothing heavy loaded."""

import subprocess
import sys

import pytest

FIT = """\
Usage: focalcli fit [DATA] [OPTIONS]

Fit a recipe.

More about it, told over two lines.

Arguments:
  DATA                        The data set. [default: .]

Options:
  --seed INT                  Where chance starts. [default: 0]
  --keep TEXT                 Classes to keep. [may be repeated]
  --rate NUMBER               [above 0]
  --sizes INT,...             [default: 320,544]
  --augment none|light        [default: light]
  --average/--no-average      [default: on]
  --alpha NUMBER              [0 to 1] [default: 0.25]

Schedule:
  --epochs INT                How long. [1 or more] [default: 20]

Any verb:
"""

HEAVY = ("torch", "numpy", "rich", "PIL", "matplotlib", "albumentations", "onnxruntime", "pydantic", "logging")


@pytest.mark.parametrize("words", [("fit", "--help"), ("fit", "-h"), ("fit", "--no-such", "-h"), ("-q", "fit", "-h")])
def test_help_of_a_verb(shell, words: tuple[str, ...]) -> None:
    done = shell(*words)
    assert done.returncode == 0
    assert done.stdout.startswith(FIT)
    assert done.stdout.endswith("Example:\n  focalcli fit data --epochs 3\n")
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_help_of_the_program_names_every_verb_in_its_section(shell) -> None:
    done = shell("--help")
    assert done.stdout == shell("-h").stdout
    assert "\nFrom photos to detector:\n  convert      Convert annotations" in done.stdout
    for verb in shell("--list-verbs").stdout.split():
        assert f"\n  {verb} " in done.stdout


@pytest.mark.parametrize("words", [["--help"], ["--version"], [], ["fit", "--help"], ["fit", "--epochs", "3"]])
def test_nothing_heavy_is_loaded(words: list[str]) -> None:
    code = (
        "import sys, pathlib; sys.path.insert(0, 'tests/cli'); import probe; from focalcli.cli import app, console;"
        "app.VERBS['fit'] = app.Verb('probe:fit', 'Probe', 'Fit.'); console.run(sys.argv[1:]);"
        f"print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_the_help_of_every_verb_loads_nothing_heavy() -> None:
    code = (
        "import sys; from focalcli.cli import app; from focalcli.cli.console import run\n"
        "for verb in app.VERBS:\n"
        "    run([verb, '--help'])\n"
        f"    print(verb, [name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not [line for line in done.stderr.splitlines() if not line.endswith(" []")]
