"""What a target format cannot carry of a data set, computed from what is in it; nothing here knows a format."""

import numpy as np

from focalcli.dataset.features import Feature
from focalcli.dataset.sink import Level, Loss
from focalcli.dataset.types import Dataset, Flag

CROWD_FLAGS = Flag.CROWD | Flag.GROUP | Flag.IGNORE

LEVELS: dict[Feature, tuple[Level, str]] = {
    Feature.NAMES: ("high", "class names are lost"),
    Feature.NEGATIVES: ("high", "images without objects are lost"),
    Feature.CROWD: ("high", "crowd, group and ignore regions become ordinary objects"),
    Feature.DIFFICULT: ("high", "difficult objects become ordinary ones"),
    Feature.UNLABELLED: ("medium", "images nobody has labelled become verified negatives"),
    Feature.TRUNCATED: ("medium", "truncated and occluded objects are no longer marked"),
    Feature.SEGMENTATION: ("medium", "segmentations are lost, their boxes kept"),
    Feature.SCORE: ("medium", "scores are lost"),
    Feature.CLASS_LIST: ("medium", "classes without objects are lost"),
    Feature.SUPERCATEGORY: ("medium", "supercategories are lost"),
    Feature.SOURCE_IDS: ("medium", "image and annotation ids are lost"),
    Feature.SPLITS: ("medium", "images lose their split"),
    Feature.SUBFOLDERS: ("medium", "images leave their sub-folder"),
    Feature.ATTRIBUTES: ("medium", "free attributes are lost"),
    Feature.SIZES: ("info", "image sizes are not written, the photos have them"),
    Feature.SUBPIXEL: ("info", "boxes are rounded to whole pixels"),
}


def features_used(dataset: Dataset) -> dict[Feature, int]:
    """Count what the data set makes use of, feature by feature; what it does not use is left out."""
    boxes, images = dataset.boxes, dataset.images
    objects = np.diff(dataset.row_bounds())
    labelled = np.fromiter((image.labelled for image in images), dtype=np.bool_, count=len(images))
    used = np.zeros(len(dataset.categories), dtype=np.bool_)
    used[boxes.category] = True
    ids = sum(image.source_id is not None for image in images)
    counts = {
        Feature.NAMES: len(dataset.categories),
        Feature.NEGATIVES: int(((objects == 0) & labelled).sum()),
        Feature.UNLABELLED: int(((objects == 0) & ~labelled).sum()),
        Feature.CROWD: _flagged(dataset, CROWD_FLAGS),
        Feature.DIFFICULT: _flagged(dataset, Flag.DIFFICULT),
        Feature.TRUNCATED: _flagged(dataset, Flag.TRUNCATED | Flag.OCCLUDED),
        Feature.SEGMENTATION: 0 if boxes.segmentation is None else int((boxes.segmentation != None).sum()),  # noqa: E711
        Feature.SCORE: 0 if boxes.score is None else int(np.isfinite(boxes.score).sum()),
        Feature.ATTRIBUTES: 0 if boxes.attributes is None else int((boxes.attributes != None).sum()),  # noqa: E711
        Feature.CLASS_LIST: int((~used).sum()),
        Feature.SUPERCATEGORY: sum(bool(category.supercategory) for category in dataset.categories),
        Feature.SOURCE_IDS: ids + int((boxes.source_id >= 0).sum()),
        Feature.SPLITS: sum(image.split is not None for image in images),
        Feature.SUBFOLDERS: sum("/" in image.key.removeprefix(f"{image.split}/") for image in images),
        Feature.SIZES: len(images),
        Feature.SUBPIXEL: int((boxes.xyxy != np.round(boxes.xyxy)).any(axis=1).sum()),
    }
    return {feature: count for feature, count in counts.items() if count}


def losses(dataset: Dataset, carries: frozenset[Feature]) -> list[Loss]:
    """Give what is lost on the way into a format that carries only these features, worst first."""
    used = features_used(dataset)
    return [Loss(*LEVELS[feature], used[feature]) for feature in LEVELS if feature in used and feature not in carries]


def _flagged(dataset: Dataset, flags: Flag) -> int:
    return int(((dataset.boxes.flags & flags.value) != 0).sum())
