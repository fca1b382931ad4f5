"""Which files of a folder are COCO data sets, the split of each, and the folders its photos may be in."""

import re
from pathlib import Path

from focalcli.dataset.names import split_name
from focalcli.dataset.peek import Outline, Peek
from focalcli.dataset.source import Source
from focalcli.errors import DataError

_SPLIT = re.compile(
    r"(?:^|[_.\-])((?:train|val|valid|validation|test|trainval|minival)(?:-dev)?(?:19|20)?\d*)(?=$|[_.\-])"
)
_OTHER_TASKS = ("captions_", "person_keypoints_", "stuff_", "panoptic_", "image_info_")


def is_coco(top: Outline) -> bool:
    """Tell a COCO data set from other JSON, whatever of it the first 256 KiB show."""
    if top.kind != "object":
        return False
    image, annotation = set(top.inner.get("images", ())), set(top.inner.get("annotations", ()))
    if {"images", "annotations", "categories"} <= set(top.keys):
        return not (image or annotation) or "file_name" in image or "category_id" in annotation
    return {"id", "file_name"} <= image or {"image_id", "category_id"} <= annotation


def annotation_files(source: Source) -> dict[str, Path]:
    """Give the annotation files by split, the empty name for one file without; years go where they tell nothing."""
    if not source.path.is_dir():
        return {split_name(_raw_split(source.path)): source.path}
    peek = Peek(source.path)
    paths = [source.folder / name for name in peek.ending(".json") if name.count("/") <= 1]
    paths = [path for path in paths if is_coco(peek.json(path.relative_to(source.folder).as_posix()))]
    paths = [path for path in paths if not path.name.startswith(_OTHER_TASKS)] or paths
    if not paths:
        raise DataError(source.path, "holds no COCO file", "name the annotation file itself")
    if len(paths) == 1:
        return {split_name(_raw_split(paths[0])): paths[0]}
    raw = {path: _raw_split(path) or path.stem for path in paths}
    usual = {path: split_name(name) for path, name in raw.items()}
    names = usual if len(set(usual.values())) == len(paths) else raw
    if len(set(names.values())) < len(paths):
        clash = ", ".join(source.name(path) for path in paths)
        raise DataError(source.path, f"several files for one split ({clash})", "name the annotation file itself")
    order = {"train": 0, "val": 1, "test": 2}
    paths.sort(key=lambda path: (order.get(names[path], 3), names[path]))
    return {names[path]: path for path in paths}


def _raw_split(path: Path) -> str:
    """Give the split a file name or its folder names, as it is written there; nothing where none does."""
    name = path.name.removesuffix(".json")
    if match := _SPLIT.search(name):
        return match.group(1)
    if name.startswith("instances_"):
        return name.removeprefix("instances_")
    folder = path.absolute().parent.name
    return folder if split_name(folder) in ("train", "val", "test") else ""


def photo_folders(source: Source, path: Path) -> list[Path]:
    """Give the folders where the photos of a file may be, likeliest first."""
    raw = _raw_split(path)
    splits = [raw, split_name(raw), *(["valid"] if split_name(raw) == "val" else [])] if raw else []
    here, above = path.parent, path.parent.parent
    bases = [*source.images, above / "images", here / "images", above, here, above / "data", here / "data"]
    own = [here] if _SPLIT.search(path.parent.name) else []
    return source.folders(*own, *(base / name for name in splits for base in bases), *bases)
