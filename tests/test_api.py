"""The five verbs as functions: the command line's names and defaults, values instead of text."""

import inspect
import subprocess
import sys

import pytest

from focalcli import api, errors
from focalcli.cli import settings
from focalcli.cli.app import command

VERBS = ("convert", "train", "evaluate", "detect", "export")


@pytest.mark.parametrize("verb", VERBS)
def test_a_parameter_has_the_default_of_the_flag_of_its_name(verb: str) -> None:
    flags = {settings.key_of(parameter): parameter for parameter in command(verb).params}
    for name, parameter in inspect.signature(getattr(api, verb)).parameters.items():
        flag = flags.get(name.rstrip("_"))
        special = name in ("images", "paths", "source", "destination", "say")  # a list here, or no flag
        if flag is not None and not special and parameter.default is not inspect.Parameter.empty:
            assert str(parameter.default) == str(flag.default), f"{verb}: {name}"


@pytest.mark.parametrize("verb", VERBS)
def test_a_function_is_typed_and_documented(verb: str) -> None:
    function = getattr(api, verb)
    assert "Raises:" in function.__doc__
    signature = inspect.signature(function)
    assert signature.return_annotation is not inspect.Signature.empty
    assert all(p.annotation is not inspect.Parameter.empty for p in signature.parameters.values())


def test_importing_it_loads_nothing_heavy() -> None:
    code = "import sys; import focalcli.api; print([m for m in ('torch', 'numpy', 'PIL', 'rich') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_mistakes_are_errors_of_ours() -> None:
    with pytest.raises(errors.ConfigError, match="epoch"):
        api.train("nowhere", epoch=3)
    with pytest.raises(errors.InputNotFound):
        api.evaluate("nowhere")
    with pytest.raises(errors.InputNotFound):
        api.convert("nowhere", "there", to="coco")
