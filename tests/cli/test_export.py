"""`focalcli export`, `verify` and `import` from the shell: one model, traced once, through all of them."""

import json
from pathlib import Path

import pytest
import torch
from msgspec.structs import replace

from focalcli.checkpoint import save_model
from focalcli.cli.console import run
from focalcli.config import ClassInfo, model_config
from focalcli.detection.retinanet import build_retinanet
from focalcli.export.certificate import read_certificate
from focalcli.export.emit import triton

CLASSES = (ClassInfo("red cell", 3), ClassInfo("platelet", 4))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a checkpoint, its export, and what `--emit` adds."""
    folder = tmp_path_factory.mktemp("export")
    torch.manual_seed(0)
    small = {"pyramid_channels": 16, "head_channels": 16, "head_convs": 1}
    config = model_config("test_resnet", CLASSES, **small, fit={"min_size": 64, "max_size": 96, "divisor": 32})
    model = build_retinanet(config)
    torch.nn.init.normal_(model.head["classification_head"].cls_logits.weight, std=1.0)
    save_model(folder / "small.safetensors", model.state_dict(), config)
    assert run(["export", "--onnx", "--model", str(folder / "small.safetensors"), "--emit", "triton,labels"]) == 0
    return folder


def test_the_file_stands_beside_the_checkpoint_with_its_certificate(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.pbtxt",
        "labels.txt",
        "small.onnx",
        "small.onnx.json",
        "small.safetensors",
    ]
    assert (folder / "labels.txt").read_text() == "red cell\nplatelet\n"


def test_tritons_configuration_names_every_tensor(folder: Path) -> None:
    text = (folder / "config.pbtxt").read_text()
    assert 'name: "small"' in text and 'platform: "onnxruntime_onnx"' in text and "max_batch_size: 8" in text
    assert '{ name: "images" data_type: TYPE_UINT8 dims: [ 3, -1, -1 ] }' in text
    assert '{ name: "num_dets" data_type: TYPE_INT32 dims: [ 1 ] reshape: { shape: [ ] } }' in text
    assert '{ name: "boxes" data_type: TYPE_FP32 dims: [ 100, 4 ] }' in text
    assert '{ name: "labels" data_type: TYPE_INT64 dims: [ 100 ] }' in text


def test_tritons_configuration_follows_the_output(folder: Path) -> None:
    """Rows of 7 have no batch axis; TensorRT's node needs a plan, which is built from the file."""
    certificate = read_certificate(folder / "small.onnx.json")
    flat = triton("x", replace(certificate, options=replace(certificate.options, output="flat7")))
    assert "max_batch_size: 0" in flat and "dims: [ 1, 3, -1, -1 ]" in flat and "dynamic_batching" not in flat
    plan = triton("x", replace(certificate, options=replace(certificate.options, output="trt")))
    assert plan.startswith("# x/config.pbtxt; x/1/model.plan is to be built from the ONNX file with trtexec\n")
    assert 'platform: "tensorrt_plan"' in plan and '"det_classes" data_type: TYPE_INT32 dims: [ 100 ]' in plan


def test_verify_says_what_it_looked_at(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch, valid) -> None:
    assert run(["verify", str(folder / "small.onnx")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [check["holds"] for check in found["checks"]] == [True] * 13
    valid("verification", found)
    valid("certificate", json.loads((folder / "small.onnx.json").read_text()))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert run(["verify", str(folder / "small.onnx")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 13 and all(line.startswith("ok ") for line in lines)


def test_verify_needs_no_torch(folder: Path) -> None:
    import subprocess
    import sys

    code = "import sys; sys.modules['torch'] = None; from focalcli.cli.console import run; sys.exit(run(sys.argv[1:]))"
    words = [sys.executable, "-c", code, "verify", str(folder / "small.onnx")]
    assert subprocess.run(words, capture_output=True, check=False).returncode == 0


def test_verify_fails_with_1_and_names_what_failed(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "other.onnx"
    target.write_bytes((folder / "small.onnx").read_bytes() + b"\x32\x01x")
    (tmp_path / "other.onnx.json").write_bytes((folder / "small.onnx.json").read_bytes())
    assert run(["verify", str(target)]) == 1
    done = capsys.readouterr()
    checks = json.loads(done.out)["checks"]
    assert [check["name"] for check in checks if not check["holds"]] == ["hash"]
    assert done.err == f"error: {target}: does not hold: hash, export it again\n"


@pytest.mark.parametrize(("words", "code", "error"), [
    (["export"], 2, "error: focalcli export: no format is named, add --onnx"),
    (["export", "--onnx", "--fp16", "--int8"], 2, "error: --fp16: does not go with --int8, choose one"),
    (["export", "--onnx", "--int8"], 2, "error: --int8: needs photos to find its ranges with, add --calibrate DATA"),
    (["export", "--onnx", "--weight-bits", "7"], 2, "error: --weight-bits: is for 8 bits only, add --int8"),
    (["export", "--onnx", "--calibrate", "x"], 2, "error: --calibrate: is for 8 bits only, add --int8"),
    (["export", "--onnx", "--split", "test"], 2, "error: --split: is of --data, which is not given, add --data DATA"),
    (["export", "--onnx", "--calibrate-split", "val"], 2, "error: --calibrate-split: is of --calibrate, which is not"),
    (["export", "--onnx", "--emit", "tritn"], 2, "error: --emit: there is no 'tritn', did you mean triton?"),
    (["export", "--onnx", "--model", "none.safetensors"], 66, "error: none.safetensors: no such model file"),
    (["verify", "none.onnx"], 66, "error: none.onnx.json: no certificate"),
    (["import", "none.pth"], 66, "error: none.pth: no such file, check the path"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else None)  # fmt: skip
def test_mistakes_are_one_line(
    words: list[str], code: int, error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert run(words) == code
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith(error) and sum(line.startswith("error") for line in lines) == 1


@pytest.mark.parametrize(("words", "error"), [
    (["--size", "100"], "error: --size: '100' has a side that is no multiple of 32, the pyramid needs that"),
    (["--size", "wide"], "error: --size: 'wide' is not HEIGHTxWIDTH, for example --size 320x544"),
    (["--resize-inside", "--size", "64"], "error: --resize-inside: takes photos of any size"),
    (["--resize-inside", "--output", "raw"], "error: --resize-inside: does not go with --output raw"),
    (["--output", "raw", "--data", "."], "error: --data: needs AP, which cannot be measured with --output raw"),
    (["-o", "model.pt"], "error: -o: 'model.pt' does not end in .onnx, readers go by the name"),
], ids=" ".join)  # fmt: skip
def test_what_does_not_go_together_is_said_before_the_work(
    folder: Path, words: list[str], error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(folder.iterdir())
    assert run(["export", "--onnx", "--model", str(folder / "small.safetensors"), *words]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith(error)
    assert sorted(folder.iterdir()) == before


def test_an_opset_that_is_not_supported_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["export", "--onnx", "--opset", "17"]) == 2
    assert "18" in capsys.readouterr().err


def test_bad_models_and_places_are_named(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.safetensors").write_text("hello")
    assert run(["export", "--onnx", "--model", str(tmp_path / "text.safetensors")]) == 65
    assert run(["export", "--onnx", "--model", str(folder / "small.onnx"), "-o", str(tmp_path / "x.onnx")]) == 65
    target = tmp_path / "text.safetensors" / "x.onnx"
    assert run(["export", "--onnx", "--model", str(folder / "small.safetensors"), "-o", str(target)]) == 73
    assert [path.name for path in tmp_path.iterdir()] == ["text.safetensors"]
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert "is an ONNX file already" in errors[1] and "cannot write here" in errors[2]


@pytest.mark.parametrize("option", ["--calibrate", "--data"])
def test_photos_that_are_not_there_are_named(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    words = [*(["--int8"] if option == "--calibrate" else []), option, str(tmp_path / "none")]
    target = tmp_path / "x.onnx"
    assert run(["export", "--onnx", "--model", str(folder / "small.safetensors"), *words, "-o", str(target)]) == 66
    assert f"error: {tmp_path / 'none'}: " in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_calibration_photos_without_objects_are_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = {"images": [], "annotations": [], "categories": [{"id": 3, "name": "red cell"}]}
    (tmp_path / "empty.json").write_text(json.dumps(data))
    words = ["--int8", "--calibrate", str(tmp_path / "empty.json"), "-o", str(tmp_path / "x.onnx")]
    assert run(["export", "--onnx", "--model", str(folder / "small.safetensors"), *words]) == 65
    assert "holds no image" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["empty.json"]
