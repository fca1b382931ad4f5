"""`focalcli calibrate`: thresholds into the model file, the weights untouched."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from focalcli.checkpoint import load_checkpoint, read_header, save_model
from focalcli.cli.console import run
from focalcli.config import ClassInfo, FitConfig, ModelConfig
from focalcli.detection.retinanet import build_retinanet
from focalcli.evaluation import calibrate
from tests.inference.mock_runtime import MockRuntime

CONFIG = ModelConfig(
    classes=(ClassInfo("red", 1), ClassInfo("green", 2), ClassInfo("blue", 7)),
    backbone="resnet18",
    pyramid_channels=8,
    head_channels=8,
    head_convs=1,
    fit=FitConfig(min_size=64, max_size=96, divisor=32),
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small model, and four photos: the red squares are annotated, of the green ones only the brighter two."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    save_model(tmp_path / "model.safetensors", build_retinanet(CONFIG).state_dict(), CONFIG, {"epoch": 3})
    annotations = []
    for index, green in enumerate((250, 240, 220, 210)):
        pixels = np.zeros((64, 96, 3), np.uint8)
        pixels[8:32, 8:32, 0] = 255
        pixels[32:56, 56:80, 1] = green
        Image.fromarray(pixels).save(tmp_path / f"{index}.png")
        boxes = [(1, [8, 8, 24, 24])] + ([(2, [56, 32, 24, 24])] if green >= 240 else [])
        annotations += [{"image_id": index, "category_id": kind, "bbox": box} for kind, box in boxes]
    data = {
        "images": [{"id": i, "file_name": f"{i}.png", "width": 96, "height": 64} for i in range(4)],
        "categories": [{"id": info.id, "name": info.name} for info in CONFIG.classes],
        "annotations": [row | {"id": i, "iscrowd": 0} for i, row in enumerate(annotations, 1)],
    }
    (tmp_path / "gt.json").write_text(json.dumps(data))
    return tmp_path


def test_thresholds_go_into_the_file_and_the_weights_stay(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, valid
) -> None:
    monkeypatch.setattr(calibrate, "uncalibrated", lambda path, *, device: MockRuntime(CONFIG))
    before = load_checkpoint(folder / "model.safetensors")[1]
    assert run(["calibrate", "model.safetensors", "gt.json", "--target", "precision=0.9"]) == 0
    out, err = capsys.readouterr()
    printed = json.loads(out)
    valid("calibration", printed)
    config, after = load_checkpoint(folder / "model.safetensors")
    red, green, blue = config.postprocess.class_thresholds
    assert 220 / 255 < green < 240 / 255
    assert red < 1
    assert blue == CONFIG.postprocess.score_threshold
    assert "class blue: no object or no detection, its threshold stays" in err
    assert [row["threshold"] for row in printed["classes"]] == [red, green, None]
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert read_header(folder / "model.safetensors")[1] == {"epoch": 3}
    assert config.postprocess.temperature == 1


def test_another_file_leaves_the_model_as_it_is(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrate, "uncalibrated", lambda path, *, device: MockRuntime(CONFIG))
    before = (folder / "model.safetensors").read_bytes()
    words = ["calibrate", "model.safetensors", "gt.json", "--temperature", "-o", "new.safetensors", "--format", "table"]
    assert run(words) == 0
    assert "held-out" in capsys.readouterr().out
    assert (folder / "model.safetensors").read_bytes() == before
    assert read_header(folder / "new.safetensors")[0].postprocess.temperature != 1


def test_the_model_runs_without_the_thresholds_it_had(folder: Path) -> None:
    runtime = calibrate.uncalibrated(folder / "model.safetensors", device="cpu")
    assert runtime.config.postprocess.class_thresholds is None
    assert runtime.config.postprocess.score_threshold == calibrate.LOWEST_SCORE


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (["model.safetensors", "gt.json", "--target", "ap"], 2, "--target: 'ap' is no target"),
        (["model.onnx", "gt.json"], 2, "model.onnx: an ONNX file is not changed"),
        (["absent.safetensors", "gt.json"], 66, "absent.safetensors: no such model file"),
        (["gt.json", "gt.json"], 65, "gt.json: not a safetensors file"),
    ],
)
def test_mistakes_are_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, line: str
) -> None:
    assert run(["calibrate", *words]) == code
    out, err = capsys.readouterr()
    assert out == "" and err.startswith(f"error: {line}") and len(err.splitlines()) == 1
