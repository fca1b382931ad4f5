"""torchvision's `retinanet_resnet50_fpn` and `_v2`: our parameter names are theirs; only settings are to be found."""

from torch import Tensor

from focalcli.config import ClassInfo, ModelConfig, model_config
from focalcli.errors import DataError
from focalcli.export.coco_names import COCO_NAMES, coco_classes
from focalcli.export.shapes import tensor

State = dict[str, Tensor]

_LAST = "head.classification_head.cls_logits"
_PER_CELL = 9


def convert(
    state: State, classes: tuple[ClassInfo, ...] | None, place: str, norm_eps: float | None
) -> tuple[ModelConfig, State, str]:
    """Give configuration and weights. 91 outputs without names are COCO's ids: the 11 that no class has are left out.

    Raises:
        DataError: the last layer is not there, or of other anchors or classes.
    """
    version = "v2" if "head.classification_head.conv.0.1.weight" in state else "v1"
    rows = len(tensor(state, f"{_LAST}.bias", (None,), place))
    tensor(state, f"{_LAST}.weight", (rows, None, None, None), place)
    outputs, rest = divmod(rows, _PER_CELL)
    if rest:
        raise DataError(
            place, f"has {rows} outputs a cell, which nine anchors do not share", "other anchors cannot be imported"
        )
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
        sides = state[name].shape[1:]
        state[name] = state[name].view(_PER_CELL, outputs, *sides)[:, kept].reshape(-1, *sides).contiguous()
    preset = "r50" if version == "v1" else "r50v2"
    config = model_config(preset, classes, backbone_norm_eps=norm_eps)
    return config, state, f"torchvision RetinaNet {version}"
