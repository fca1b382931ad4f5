"""The synthetic photos as a data set: `images/SPLIT/*.jpg` and COCO JSON in `annotations/SPLIT.json`."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from focalcli.files import replacing_folder
from focalcli.images.synthetic import CLASSES, Object, compose, deal, jpeg, paint

SPLITS = ("train", "val", "test")


class Photo(NamedTuple):
    """A photo that was written: its name, width and height, and what there is to find in it."""

    name: str
    width: int
    height: int
    objects: tuple[Object, ...]


def write_bay(folder: Path, num_photos: int, *, size: int, seed: int, overwrite: bool = False) -> Counter[str]:
    """Write a data set of photos `size` pixels long into `folder`; give how many objects of each class are in it.

    A sixth of the photos is for validation, a sixth for the test. Numbers and ids run on from split to split.

    Raises:
        CannotWrite: `folder` holds something and `overwrite` is off, or it cannot be written.
        IoError: the disk is full or failed.
    """
    held_out = round(num_photos / 6)
    counts: Counter[str] = Counter()
    num_before = 0
    with replacing_folder(folder, overwrite=overwrite) as new:
        (new / "annotations").mkdir()
        for split, num in enumerate((num_photos - 2 * held_out, held_out, held_out)):
            pictures = new / "images" / SPLITS[split]
            pictures.mkdir(parents=True)
            photos = list(_take_photos(pictures, seed, split, num, size=size, first=num_before + 1))
            content = coco(photos, first_image=num_before + 1, first_annotation=counts.total() + 1)
            (new / "annotations" / f"{SPLITS[split]}.json").write_text(content, encoding="utf-8")
            counts.update(found.name for photo in photos for found in photo.objects)
            num_before += num
    return counts


def coco(photos: list[Photo], *, first_image: int = 1, first_annotation: int = 1) -> str:
    """Give the COCO JSON of photos; the classes have the ids 1 to 3 in the order of `CLASSES`."""
    class_ids = {name: number for number, name in enumerate(CLASSES, 1)}
    images: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    for image_id, photo in enumerate(photos, first_image):
        images.append({"id": image_id, "file_name": photo.name, "width": photo.width, "height": photo.height})
        for found in photo.objects:
            x1, y1, x2, y2 = found.box
            annotations.append(
                {
                    "id": first_annotation + len(annotations),
                    "image_id": image_id,
                    "category_id": class_ids[found.name],
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "area": (x2 - x1) * (y2 - y1),
                    "iscrowd": 0,
                }
            )
    categories = [{"id": number, "name": name} for name, number in class_ids.items()]
    return json.dumps({"images": images, "annotations": annotations, "categories": categories}) + "\n"


def _take_photos(folder: Path, seed: int, split: int, num: int, *, size: int, first: int) -> Iterator[Photo]:
    """Compose, paint and write the photos of a split one by one."""
    for index, names in enumerate(deal(seed, split, num, size=size)):
        scene = compose(seed, split, index, names, size=size)
        height, width = scene.light.shape
        name = f"bay-{first + index:04d}.jpg"
        (folder / name).write_bytes(jpeg(paint(scene)))
        yield Photo(name, width, height, scene.objects)
