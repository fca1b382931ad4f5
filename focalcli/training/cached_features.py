"""`--cache-features`: which views are kept, under which name, how much room they take, and what cannot be cached."""

import hashlib
import shutil
from pathlib import Path

import msgspec
import torch

from focalcli.detection.retinanet import RetinaNet
from focalcli.errors import IoError
from focalcli.files import write_error
from focalcli.images.fit import Fit
from focalcli.training.feature_store import FeatureStore
from focalcli.training.fixed_views import fixed_views
from focalcli.training.prepare import Plan

# What decides how a photo looks to the backbone, and which photos pass it together.
_SETTINGS = ("augment", "flip", "seed", "batch", "accumulate", "views", "tile", "overlap", "balance", "empty_share")

_HEADROOM = 0.95  # of the photos that the limit would hold if every view were a whole photo


def open_store(plan: Plan, model: RetinaNet, precision: torch.dtype, *, ranks: int) -> FeatureStore | None:
    """Give the store that `--cache-features` names, or None without it; ranks share the room that is left.

    Raises:
        CannotWrite, IoError: there can be no folder of that name, or it cannot be read.
    """
    config = plan.config
    if config.cache_features is None:
        return None
    name = content_name(plan, model, precision, ranks)
    folder = Path(config.cache_features)
    try:
        store = FeatureStore(folder, name, int(config.cache_limit * 2**30))
    except OSError as error:  # a name too long
        raise write_error(folder, error, option="--cache-features") from error
    needed, room = bytes_needed(plan, model, precision), _room(store)
    if needed > room:
        store.photos = int(len(plan.train.images) * room / needed * _HEADROOM)
    store.limit = store.used + max(store.limit - store.used, 0) // ranks
    return store


def describe_store(store: FeatureStore | None, plan: Plan, model: RetinaNet, precision: torch.dtype) -> list[str]:
    """Say what will be cached, where, and what of it is there.

    Raises:
        IoError: the disk has no room for it.
    """
    if store is None:
        return []
    needed, there = bytes_needed(plan, model, precision), store.mine
    missing = max(min(needed, _room(store)) - there, 0)
    free = shutil.disk_usage(next(p for p in (store.folder, *store.folder.parents) if p.exists())).free
    if missing > free:
        fact = f"{_gib(free)} GiB are free, cached features take about {_gib(missing)} more"
        raise IoError(store.folder, fact, "lower --cache-limit or --views, or choose another disk")
    text = f"cached features in {store.folder}: {fixed_views(plan.config)} views a photo, about {_gib(needed)} GiB"
    text += f", {_gib(there)} of it there"
    if store.photos is not None:
        limit, photos = plan.config.cache_limit, len(plan.train.images)
        text += f"; --cache-limit {limit:g} GiB holds those of {store.photos} of {photos} photos, the others are"
        text += " computed every time"
    return [text]


def _room(store: FeatureStore) -> int:
    """Give the bytes that views of this name may take."""
    return max(store.limit - store.used + store.mine, 0)


def _gib(count: int) -> str:
    return f"{count / 2**30:.2f}"


def content_name(plan: Plan, model: RetinaNet, precision: torch.dtype, ranks: int) -> str:
    """Give a name for all that decides the features, to the last bit.

    Photos, boxes, their changes, Fit, backbone, number format; and how photos meet in batches, for rounding's sake.
    """
    config, ours = plan.config, plan.model
    digest = hashlib.sha256(b"focalcli.features/1\n")
    settings = {name: getattr(config, name) for name in _SETTINGS}
    network = [ours.backbone, ours.backbone_norm_eps, ours.backbone_stride_in_1x1, ours.mean, ours.std, ours.fit]
    where = [model.mean.device.type, str(precision), str(torch.__version__), ranks]
    digest.update(msgspec.json.encode([settings, network, ours.data_fingerprint, where], order="deterministic"))
    for image in plan.train.images:
        assert image.path is not None, image.key
        found = image.path.stat()
        digest.update(f"{image.key}\t{found.st_size}\t{found.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
    for name, tensor in model.backbone.body.state_dict().items():
        digest.update(name.encode() + tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def bytes_needed(plan: Plan, model: RetinaNet, precision: torch.dtype) -> int:
    """Give about how many bytes all views will take: those of whole photos; a crop may take a little more or less."""
    fit = Fit.of(plan.model)
    areas = [fit.padded_shape((image.height, image.width)) for image in plan.train.images]
    pixels = sum(height * width for height, width in areas)
    channels: list[int] = model.backbone.body.feature_info.channels()  # type: ignore[union-attr, operator]
    per_pixel: float = sum(count / 4 ** (3 + level) for level, count in enumerate(channels))
    return int(pixels * per_pixel * precision.itemsize * fixed_views(plan.config))
