"""A struct's fields become flags: types, limits, help and defaults all come from the struct."""

import pytest

from focalcli.cli.options import describe, expand, take_apart


def test_a_verb_without_structs_stays_itself() -> None:
    def verb(name: str) -> None: ...

    assert expand(verb) is verb


def test_defaults_come_from_the_struct(shell) -> None:
    assert shell("fit").stdout == (
        "Recipe(epochs=20, rate=None, sizes=(320, 544), augment='light', average=True, alpha=0.25) . 0 None\n"
    )


def test_each_kind_of_field_can_be_set(shell) -> None:
    words = "--epochs 3 --rate 1e-3 --sizes 64,96 --augment none --no-average --alpha None"
    done = shell("fit", *words.split())
    assert done.stdout == (
        "Recipe(epochs=3, rate=0.001, sizes=(64, 96), augment='none', average=False, alpha=None) . 0 None\n"
    )


@pytest.mark.parametrize(
    ("flag", "value", "fact"),
    [
        ("--rate", "0", "'0' is not a number > 0, or none"),
        ("--rate", "nan", "'nan' is not a number > 0, or none"),
        ("--alpha", "1.5", "'1.5' is not a number >= 0 and <= 1, or none"),
        ("--sizes", "64,8", "'64,8' is not a list with commas, each a whole number >= 16"),
        ("--sizes", "", "'' is not a list with commas, each a whole number >= 16"),
        ("--epochs", "none", "'none' is not a whole number >= 1"),
        ("--augment", "hard", "'hard' is not one of 'none', 'light'"),
    ],
)
def test_limits_of_the_struct_hold_for_flags(shell, flag: str, value: str, fact: str) -> None:
    done = shell("fit", flag, value)
    assert (done.returncode, done.stderr) == (2, f"error: focalcli fit: {flag}: {fact}, see focalcli fit --help\n")


def test_describe_says_what_a_value_must_be() -> None:
    assert describe(take_apart(int)) == "a whole number"
    assert describe(take_apart(tuple[float, ...] | None)) == "a list with commas, each a number, or none"
