"""Everything `focalcli train` can be told: flags, keys of `[train]` in focalcli.toml, and each default, once."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta


def _about(group: str, description: str, *, metavar: str = "", **limits: Any) -> Meta:
    """Describe a field for the help: its section, its sentence, its limits; FILE, DIR or PATH where it names one."""
    return Meta(description=description, extra={"group": group} | ({"metavar": metavar} if metavar else {}), **limits)


class TrainConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One training, told completely; the resolved one is written into the run's folder."""

    # -- data
    images: Annotated[
        str | None, _about("Data", "Folder of the photos, where the annotations do not say.", metavar="DIR")
    ] = None
    train_split: Annotated[
        str | None, _about("Data", "Split to train on; `train` where there is one, else all.", metavar="NAME")
    ] = None
    val_split: Annotated[
        str | None,
        _about("Data", "Split to evaluate on while training, or `off`; `val` where there is one.", metavar="NAME"),
    ] = None
    val_data: Annotated[
        str | None, _about("Data", "Another data set to evaluate on while training.", metavar="PATH")
    ] = None

    # -- model
    preset: Annotated[
        str, _about("Model", "lite0, r18, r50, r50v2, r101, tiny (to try things), or a timm backbone by its name.")
    ] = "lite0"
    weights: Annotated[
        str,
        _about(
            "Model",
            "Where weights start: auto (ImageNet, if installed), imagenet and coco (may download), none, or a file.",
        ),
    ] = "auto"
    min_size: Annotated[
        Annotated[int, Meta(ge=16)] | None,
        _about("Model", "Shorter side of a photo in the network, pixels. [default: the preset's]"),
    ] = None
    max_size: Annotated[
        Annotated[int, Meta(ge=16)] | None,
        _about("Model", "Longest side of a photo in the network, pixels. [default: the preset's]"),
    ] = None
    tile: Annotated[
        Annotated[int, Meta(ge=32)] | None,
        _about("Model", "Cut photos into tiles of this many pixels, in training and when the model is used."),
    ] = None
    overlap: Annotated[
        Annotated[float, Meta(ge=0, le=0.9)] | None,
        _about("Model", "Part of a tile that its neighbours see too. [default: 0.2]"),
    ] = None
    anchor_size: Annotated[
        Annotated[float, Meta(gt=0)] | None,
        _about("Model", "Side of the smallest anchor, pixels in the network; each level doubles it."),
    ] = None
    anchor_ratios: Annotated[
        Annotated[tuple[Annotated[float, Meta(gt=0)], ...], Meta(min_length=1)] | None,
        _about("Model", "Height over width of the anchors; `focalcli insight anchors --fit` finds good ones."),
    ] = None
    freeze: Annotated[
        Literal["none", "stem", "backbone"], _about("Model", "Part of the backbone that keeps its weights.")
    ] = "stem"

    # -- frozen backbone
    cache_features: Annotated[
        str | None,
        _about("Frozen backbone", "Keep what a frozen backbone says of the photos here, computed once.", metavar="DIR"),
    ] = None
    cache_limit: Annotated[float, _about("Frozen backbone", "Size of that folder at most, GiB.", gt=0)] = 20.0
    views: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        _about(
            "Frozen backbone",
            "Ways to change a photo, drawn once and taken in turns; 0 draws anew each epoch. 4 with cached features.",
        ),
    ] = None

    # -- schedule
    epochs: Annotated[int, _about("Schedule", "Passes over the training photos.", ge=1)] = 20
    batch: Annotated[
        Annotated[int, Meta(ge=1)] | Literal["auto"],
        _about("Schedule", "Photos at once on one device; auto: as many of a step as are fastest here, measured."),
    ] = 4
    accumulate: Annotated[int, _about("Schedule", "Batches whose gradients are summed into one step.", ge=1)] = 1
    optimizer: Annotated[Literal["adamw", "sgd"], _about("Schedule", "Optimiser.")] = "adamw"
    lr: Annotated[
        Annotated[float, Meta(gt=0)] | Literal["find"] | None,
        _about(
            "Schedule",
            "Highest learning rate; for 8 photos a step 0.001 (adamw) or 0.01 (sgd), in proportion for others. find "
            "tries rates for 100 steps, draws lr.png and makes no run.",
        ),
    ] = None
    weight_decay: Annotated[float, _about("Schedule", "Weight decay of convolution weights.", ge=0)] = 0.05
    momentum: Annotated[float, _about("Schedule", "Momentum of sgd.", ge=0, lt=1)] = 0.9
    schedule: Annotated[
        Literal["cosine", "step"], _about("Schedule", "Learning rate after the warm-up: cosine to 0, or /10 twice.")
    ] = "cosine"
    warmup: Annotated[float, _about("Schedule", "Share of the steps with a rising learning rate.", ge=0, lt=1)] = 0.1
    clip_norm: Annotated[float, _about("Schedule", "Largest norm of the gradient; 0 switches clipping off.", ge=0)] = (
        10.0
    )
    ema: Annotated[float, _about("Schedule", "Decay of the averaged weights; 0 switches them off.", ge=0, lt=1)] = 0.998

    # -- loss
    loss: Annotated[
        Literal["focal", "focal-star", "balanced-ce", "ce", "ohem", "quality-focal", "varifocal"],
        _about("Loss", "Classification loss."),
    ] = "focal"
    alpha: Annotated[str, _about("Loss", "Weight of the rare class: a number, `none`, or `auto` (follows gamma).")] = (
        "auto"
    )
    gamma: Annotated[float, _about("Loss", "Focusing exponent of focal loss; 0 is cross-entropy.", ge=0)] = 2.0
    beta: Annotated[float, _about("Loss", "Shift of focal-star.")] = 1.0
    label_smoothing: Annotated[float, _about("Loss", "Share of a label given away.", ge=0, lt=1)] = 0.0
    ohem_examples: Annotated[int, _about("Loss", "Hardest anchors of a photo that ohem learns from.", ge=1)] = 128
    ohem_nms: Annotated[
        Annotated[float, Meta(ge=0, le=1)] | None,
        _about("Loss", "Overlap from which ohem drops an anchor beside a harder one; `none` drops nothing."),
    ] = 0.5
    ohem_balanced: Annotated[
        bool, _about("Loss", "Let ohem take three anchors of background to one with an object.")
    ] = False
    box_loss: Annotated[
        Literal["l1", "smooth-l1", "giou", "diou", "ciou"] | None,
        _about("Loss", "Box loss. [default: the preset's]"),
    ] = None
    box_weight: Annotated[Annotated[float, Meta(ge=0)] | None, _about("Loss", "Weight of the box loss.")] = None

    # -- keeping and stopping
    best: Annotated[
        Literal["AP", "AP50", "AP75", "APs", "APm", "APl", "AR100"],
        _about("Keeping", "Validation number by which the best weights are kept."),
    ] = "AP"
    patience: Annotated[
        int, _about("Keeping", "Evaluations without a better one after which to stop; 0 never stops early.", ge=0)
    ] = 0
    force: Annotated[bool, _about("Keeping", "Train although anchors reach fewer than 60 % of the objects.")] = False

    log: Annotated[
        str, _about("Keeping", "Dashboards to log to, beside metrics.jsonl: tensorboard, wandb, mlflow, with commas.")
    ] = ""

    # -- augmentation
    augment: Annotated[
        Literal["none", "light", "strong"], _about("Augmentation", "How much training photos are changed.")
    ] = "light"
    flip: Annotated[
        Literal["none", "horizontal", "both"], _about("Augmentation", "Mirror images that are still true photos.")
    ] = "horizontal"

    multi_scale: Annotated[
        float,
        _about(
            "Augmentation", "Train each step at another size, up to this part smaller or larger; 0: one.", ge=0, le=0.6
        ),
    ] = 0.0

    # -- sampling
    balance: Annotated[
        float,
        _about(
            "Sampling", "Repeat photos of classes that fewer than this share of the photos show; 0: none.", ge=0, le=1
        ),
    ] = 0.0
    empty_share: Annotated[
        Annotated[float, Meta(ge=0, lt=1)] | None,
        _about("Sampling", "Largest share of photos without objects in an epoch; drawn anew each epoch."),
    ] = None

    # -- machine
    device: Annotated[str, _about("Machine", "auto, cpu, cuda, cuda:1, mps.")] = "auto"
    precision: Annotated[
        Literal["auto", "fp32", "bf16", "fp16"], _about("Machine", "Number format of the network; losses are fp32.")
    ] = "auto"
    compile: Annotated[
        bool, _about("Machine", "Compile the network with torch.compile; the first steps take minutes.")
    ] = False
    workers: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        _about("Machine", "Processes that decode photos; one a core up to 8, and 1 on two cores."),
    ] = None
    loader_timeout: Annotated[
        float, _about("Machine", "Seconds to wait for photos before giving up; 0 waits for ever.", ge=0)
    ] = 600
    seed: Annotated[int, _about("Machine", "Seed of everything random.", ge=0, le=2**62)] = 0
    eval_every: Annotated[int, _about("Machine", "Epochs between evaluations; the last is always evaluated.", ge=1)] = 5

    @property
    def photos(self) -> int:
        """Give the photos of a batch; `--batch auto` has become a number by then."""
        assert isinstance(self.batch, int), self.batch
        return self.batch
