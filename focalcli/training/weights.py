"""Where weights start: ImageNet in the backbone, COCO, a trained model, or nothing. Classes meet by name."""

from pathlib import Path
from typing import Literal, NamedTuple

from torch import Tensor

from focalcli.checkpoint import load_checkpoint
from focalcli.config import ModelConfig
from focalcli.detection.backbones import PACKAGED_WEIGHTS, load_imagenet
from focalcli.detection.retinanet import RetinaNet
from focalcli.errors import ConfigError, Unavailable

_LAST = "head.classification_head.cls_logits"


class Start(NamedTuple):
    """What became of the tensors: where they came from, and the names kept whole, mapped by class, and left new."""

    origin: str
    kept: tuple[str, ...] = ()
    mapped: tuple[str, ...] = ()
    new: tuple[str, ...] = ()


def load_start(model: RetinaNet, weights: str) -> Start:
    """Fill a new network as `--weights` says and tell what was kept.

    Raises:
        Unavailable: the weights are not installed, or cannot be fetched.
        InputNotFound, DataError: a named file is missing or not a model.
        ConfigError: a named model has another network.
    """
    backbone = model.config.backbone
    if weights == "none" or (weights == "auto" and backbone not in PACKAGED_WEIGHTS):
        if weights == "auto":
            raise Unavailable(
                f"backbone {backbone}",
                "its ImageNet weights are in no installed package",
                "--weights imagenet downloads them, --weights none starts from random ones",
            )
        return Start("random numbers", new=tuple(model.state_dict()))
    if weights in ("auto", "imagenet"):
        origin = load_imagenet(model.backbone.body, backbone, download=weights == "imagenet")
        kept = tuple(name for name in model.state_dict() if name.startswith("backbone.body."))
        new = tuple(name for name in model.state_dict() if not name.startswith("backbone.body."))
        return Start(f"ImageNet ({origin})", kept=kept, new=new)
    if weights == "coco":
        classes, state = _torchvision_coco(model.config)
        return _warm_start(model, state, classes, "COCO (torchvision)")
    config, state = load_checkpoint(Path(weights))
    return _warm_start(model, state, [c.name for c in config.classes], weights)


def _warm_start(model: RetinaNet, state: dict[str, Tensor], classes: list[str], origin: str) -> Start:
    """Copy every tensor that fits; of the last classification layer, the rows of classes with the same name."""
    own = model.state_dict()
    kept: list[str] = []
    mapped: list[str] = []
    new: list[str] = []
    for name, tensor in own.items():
        if name.startswith(_LAST) and name in state:
            names = [c.name for c in model.config.classes]
            copied = map_classes(tensor, state[name], names, classes, model.config.anchors.per_cell)
            (mapped if copied else new).append(name)
        elif name in state and state[name].shape == tensor.shape:
            tensor.copy_(state[name])
            kept.append(name)
        else:
            new.append(name)
    if not kept:
        raise ConfigError(origin, "none of its weights fit this network", "use the preset that it was trained with")
    return Start(origin, tuple(kept), tuple(mapped), tuple(new))


def map_classes(own: Tensor, other: Tensor, names: list[str], other_names: list[str], per_cell: int) -> int:
    """Copy the rows of shared class names from `other` (A * C', ...) into `own` (A * C, ...) and count the classes.

    Output a * C + c of the layer belongs to anchor a and class c.
    """
    if other.shape[0] != per_cell * len(other_names) or other.shape[1:] != own.shape[1:]:
        return 0
    place = {name: index for index, name in enumerate(other_names)}
    shared = [(index, place[name]) for index, name in enumerate(names) if name in place]
    for anchor in range(per_cell):
        for index, source in shared:
            own[anchor * len(names) + index] = other[anchor * len(other_names) + source]
    return len(shared)


def _torchvision_coco(config: ModelConfig) -> tuple[list[str], dict[str, Tensor]]:
    """Fetch torchvision's COCO weights through its own interface; give its 91 output names and the state dict."""
    from torchvision.models.detection import RetinaNet_ResNet50_FPN_V2_Weights, RetinaNet_ResNet50_FPN_Weights

    kinds = {"r50": RetinaNet_ResNet50_FPN_Weights.COCO_V1, "r50v2": RetinaNet_ResNet50_FPN_V2_Weights.COCO_V1}
    if config.preset not in kinds:
        raise ConfigError("--weights coco", f"there are none for the preset {config.preset!r}", "use r50 or r50v2")
    chosen = kinds[config.preset]
    try:
        state = chosen.get_state_dict(progress=False, check_hash=True)
    except OSError as error:
        remedy = "check the network, or use --weights imagenet, none or a file"
        raise Unavailable("--weights coco", f"cannot be fetched ({error})", remedy) from error
    return list(chosen.meta["categories"]), dict(state)


def freeze(model: RetinaNet, part: Literal["none", "stem", "backbone"]) -> None:
    """Stop training a part of the backbone: all of its body, or the `stem`, all before the stage that ends in C3.

    The stem works on the largest maps and its ImageNet filters serve any photo; torchvision freezes the same.
    """
    if part == "none":
        return
    body = model.backbone.body
    first_trained = model.backbone.stages[0] if part == "stem" else ""
    for name, parameter in body.named_parameters():
        if first_trained and name.startswith(first_trained + "."):
            return
        parameter.requires_grad_(False)
