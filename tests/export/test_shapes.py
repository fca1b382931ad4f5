"""What is imported is looked at before it is relied on: a file of any tensors is one line, never a crash."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from focalcli.errors import DataError
from focalcli.export.foreign import import_file, named
from focalcli.export.shapes import tensor

LAST = "head.classification_head.cls_logits"
TORCHVISION = {f"{LAST}.bias": torch.zeros(27), f"{LAST}.weight": torch.zeros(27, 256, 3, 3)}
DETECTRON2 = {
    "backbone.bottom_up.stem.conv1.weight": torch.zeros(64, 3, 7, 7),
    "head.cls_score.bias": torch.zeros(27),
    "head.cls_score.weight": torch.zeros(27, 256, 3, 3),
    "head.bbox_pred.bias": torch.zeros(36),
    "head.bbox_pred.weight": torch.zeros(36, 256, 3, 3),
}


def test_a_tensor_of_the_shape_is_given() -> None:
    assert tensor({"a": torch.ones(2, 3)}, "a", (2, None), "f").shape == (2, 3)


@pytest.mark.parametrize("shape", [(), (0, 3), (2,), (2, 4), (2, 3, 1)])
def test_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=r"f: a has shape \(.*\), not \(any, 3\)"):
        tensor({"a": torch.zeros(shape)}, "a", (None, 3), "f")


@pytest.mark.parametrize(
    ("whole", "changed", "fact"),
    [
        (TORCHVISION, {f"{LAST}.bias": None, "head.classification_head.conv.0.0.weight": torch.ones(1)}, "lacks"),
        (TORCHVISION, {f"{LAST}.bias": torch.zeros(())}, "has shape"),
        (TORCHVISION, {f"{LAST}.bias": torch.zeros(0)}, "has shape"),
        (TORCHVISION, {f"{LAST}.weight": torch.zeros(5, 2)}, "has shape"),
        (TORCHVISION, {f"{LAST}.bias": torch.zeros(26), f"{LAST}.weight": torch.zeros(26, 256, 3, 3)}, "26 outputs"),
        (TORCHVISION, {}, "lacks backbone"),
        (DETECTRON2, {"head.cls_score.weight": None}, "lacks head.cls_score.weight"),
        (DETECTRON2, {"head.bbox_pred.bias": torch.zeros(4)}, "has shape"),
        (DETECTRON2, {"backbone.bottom_up.stem.conv1.weight": torch.zeros(3)}, "has shape"),
        (DETECTRON2, {"anchor_generator.cell_anchors.0": torch.zeros(7, 3)}, "has anchors"),
        (DETECTRON2, {"pixel_std": torch.zeros(3)}, "pixel_std"),
        (DETECTRON2, {"pixel_mean": torch.full((2,), torch.nan)}, "pixel_mean"),
        (DETECTRON2, {}, "lacks backbone"),
    ],
)
def test_parts_of_a_model_are_one_line(
    whole: dict[str, Tensor], changed: dict[str, Tensor | None], fact: str, tmp_path: Path
) -> None:
    state = {name: value for name, value in {**whole, **changed}.items() if value is not None}
    save_file({name: value.contiguous() for name, value in state.items()}, tmp_path / "m.safetensors")
    with pytest.raises(DataError, match=f"m.safetensors: .*{fact}"):
        import_file(tmp_path / "m.safetensors", tmp_path / "ours.safetensors", named(["a", "b", "c"]))
    assert not (tmp_path / "ours.safetensors").exists()
