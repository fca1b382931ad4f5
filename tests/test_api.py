"""The five verbs as functions: the command line's names and defaults, values instead of text."""

import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

from focalcli import api, errors
from focalcli.cli import settings
from focalcli.cli.app import command
from tests.cli.detecting import photo
from tests.inference.mock_runtime import MockRuntime

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


def test_detect_and_evaluate_look_and_choose_as_the_flags_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("focalcli.inference.open.open_runtime", lambda path, *, device, say: MockRuntime())
    (tmp_path / "m.safetensors").touch()
    (tmp_path / "a.png").write_bytes(photo(0, 1))
    truth = {
        "images": [{"id": 1, "file_name": "a.png", "width": 80, "height": 64}],
        "categories": [{"id": 1, "name": "red"}, {"id": 2, "name": "green"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [5, 10, 20, 10]}],
    }
    (tmp_path / "gt.json").write_text(json.dumps(truth))
    model = {"model": tmp_path / "m.safetensors"}
    counts = [
        [len(record.found) for record in api.detect([tmp_path / "a.png"], **model, **choice)]
        for choice in ({}, {"classes": ["red"]}, {"threshold": "0.3,red=1"}, {"max_dets": 1}, {"tta": ["flip"]})
    ]
    assert counts == [[2], [1], [2], [1], [2]]
    found = api.evaluate(tmp_path / "gt.json", **model, reasons=True, resamples=3, voc=True)
    assert found["AP50"] == pytest.approx(1) and {"intervals", "errors", "VOC"} <= set(found)
