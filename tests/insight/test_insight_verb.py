"""The verb: one JSON object on stdout, files where asked, one line for bad input."""

import json
import tomllib
from pathlib import Path

import msgspec
import pytest

from focalcli.checkpoint import save_model
from focalcli.cli.console import run
from focalcli.dataset.read import read_dataset
from focalcli.detection.retinanet import RetinaNet
from focalcli.train_config import TrainConfig
from focalcli.training.prepare import resolve_model


def test_curve(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["insight", "curve", "-o", str(tmp_path / "out")]) == 0
    factors = json.loads(capsys.readouterr().out)["cross_entropy_over_focal"]
    assert factors["p_t = 0.9"] == 100 and 900 < factors["p_t = 0.968"] < 1000
    assert (tmp_path / "out/curve.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "out/curve.csv").read_text().startswith("probability,gamma,loss\n0.001,0,6.907")


def test_anchors_with_fitted_settings(bay: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["insight", "anchors", str(bay), "--fit", "-o", str(tmp_path)]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["all"]["objects"] == sum(row["objects"] for row in report["classes"].values()) > 0
    assert (tmp_path / "focalcli.toml").read_text() == report["settings"]
    told = msgspec.convert(tomllib.loads(report["settings"])["train"], TrainConfig)
    anchors = resolve_model(told, read_dataset(bay)).anchors
    assert anchors.sizes[0] == told.anchor_size and anchors.ratios == told.anchor_ratios


def test_loss_of_a_model(bay: Path, network: RetinaNet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / "m.safetensors"
    save_model(model, network.state_dict(), network.config)
    assert run(["insight", "loss", str(bay), "--model", str(model), "-o", str(tmp_path)]) == 0
    out = capsys.readouterr()
    report = json.loads(out.out)
    assert report["prior"] == 0.01 and report["mean_background_probability"] == pytest.approx(0.01, rel=0.2)
    assert "model:" in out.err
    assert json.loads((tmp_path / "loss.json").read_text()) == report


def test_lab_and_tune_at_tiny_size(
    bay: Path, network: RetinaNet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "m.safetensors"
    save_model(model, network.state_dict(), network.config)
    common = (str(bay), "--model", str(model), "--steps", "1", "-o", str(tmp_path))
    assert run(["insight", "lab", *common]) == 0
    lab = json.loads(capsys.readouterr().out)
    assert {name: len(rows) for name, rows in lab["tables"].items()} == {"1a": 9, "1b": 7, "1c": 7, "1d": 6}
    assert (tmp_path / "lab.md").read_text().count("**Table") == 4 and (tmp_path / "lab.png").is_file()
    assert run(["insight", "tune", *common, "--gammas", "0,2", "--alphas", "0.5"]) == 0
    tuned = json.loads(capsys.readouterr().out)
    train, val = (len(read_dataset(bay, split=split).images) for split in ("train", "val"))
    assert tuned["budget"] | {"photos": train, "steps": 1, "measured_on": val} == tuned["budget"]
    assert tuned["recommended"]["AP"] == tuned["trials"][0]["AP"] and len(tuned["trials"]) == 2
    assert tuned["command"].startswith(f"focalcli train {bay} --loss focal --gamma")
    assert json.loads((tmp_path / "tune.json").read_text()) == tuned and (tmp_path / "tune.png").is_file()


@pytest.mark.parametrize(
    ("words", "fact"),
    [
        (["loss", "--fit"], "--fit: does nothing for loss, it is for anchors"),
        (["anchors", "--folds", "2"], "--folds: does nothing for anchors, it is for audit"),
        (["lab", "--preset", "r18"], "--preset: does nothing for lab, it is for anchors and audit"),
    ],
)
def test_an_option_of_another_topic_is_refused(
    words: list[str], fact: str, bay: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["insight", words[0], str(bay), *words[1:]]) == 2
    assert capsys.readouterr().err.strip().endswith(fact)


@pytest.mark.parametrize("topic", ["anchors", "loss", "tune", "audit", "lab"])
def test_no_object_is_one_line(topic: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "cat"}]}
    (tmp_path / "empty.json").write_text(json.dumps(content))
    assert run(["insight", topic, str(tmp_path / "empty.json")]) == 65
    out = capsys.readouterr()
    assert out.out == "" and out.err.strip().endswith("empty.json: holds no object, annotate some first")
