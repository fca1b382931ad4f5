"""torchvision's `retinanet_resnet50_fpn` and `_v2`: our parameter names are theirs; only settings are to be found."""

from torch import Tensor

from focalcli.config import ClassInfo, ModelConfig, model_config
from focalcli.errors import DataError
from focalcli.export.coco_names import COCO_NAMES, coco_classes

State = dict[str, Tensor]

_LAST = "head.classification_head.cls_logits"
_PER_CELL = 9


def convert(
    state: State, classes: tuple[ClassInfo, ...] | None, place: str, norm_eps: float | None
) -> tuple[ModelConfig, State, str]:
    """Give configuration and weights. 91 outputs without names are COCO's ids: the 11 that no class has are left out.

    Raises:
        DataError: the number of classes does not fit.
    """
    version = "v2" if "head.classification_head.conv.0.1.weight" in state else "v1"
    outputs = len(state[f"{_LAST}.bias"]) // _PER_CELL
    kept = list(range(outputs))
    if classes is None and outputs == 91:
        classes, kept = coco_classes(), list(COCO_NAMES)
    elif classes is not None and outputs == len(classes) + 1:
        kept = kept[1:]  # torchvision's habit of a background at 0, which RetinaNet never predicts
    if classes is None or len(kept) != len(classes):
        fact = f"gives {outputs} classes, but {len(classes) if classes else 'no'} names are known"
        raise DataError(place, fact, "name them, a line each, with --classes FILE")
    state = dict(state)
    for name in (f"{_LAST}.weight", f"{_LAST}.bias"):
        tensor = state[name]
        rows = tensor.view(_PER_CELL, outputs, *tensor.shape[1:])[:, kept]
        state[name] = rows.reshape(-1, *tensor.shape[1:]).contiguous()
    preset = "r50" if version == "v1" else "r50v2"
    config = model_config(preset, classes, backbone_norm_eps=norm_eps)
    return config, state, f"torchvision RetinaNet {version}"
