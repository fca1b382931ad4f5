"""Everything that can be set, each default once: what a model is and what a training is.

The structs are frozen and refuse unknown fields. Descriptions and limits stand in the types, so that the flags, the
configuration file, its JSON Schema and the help texts all come from here. This module knows neither files nor flags.
"""

from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from focalcli.errors import ConfigError

MODEL_SCHEMA = "focalcli.model/1"

Positive = Annotated[float, Meta(gt=0)]
Fraction = Annotated[float, Meta(ge=0, le=1)]


class ClassInfo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One class of a model: its name and the id its data set uses for it (COCO's `category_id`, YOLO's index)."""

    name: str
    id: int


class FitConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a photo becomes network input: shorter side to `min_size`, longer at most `max_size`, padded to `divisor`."""

    min_size: Annotated[int, Meta(ge=16, le=16384)] = 320
    max_size: Annotated[int, Meta(ge=16, le=16384)] = 544
    divisor: Annotated[int, Meta(ge=1, le=16384)] = 32


class TileConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Tiles in which a model looks at big photos: side in pixels of the photo, part that neighbours share."""

    side: Annotated[int, Meta(ge=32)]
    overlap: Annotated[float, Meta(ge=0, le=0.9)] = 0.2


class AnchorConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Anchors of the pyramid: one base size a level (P3 first), times scales, times ratios (height over width).

    `centered`: centres at half a stride, sides as computed. `torchvision`: centres from 0, sides rounded, stride from
    the whole image, as its published weights were trained.
    """

    sizes: tuple[Positive, Positive, Positive, Positive, Positive] = (32.0, 64.0, 128.0, 256.0, 512.0)
    scales: Annotated[tuple[Positive, ...], Meta(min_length=1, max_length=16)] = (1.0, 2 ** (1 / 3), 2 ** (2 / 3))
    ratios: Annotated[tuple[Positive, ...], Meta(min_length=1, max_length=16)] = (0.5, 1.0, 2.0)
    convention: Literal["centered", "torchvision"] = "centered"

    @property
    def per_cell(self) -> int:
        """Give A, the number of anchors at one cell of a level."""
        return len(self.scales) * len(self.ratios)


class LossConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which loss, with its constants. Defaults: Lin et al. 2017, arXiv 1708.02002, section 4.1."""

    kind: Literal["focal", "focal-star", "balanced-ce", "ce", "ohem", "quality-focal", "varifocal"] = "focal"
    alpha: Fraction | None = 0.25
    gamma: Annotated[float, Meta(ge=0)] = 2.0
    beta: float = 1.0
    label_smoothing: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    ohem_examples: Annotated[int, Meta(ge=1)] = 128
    ohem_nms: Fraction | None = 0.5
    ohem_balanced: bool = False
    box: Literal["l1", "smooth-l1", "giou", "diou", "ciou"] = "smooth-l1"
    box_beta: Positive = 1 / 9
    box_weight: Annotated[float, Meta(ge=0)] = 1.0
    prior: Annotated[float, Meta(gt=0, lt=1)] = 0.01
    object_iou: Fraction = 0.5
    background_iou: Fraction = 0.4


class PostprocessConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From logits to detections: candidates a level, score threshold, class-wise NMS, how many to keep."""

    score_threshold: Fraction = 0.05
    class_thresholds: tuple[float, ...] | None = None
    candidates: Annotated[int, Meta(ge=1, le=1_000_000)] = 1000
    nms_iou: Fraction = 0.5
    max_detections: Annotated[int, Meta(ge=1, le=100_000)] = 100
    temperature: Positive = 1.0


class ModelConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All that is needed to rebuild network and preprocessing; stored with the weights and in the ONNX metadata."""

    classes: tuple[ClassInfo, ...]
    schema: Literal["focalcli.model/1"] = "focalcli.model/1"
    preset: str = ""
    backbone: str = "tf_efficientnet_lite0"
    backbone_norm_eps: Annotated[float, Meta(ge=0)] | None = None
    backbone_stride_in_1x1: bool = False
    pyramid_channels: Annotated[int, Meta(ge=8, le=4096)] = 64
    pyramid_top: Literal["c5", "p5"] = "c5"
    head_channels: Annotated[int, Meta(ge=8, le=4096)] = 64
    head_convs: Annotated[int, Meta(ge=1, le=32)] = 4
    head_norm: Literal["none", "group"] = "none"
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[Positive, Positive, Positive] = (0.5, 0.5, 0.5)
    anchors: AnchorConfig = AnchorConfig()
    fit: FitConfig = FitConfig()
    tile: TileConfig | None = None
    loss: LossConfig = LossConfig()
    postprocess: PostprocessConfig = PostprocessConfig()
    data_fingerprint: str = ""
    licence: str = ""

    def __post_init__(self) -> None:
        """Check what one field alone cannot tell."""
        thresholds = self.postprocess.class_thresholds
        if not self.classes:
            raise ValueError("it has no classes")
        if thresholds is not None and len(thresholds) != self.num_classes:
            raise ValueError(f"it has {len(thresholds)} class thresholds for {self.num_classes} classes")

    @property
    def num_classes(self) -> int:
        """Give C, the number of classes; there is no background class."""
        return len(self.classes)


IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_RESNET: dict[str, Any] = {
    "mean": IMAGENET_MEAN,
    "std": IMAGENET_STD,
    "pyramid_channels": 256,
    "head_channels": 256,
    "fit": FitConfig(min_size=800, max_size=1333),
}
_TORCHVISION_ANCHORS = AnchorConfig(
    scales=(1.0, 2 ** (1 / 3), 2 ** (2 / 3)),
    convention="torchvision",
)

PRESETS: dict[str, dict[str, Any]] = {
    "lite0": {
        "backbone": "tf_efficientnet_lite0",
        "anchors": AnchorConfig(sizes=(24.0, 48.0, 96.0, 192.0, 384.0)),
        "fit": FitConfig(min_size=400, max_size=672),
        "loss": LossConfig(box="giou"),
    },
    "r18": {**_RESNET, "backbone": "resnet18"},
    "r50": {
        **_RESNET,
        "backbone": "resnet50",
        "pyramid_top": "p5",
        "anchors": _TORCHVISION_ANCHORS,
        "loss": LossConfig(box="l1"),
        "postprocess": PostprocessConfig(max_detections=300),
    },
    "r50v2": {
        **_RESNET,
        "backbone": "resnet50",
        "head_norm": "group",
        "anchors": _TORCHVISION_ANCHORS,
        "loss": LossConfig(box="giou"),
        "postprocess": PostprocessConfig(max_detections=300),
    },
    "r101": {**_RESNET, "backbone": "resnet101"},
    "tiny": {  # to try a chain of commands with, as `doctor` does; it learns little
        "backbone": "test_resnet",
        "mean": IMAGENET_MEAN,
        "std": IMAGENET_STD,
        "pyramid_channels": 32,
        "head_channels": 32,
        "head_convs": 1,
        "fit": FitConfig(min_size=96, max_size=128),
    },
}


def model_config(preset: str, classes: tuple[ClassInfo, ...], **changes: Any) -> ModelConfig:
    """Give the configuration of a preset, or of any timm backbone by its name, with single fields changed.

    Raises:
        ConfigError: a value is outside its limits.
    """
    fields = PRESETS.get(preset, {**_RESNET, "backbone": preset})
    fields = {"preset": preset, "classes": classes, **fields, **changes}
    return checked(ModelConfig, {name: msgspec.to_builtins(value) for name, value in fields.items()}, "model")


T = TypeVar("T")


def checked(kind: type[T], fields: dict[str, Any], place: str) -> T:
    """Build a struct from plain values, naming `place` and the field in the error.

    Raises:
        ConfigError: a field is unknown, of the wrong type or outside its limits.
    """
    try:
        return msgspec.convert(fields, kind, strict=True)
    except msgspec.ValidationError as error:
        raise ConfigError(place, str(error)) from error


def encode_config(config: ModelConfig) -> str:
    """Write a model configuration as JSON, the same bytes for the same configuration. Inverse of `decode_config`."""
    return msgspec.json.encode(config, order="deterministic").decode()


def decode_config(text: str | bytes, place: str) -> ModelConfig:
    """Read what `encode_config` wrote.

    Raises:
        ConfigError: not JSON, an unknown schema version or field, or a value outside its limits.
    """
    try:
        return msgspec.json.decode(text, type=ModelConfig)
    except msgspec.DecodeError as error:
        raise ConfigError(place, f"the stored model configuration cannot be read ({error})") from error
