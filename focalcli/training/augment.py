"""How training photos are changed, boxes with them: albumentations, seeded per photo.

albumentations 2.0.8 is the last release under MIT. It looks for updates on import unless told not to, so it is
imported here, in one function, with that switched off.
"""

import os
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from focalcli.images.decode import Pixels

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# An object of which less than this share is left after a crop, or in a tile, is not trained on.
MIN_VISIBLE = 0.3


class Sample(NamedTuple):
    """A photo (H, W, 3) and its objects: boxes (m, 4) xyxy float64 in its pixels, classes (m,) indices."""

    image: Pixels
    boxes: Floats
    classes: Ints


class Augmentation:
    """A seeded pipeline; calling it with the same sample and seed gives the same bytes on one machine."""

    def __init__(
        self,
        strength: Literal["none", "light", "strong"],
        *,
        flip: Literal["none", "horizontal", "both"],
        fill: tuple[int, int, int],
    ) -> None:
        self.mixes = strength == "strong"  # photos of several, `mixtures.py`
        self._pipeline = None if strength == "none" and flip == "none" else _pipeline(strength, flip, fill)

    def __call__(self, sample: Sample, seed: int) -> Sample:
        """Give the changed sample; every box is inside the photo and has an area."""
        if self._pipeline is None:
            return sample
        self._pipeline.set_random_seed(seed)
        done = self._pipeline(image=sample.image, bboxes=sample.boxes, classes=sample.classes)
        boxes = np.asarray(done["bboxes"], np.float64).reshape(-1, 4)
        return Sample(done["image"], boxes, np.asarray(done["classes"], np.int64))


def _pipeline(strength: str, flip: str, fill: tuple[int, int, int]) -> Any:
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
    import albumentations as A

    return A.Compose(
        [*_flips(A, flip), *_geometry(A, strength, fill), *_colours(A, strength)],
        bbox_params=A.BboxParams(
            format="pascal_voc",
            label_fields=["classes"],
            min_visibility=MIN_VISIBLE,
            min_width=1,
            min_height=1,
            clip=True,
            filter_invalid_bboxes=True,
        ),
    )


def _flips(A: Any, flip: str) -> list[Any]:
    vertical = [A.VerticalFlip(p=0.5)] if flip == "both" else []
    return [] if flip == "none" else [A.HorizontalFlip(p=0.5), *vertical]


def _geometry(A: Any, strength: str, fill: tuple[int, int, int]) -> list[Any]:
    """Scale and shift; now and then a crop that cuts no object."""
    if strength == "none":
        return []
    low, high = (0.8, 1.3) if strength == "light" else (0.5, 1.8)
    shift = (-0.1, 0.1) if strength == "light" else (-0.2, 0.2)
    return [
        A.BBoxSafeRandomCrop(erosion_rate=0.0, p=0.2 if strength == "light" else 0.4),
        A.Affine(scale=(low, high), translate_percent=shift, balanced_scale=True, fill=fill, p=0.7),
    ]


def _colours(A: Any, strength: str) -> list[Any]:
    if strength == "none":
        return []
    light = [
        A.RandomBrightnessContrast(brightness_limit=0.15, contrast_limit=0.15, p=0.5),
        A.HueSaturationValue(hue_shift_limit=6, sat_shift_limit=20, val_shift_limit=0, p=0.3),
    ]
    if strength == "light":
        return light
    return [*light, A.RandomGamma((70, 140), p=0.3), A.GaussianBlur((3, 5), p=0.15), A.GaussNoise((0.02, 0.08), p=0.15)]
