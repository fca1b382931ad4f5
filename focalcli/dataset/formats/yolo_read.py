"""Reading YOLO: `data.yaml` or folders to splits, photos to label files, label files to columns."""

from collections.abc import Sequence
from pathlib import Path

from focalcli.dataset.builder import DatasetBuilder
from focalcli.dataset.format import ReadOptions
from focalcli.dataset.formats.yolo_photos import Photo, entry_photos, folder_photos
from focalcli.dataset.formats.yolo_rows import Rows
from focalcli.dataset.formats.yolo_yaml import DataYaml, find_yaml, own_entries
from focalcli.dataset.source import Source
from focalcli.errors import DataError


def read(source: Source, options: ReadOptions, builder: DatasetBuilder) -> None:
    """Read the wanted splits of `data.yaml`, or of the folders where there is none."""
    yaml = find_yaml(source)
    if yaml is not None:
        splits = {name: entry_photos(source, yaml, entries) for name, entries in own_entries(yaml).items()}
    else:
        splits = folder_photos(source)
    if not any(splits.values()):
        raise DataError(source.path, "no photo was found where the splits should be", "say where with --images")
    chosen = builder.choose_splits([name for name in splits if name])
    wanted = {name: photos for name, photos in splits.items() if name in chosen or (not name and not options.split)}
    names = _names(source, yaml)
    seen: set[Path] = set()
    for name, photos in wanted.items():
        again = [photo for photo in photos if photo.path in seen]
        if again:
            fact = f"the image is in {name} and in a split before it; it counts for the first"
            builder.finding("W115", source.name(again[0].path), fact, count=len(again))
        fresh = [photo for photo in photos if photo.path not in seen]
        seen.update(photo.path for photo in fresh)
        _add_split(source, builder, fresh, name or None, names, yaml)
    for index in range(len(builder.categories), len(names or ())):
        builder.category((names or [])[index], index)


def _names(source: Source, yaml: DataYaml | None) -> list[str] | None:
    """Give the class names of the YAML file, else of `classes.txt`; None where nothing names them."""
    if yaml is not None and yaml.names is not None:
        return yaml.names
    for name in ("classes.txt", "labels/classes.txt", "obj.names"):
        if (path := source.find(name, [source.folder])) is not None:
            return [line.strip() for line in source.lines(path)]
    return None


def _add_split(
    source: Source,
    builder: DatasetBuilder,
    photos: Sequence[Photo],
    split: str | None,
    names: list[str] | None,
    yaml: DataYaml | None,
) -> None:
    """Add the photos of one split and the rows of their label files."""
    rows = Rows(source, builder, names, yaml)
    for photo in photos:
        label = source.find(photo.label.name, [photo.label.parent])
        image = builder.image(photo.key, path=photo.path, split=split, labelled=label is not None)
        if label is not None:
            rows.read(label, image)
    rows.add()
