"""From a configuration and a path to everything a training needs, checked, before anything is written."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from focalcli.config import AnchorConfig, ClassInfo, FitConfig, LossConfig, ModelConfig, TileConfig, model_config
from focalcli.dataset.fingerprint import fingerprint
from focalcli.dataset.read import read_dataset
from focalcli.dataset.types import Dataset
from focalcli.detection.losses import check_loss
from focalcli.errors import ConfigError, DataError, InputNotFound
from focalcli.images.fit import Fit
from focalcli.images.tiles import Tile
from focalcli.losses import alpha_for
from focalcli.ranks.world import World
from focalcli.train_config import TrainConfig
from focalcli.training.augment import Augmentation
from focalcli.training.fixed_views import fixed_views
from focalcli.training.preflight import doubts
from focalcli.training.samples import BatchPlan, Samples
from focalcli.training.sampling import length, weights
from focalcli.training.tiles import cut


@dataclass(frozen=True, slots=True)
class Plan:
    """A training that can start: its data, its network, its settings. `notes` are worth saying to the user."""

    config: TrainConfig
    data: Path
    train: Dataset
    val: Dataset | None
    model: ModelConfig
    notes: tuple[str, ...]
    tiles: tuple[Tile, ...] | None = None  # where each photo of `train` lies in its file, if it is a part of it

    def samples(self) -> Samples:
        """Give the photos as they are trained on."""
        config, fit = self.config, Fit.of(self.model)
        change = Augmentation(config.augment, flip=config.flip, fill=fit.fill)
        return Samples(self.train, fit, change, config.seed, self.tiles)

    def batches(self, world: World) -> BatchPlan:
        """Give which photos form which batch, on this rank of the world."""
        config = self.config
        return BatchPlan(
            self.train,
            config.photos,
            config.seed,
            world,
            config.accumulate,
            fixed_views(config),
            weights(self.train, config),
            scales(self.model.fit, config.multi_scale),
        )


def prepare(config: TrainConfig, data: Path) -> Plan:
    """Read the data sets, choose the splits, resolve the model, and check that all photos are there.

    Raises:
        InputNotFound, DataError: the data set or its photos.
        ConfigError: settings that contradict each other.
    """
    fixed_views(config)  # refuses what contradicts itself, before anything is read
    if config.lr == "find":
        raise ConfigError("lr", "find makes no run", "train with the rate that it gives")
    images = Path(config.images) if config.images else None
    train, train_split, val_split = _training(config, data, images)
    val = _validation(config, data, images, val_split)
    _check(train, data)
    model = resolve_model(config, train)
    notes = [f"{data}: read as {train.info['read_as']}", _describe("training", train, train_split)]
    notes.append(_describe("validation", val, val_split) if val else "no validation split: the last weights are kept")
    notes += [f"{finding.place}: {finding.fact}" for finding in train.findings]
    train, tiles = cut(train, model.tile.side, overlap=model.tile.overlap) if model.tile else (train, None)
    notes += [_describe(f"tiles of {config.tile}", train, None, what="tiles")] if tiles else []
    found = weights(train, config)
    notes += [f"an epoch shows {length(found)} photos"] if found is not None else []
    notes += doubts(model, train, force=config.force)
    return Plan(config, data, train, val, model, tuple(notes), tiles)


def _training(config: TrainConfig, data: Path, images: Path | None) -> tuple[Dataset, str | None, str | None]:
    """Read what is trained on; the whole set only where it has to say which splits there are. Give both names, too."""
    if config.train_split and (config.val_split or config.val_data):
        train, val = _splits(config, ())
        return read_dataset(data, images=images, split=train), train, val
    whole = read_dataset(data, images=images)
    known = whole.info.get("splits")
    train, val = _splits(config, known if isinstance(known, tuple) and known else whole.splits)
    return read_dataset(data, images=images, split=train) if train else whole, train, val


def _splits(config: TrainConfig, names: Sequence[str]) -> tuple[str | None, str | None]:
    """Choose the splits to train and to evaluate on: as told, else `train` and `val` where they are among `names`."""
    train = config.train_split or ("train" if "train" in names else None)
    if config.val_split:
        return train, None if config.val_split == "off" else config.val_split
    usual = next((name for name in ("val", "valid", "validation") if name in names), None)
    return train, usual if config.train_split in (None, "train") and train else None


def _validation(config: TrainConfig, data: Path, images: Path | None, split: str | None) -> Dataset | None:
    if config.val_data:
        return read_dataset(Path(config.val_data), split=split)
    return read_dataset(data, images=images, split=split) if split else None


def _check(train: Dataset, data: Path) -> None:
    """Refuse what could only fail later: no class, no box, or photos that are not there."""
    if not train.categories:
        raise DataError(data, "names no class", "training needs at least one")
    if not len(train.boxes):
        raise DataError(data, f"no object is annotated in {len(train.images)} photos", "training needs some")
    for image in train.images:
        if image.path is None or not image.path.is_file():
            raise InputNotFound(image.path or image.key, "this photo of the data set is missing", "add --images FOLDER")


def resolve_model(config: TrainConfig, train: Dataset) -> ModelConfig:
    """Give the model's configuration: the preset, changed by what the training was told, for the data set's classes."""
    classes = tuple(ClassInfo(category.name, category.source_id) for category in train.categories)
    base = model_config(config.preset, classes)
    changes: dict[str, Any] = {
        "fit": _fit(config, base.fit),
        "tile": _tile(config),
        "anchors": _anchors(config, base.anchors),
        "loss": _loss(config, base.loss),
        "data_fingerprint": fingerprint(train),
    }
    if (config.preset, config.weights) == ("r50", "coco"):
        changes["backbone_norm_eps"] = 0.0  # as torchvision's first COCO weights were trained
    return model_config(config.preset, classes, **changes)


def _fit(config: TrainConfig, base: FitConfig) -> FitConfig:
    """Change the sizes; a new shorter side alone scales the longer limit with it. Tiles are seen at their own size."""
    short = config.min_size or config.tile or base.min_size
    long = config.max_size or round(base.max_size * short / base.min_size)
    if long < short:
        raise ConfigError("--max-size", f"{long} is below --min-size {short}", "the longer side cannot be the shorter")
    return msgspec.structs.replace(base, min_size=short, max_size=long)


def _tile(config: TrainConfig) -> TileConfig | None:
    """Give the tiles, with the usual overlap unless told otherwise."""
    if config.tile is None:
        return None
    return TileConfig(config.tile) if config.overlap is None else TileConfig(config.tile, config.overlap)


def _anchors(config: TrainConfig, base: AnchorConfig) -> AnchorConfig:
    size, ratios = config.anchor_size, config.anchor_ratios
    sizes = base.sizes if size is None else tuple(size * 2.0**level for level in range(5))
    return msgspec.structs.replace(base, sizes=sizes, ratios=base.ratios if ratios is None else ratios)


def _loss(config: TrainConfig, base: LossConfig) -> LossConfig:
    """Change the loss.

    Raises:
        ConfigError: constants that contradict each other.
    """
    loss = msgspec.structs.replace(
        base,
        kind=config.loss,
        alpha=_alpha(config),
        gamma=config.gamma,
        beta=config.beta,
        label_smoothing=config.label_smoothing,
        ohem_examples=config.ohem_examples,
        ohem_nms=config.ohem_nms,
        ohem_balanced=config.ohem_balanced,
        box=config.box_loss or base.box,
        box_weight=base.box_weight if config.box_weight is None else config.box_weight,
    )
    check_loss(loss)
    return loss


def _alpha(config: TrainConfig) -> float | None:
    """Read `--alpha`: auto follows gamma as in the paper's Table 1b; balanced cross-entropy is its row of gamma 0."""
    if config.alpha == "auto":
        return alpha_for(0.0 if config.loss == "balanced-ce" else config.gamma)
    if config.alpha == "none":
        return None
    try:
        alpha = float(config.alpha)
    except ValueError:
        alpha = float("nan")
    if not 0 <= alpha <= 1:
        raise ConfigError("--alpha", f"{config.alpha!r} is no number from 0 to 1", "give one, `auto` or `none`")
    return alpha


def scales(fit: FitConfig, spread: float) -> tuple[float, ...]:
    """Give the sizes of `--multi-scale`: shorter sides that the divisor divides, within the spread of the usual.

    >>> [round(scale * 400) for scale in scales(FitConfig(400, 672), 0.1)]
    [384, 416]
    """
    low, high = fit.min_size * (1 - spread), fit.min_size * (1 + spread)
    sides = range(math.ceil(low / fit.divisor), math.floor(high / fit.divisor) + 1)
    return tuple(side * fit.divisor / fit.min_size for side in sides if side) if spread else (1.0,)


def _describe(role: str, dataset: Dataset, split: str | None, *, what: str = "photos") -> str:
    """Say how many photos, objects and classes a split has."""
    empty = len(dataset.images) - len(np.unique(dataset.boxes.image))
    name = f" ({split})" if split else ""
    return f"{role}{name}: {len(dataset.images)} {what}, {len(dataset.boxes)} objects, {empty} {what} without any"
