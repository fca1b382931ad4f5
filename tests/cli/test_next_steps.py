"""`focalcli` called bare says what lies in the folder and what to type next."""

from pathlib import Path

import pytest

from focalcli.cli.next_steps import next_steps


def test_an_empty_folder_leads_to_the_demo(shell) -> None:
    done = shell()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Found neither a data set nor a model in this folder.\n\nNext:\n  focalcli demo ")


@pytest.mark.parametrize(
    ("files", "found", "command"),
    [
        (["data.yaml"], "a YOLO data set", "focalcli train"),
        (["Annotations/a.xml"], "a Pascal VOC data set", "focalcli train"),
        (["annotations/train.json"], "a COCO data set", "focalcli train"),
        (["train/_annotations.coco.json"], "a COCO data set", "focalcli train"),
        (["focalcli.toml", "data.yaml"], "focalcli.toml", "focalcli train"),
        (["images/a.JPG"], "photos, but no annotations and no model", "focalcli detect images/ --model MODEL"),
        (["a.png"], "photos, but no annotations and no model", "focalcli detect . --model MODEL"),
        (["runs/a/best.safetensors", "data.yaml"], "1 finished training run in runs/", "focalcli export --onnx"),
        (["runs/a/best.safetensors", "runs/b/best.safetensors"], "2 finished training runs", "focalcli runs"),
    ],
)
def test_what_lies_there_decides_what_comes_next(tmp_path: Path, files: list[str], found: str, command: str) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    text = next_steps(tmp_path)
    assert text.startswith(f"Found {found}")
    assert f"\n  {command}" in text
