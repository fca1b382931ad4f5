"""The verb: one JSON object on stdout, files where asked, one line for bad input."""

import json
from pathlib import Path

import pytest

from focalcli.checkpoint import save_model
from focalcli.cli.console import run
from focalcli.detection.retinanet import RetinaNet


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
    assert (tmp_path / "anchors.png").stat().st_size > 1000


def test_loss_of_a_model(bay: Path, network: RetinaNet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / "m.safetensors"
    save_model(model, network.state_dict(), network.config)
    assert run(["insight", "loss", str(bay), "--model", str(model), "-o", str(tmp_path)]) == 0
    out = capsys.readouterr()
    report = json.loads(out.out)
    assert report["prior"] == 0.01 and report["mean_background_probability"] == pytest.approx(0.01, rel=0.2)
    assert "model:" in out.err
    assert json.loads((tmp_path / "loss.json").read_text()) == report


@pytest.mark.parametrize("topic", ["anchors", "loss", "tune", "audit", "lab"])
def test_no_object_is_one_line(topic: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "cat"}]}
    (tmp_path / "empty.json").write_text(json.dumps(content))
    assert run(["insight", topic, str(tmp_path / "empty.json")]) == 65
    out = capsys.readouterr()
    assert out.out == "" and out.err.strip().endswith("empty.json: holds no object, annotate some first")
