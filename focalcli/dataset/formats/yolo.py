"""YOLO as Ultralytics reads it: a text file a photo with `class x y w h` in fractions, and `data.yaml`.

A photo with an empty text file is a verified negative; one without a text file has not been labelled.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from focalcli.dataset.builder import DatasetBuilder
from focalcli.dataset.features import Feature
from focalcli.dataset.format import Confidence, FormatInfo, Match, ReadOptions
from focalcli.dataset.layout import file_names, rows_of, split_groups
from focalcli.dataset.names import safe_relative, split_name, stem
from focalcli.dataset.peek import Peek
from focalcli.dataset.sink import Sink
from focalcli.dataset.source import Source
from focalcli.dataset.types import Dataset, Flag
from focalcli.errors import DataError

INFO = FormatInfo(
    name="yolo",
    title="YOLO",
    carries=frozenset(
        {
            Feature.NEGATIVES,
            Feature.UNLABELLED,
            Feature.NAMES,
            Feature.CLASS_LIST,
            Feature.SPLITS,
            Feature.SUBFOLDERS,
            Feature.SUBPIXEL,
        }
    ),
)

KEYS = ("train", "val", "validation", "test")
UNIT = 1_000_000
"""Parts a side of a photo is divided into when written: 0.006 px of error at 12,000 px."""

FAR = 2.0
"""Values beyond this many photos are pixels or damage, not boxes that stick out."""


@dataclass(frozen=True, slots=True)
class _Yaml:
    """What `data.yaml` says: the class names, None where it has none, and the entries of each split."""

    path: Path
    names: list[str] | None
    entries: dict[str, list[str]]
    kpt_tokens: int
    root: str


@dataclass(frozen=True, slots=True)
class _Photo:
    """A photo to read: its file, the key, and where its label file would be."""

    path: Path
    key: str
    label: Path


def sniff(peek: Peek) -> Match | None:
    """Claim a YAML file with class names and splits, or label files in `labels` beside photos in `images`."""
    for name in peek.ending(".yaml", ".yml"):
        keys = _top_keys(peek.text(name))
        if keys & {"names", "nc"} and keys & {"train", "val", "validation", "test"} and "/" not in name:
            return Match(Confidence.CONTENT, f"{name} has the keys {', '.join(sorted(keys & {'names', 'nc', *KEYS}))}")
    labels = [name for name in peek.ending(".txt") if "labels" in name.split("/")[:-1]]
    images = [name for name in peek.photos if "images" in name.split("/")[:-1]]
    if labels and images:
        return Match(Confidence.LAYOUT, f"it has {labels[0]} and {images[0]}")
    return None


def _top_keys(text: str) -> set[str]:
    """Give the keys at the left margin of a YAML text."""
    lines = (line for line in text.splitlines() if line[:1].isalpha() or line[:1] in "\"'")
    return {line.partition(":")[0].strip().strip("\"'") for line in lines if ":" in line}


def read(source: Source, options: ReadOptions, builder: DatasetBuilder) -> None:
    """Read the wanted splits of `data.yaml`, or of the folders where there is none."""
    yaml = _find_yaml(source)
    if yaml is not None:
        splits = {name: _entry_photos(source, yaml, entries) for name, entries in _own_entries(yaml).items()}
    else:
        splits = _folder_photos(source)
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


def _find_yaml(source: Source) -> _Yaml | None:
    """Read `data.yaml`, or the one YAML file that names classes and splits."""
    if not source.path.is_dir():
        return _read_yaml(source, source.path) if source.path.suffix.lower() in (".yaml", ".yml") else None
    found = source.files(".yaml", ".yml", depth=0)
    found = [path for path in found if _top_keys(source.text(path)) & {"names", "nc"}]
    usual = [path for path in found if path.stem in ("data", "dataset")]
    if len(usual or found) > 1:
        names = ", ".join(path.name for path in usual or found)
        raise DataError(source.path, f"has several YAML files with class names ({names})", "name the one to read")
    return _read_yaml(source, (usual or found)[0]) if found else None


def _read_yaml(source: Source, path: Path) -> _Yaml:
    content = source.yaml(path)
    place = source.name(path)
    if not isinstance(content, dict):
        raise DataError(place, "is not a mapping of keys", "give it the keys names, train and val")
    names = _yaml_names(content, place)
    entries: dict[str, list[str]] = {}
    for key, value in content.items():
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not all(isinstance(entry, str) for entry in values):
            continue
        if key in KEYS or any(entry.startswith("images/") for entry in values):
            entries[split_name(key)] = [entry for entry in values if entry]
    entries = {key: values for key, values in entries.items() if values}
    if not entries:
        raise DataError(place, "names no split", "add the keys train and val")
    return _Yaml(path, names, entries, _keypoint_tokens(content), content.get("path") or "")


def _yaml_names(content: dict[str, Any], place: str) -> list[str] | None:
    """Give the class names by index from a list or a mapping; None where there is neither names nor nc."""
    names, count = content.get("names"), content.get("nc")
    if isinstance(names, dict):
        try:
            numbered = {int(key): str(name) for key, name in names.items()}
        except ValueError as error:
            raise DataError(place, f"a key of names is not a number ({error})", "number the classes from 0") from None
        if sorted(numbered) != list(range(len(names))):
            raise DataError(place, f"the keys of names are not 0 to {len(names) - 1}", "number the classes from 0")
        listed = [numbered[index] for index in range(len(numbered))]
    elif isinstance(names, list) and all(isinstance(name, str) for name in names):
        listed = names
    elif names is None and isinstance(count, str) and count.isdigit() and int(count) <= 100_000:
        return [f"class_{index}" for index in range(int(count))]
    elif names is None and count is None:
        return None
    else:
        raise DataError(place, "names is neither a list nor a mapping of numbers to names", "write one name a class")
    if isinstance(count, str) and count.isdigit() and int(count) != len(listed):
        raise DataError(place, f"nc is {count}, but names has {len(listed)} entries", "make them agree")
    return listed


def _keypoint_tokens(content: dict[str, Any]) -> int:
    """Give how many numbers a row of a pose data set has; 0 where it is none."""
    shape = content.get("kpt_shape")
    if isinstance(shape, list) and len(shape) == 2 and all(isinstance(n, str) and n.isdigit() for n in shape):
        return 5 + int(shape[0]) * int(shape[1])
    return 0


def _own_entries(yaml: _Yaml) -> dict[str, list[str]]:
    """Give the entries of each split, without those that only repeat another's as a stand-in.

    Ultralytics wants `train` and `val` in every file, so writers name one folder for both; the split whose name is in
    the path keeps it, else the first. One folder for all that names no split is no split.
    """
    by_entry: dict[tuple[str, ...], list[str]] = {}
    for name, entries in yaml.entries.items():
        by_entry.setdefault(tuple(entries), []).append(name)
    own = {}
    for folders, names in by_entry.items():
        named = [name for name in names if any(split_name(part) == name for part in folders[0].split("/"))]
        whole = len(by_entry) == 1 and len(names) > 1 and not named
        own["" if whole else (named or names)[0]] = list(folders)
    return {name: own[name] for name in ("", *dict.fromkeys((*yaml.entries,))) if name in own}


def _entry_photos(source: Source, yaml: _Yaml, entries: Sequence[str]) -> list[_Photo]:
    """Give the photos of one split: of folders, or of text files that list them."""
    photos: list[_Photo] = []
    for entry in entries:
        place = _resolve(source, yaml, entry)
        if place is None:
            continue
        if place.is_dir():
            photos += _under(source, place)
        elif place.suffix.lower() == ".txt":
            photos += _listed(source, place)
    return photos


def _resolve(source: Source, yaml: _Yaml, entry: str) -> Path | None:
    """Find the folder or list of an entry as Ultralytics does, but never outside the declared roots.

    Raises:
        DataError: it exists only outside.
    """
    here = yaml.path.parent
    bases = [here / yaml.root, here, *source.images] if yaml.root else [here, *source.images]
    tried = [base / text for base in bases for text in (entry, entry.removeprefix("../"))]
    there = [path for path in tried if path.exists()]
    for path in there:
        if source.allows(path):
            return path
    if there:
        fact = f"{entry!r} is at {there[0]}, outside the data set"
        raise DataError(source.name(yaml.path), fact, "add --images with that folder to allow it")
    return None


def _under(source: Source, folder: Path) -> list[_Photo]:
    """Give the photos below a folder, with keys relative to it."""
    here = folder.as_posix().rstrip("/") + "/"
    return [_Photo(p, p.as_posix().removeprefix(here), _label(source, p)) for p in source.photos(folder)]


def _label(source: Source, photo: Path) -> Path:
    """Give where the label file of a photo is: in `labels` for the last `images` of its path, else beside it."""
    parts = list(photo.parts)
    for depth in range(len(parts) - 2, -1, -1):
        if parts[depth] == "images":
            parts[depth] = "labels"
            return Path(*parts).with_suffix(".txt")
    return photo.with_suffix(".txt")


def _listed(source: Source, path: Path) -> list[_Photo]:
    """Give the photos a list names, one a line; `./` starts at the list, other lines where they are found."""
    photos = []
    for number, line in enumerate(source.lines(path), 1):
        text = line.strip()
        if not text:
            continue
        try:
            name = safe_relative(text)
        except ValueError as error:
            place = f"{source.name(path)}: line {number}"
            raise DataError(place, f"the image name {text!r} {error}", "make it relative to the data set") from None
        photo = source.find(name, source.folders(path.parent, source.folder, *source.images))
        if photo is None:
            raise DataError(f"{source.name(path)}: line {number}", f"there is no photo {text!r}", "repair the list")
        photos.append(_Photo(photo, _listed_key(name, path), _label(source, photo)))
    return photos


def _listed_key(name: str, path: Path) -> str:
    """Give the key of a listed photo: what follows `images/` and the name of the split."""
    key = name.rpartition("images/")[2] if name.startswith("images/") or "/images/" in name else name
    first, slash, rest = key.partition("/")
    return rest if slash and split_name(first) == split_name(path.stem) else key


def _folder_photos(source: Source) -> dict[str, list[_Photo]]:
    """Give the photos by split of `images/SPLIT` or `SPLIT/images`; the empty name for plain `images`."""
    base = source.folder
    found = {
        split_name(folder.parent.name): folder for folder in sorted(base.glob("*/images")) if source.allows(folder)
    }
    if not found and (base / "images").is_dir():
        below = sorted(path for path in (base / "images").iterdir() if path.is_dir())
        if below and all((base / "labels" / path.name).is_dir() for path in below):
            found = {split_name(path.name): path for path in below}
        else:
            found = {"": base / "images"}
    order = {"train": 0, "val": 1, "test": 2}
    names = sorted(found, key=lambda name: (order.get(name, 3), name))
    return {name: _under(source, found[name]) for name in names}


def _names(source: Source, yaml: _Yaml | None) -> list[str] | None:
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
    photos: Sequence[_Photo],
    split: str | None,
    names: list[str] | None,
    yaml: _Yaml | None,
) -> None:
    """Add the photos of one split and the rows of their label files."""
    rows = _Rows(source, builder, names, yaml)
    for photo in photos:
        label = source.find(photo.label.name, [photo.label.parent])
        image = builder.image(photo.key, path=photo.path, split=split, labelled=label is not None)
        if label is not None:
            rows.read(label, image)
    rows.add()


class _Rows:
    """The rows of many label files, gathered as columns."""

    def __init__(self, source: Source, builder: DatasetBuilder, names: list[str] | None, yaml: _Yaml | None) -> None:
        self.source, self.builder, self.names = source, builder, names
        self.kpt_tokens = yaml.kpt_tokens if yaml else 0
        self.place = source.name(yaml.path) if yaml else "the class list"
        self.image: list[int] = []
        self.category: list[int] = []
        self.xyxy: list[tuple[float, float, float, float]] = []
        self.file: list[int] = []
        self.line: list[int] = []
        self.flags: list[int] = []
        self.score: list[float | None] = []

    def read(self, path: Path, image: int) -> None:
        """Read one label file."""
        lines = self.source.lines(path)
        file = self.builder.file(path)
        for number, line in enumerate(lines, 1):
            words = line.split()
            if words:
                self._row(words, image, file, number, path)

    def _row(self, words: list[str], image: int, file: int, number: int, path: Path) -> None:
        try:
            category, *values = [float(word) for word in words]
        except ValueError:
            self._wrong(path, number, f"{' '.join(words[:6])!r} is not a row of numbers")
            return
        if category != category or category != int(category) or category < 0:
            self._wrong(path, number, f"{words[0]} is not a class index")
            return
        if self.names is not None and category >= len(self.names):
            fact = f"class {int(category)}, but {self.place} names {len(self.names)} classes"
            self.builder.finding("E003", f"{self.source.name(path)}: line {number}", fact)
            return
        if any(abs(value) > FAR for value in values[:4]):
            self._wrong(path, number, "has pixels instead of fractions of the photo")
            return
        score, flags = None, 0
        if len(words) in (5, 6, self.kpt_tokens):
            x, y, width, height = values[:4]
            corners = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
            score = values[4] if len(words) == 6 else None
        elif len(words) >= 7 and len(words) % 2:
            corners = (min(values[::2]), min(values[1::2]), max(values[::2]), max(values[1::2]))
            flags = Flag.FROM_POLYGON.value
        else:
            self._wrong(path, number, f"has {len(words)} numbers, neither a box nor a polygon")
            return
        self.image.append(image)
        self.category.append(int(category))
        self.xyxy.append(corners)
        self.file.append(file)
        self.line.append(number)
        self.flags.append(flags)
        self.score.append(score)

    def _wrong(self, path: Path, number: int, fact: str) -> None:
        self.builder.finding("E001", f"{self.source.name(path)}: line {number}", fact)

    def add(self) -> None:
        """Hand the columns to the builder; classes nobody named are numbered."""
        count = len(self.names) if self.names is not None else max(self.category, default=-1) + 1
        for index in range(len(self.builder.categories), count):
            self.builder.category(self.names[index] if self.names else f"class_{index}", index)
        self.builder.boxes(
            self.image,
            self.category,
            self.xyxy,
            file=self.file,
            line=self.line,
            flags=self.flags,
            fractions=True,
            score=self.score,
        )


def write(dataset: Dataset, sink: Sink) -> None:
    """Write `images/SPLIT/`, `labels/SPLIT/` and `data.yaml`."""
    names = file_names(dataset, sink, stems=True)
    rows = _formatted(dataset)
    groups = split_groups(dataset)
    for split, positions in groups.items():
        for image, own in rows_of(dataset, positions):
            photo = dataset.images[image]
            path = f"images/{split}/{names[image]}" if split else f"images/{names[image]}"
            sink.image(photo, path)
            if photo.labelled or own.start < own.stop:
                sink.text(_label_name(path), "".join(rows[own]))
    sink.text("data.yaml", _yaml_text(dataset, list(groups)))


def _label_name(path: str) -> str:
    """Give the label file Ultralytics looks for: the last `images` of the path becomes `labels`.

    >>> _label_name("images/train/images/a.b.jpg")
    'images/train/labels/a.b.txt'
    """
    head, _, tail = f"/{path}".rpartition("/images/")
    return f"{head}/labels/{stem(tail)}.txt".removeprefix("/")


def _formatted(dataset: Dataset) -> list[str]:
    """Give one line for every box: class and centre, width, height in millionths of the photo.

    Rounding may push an edge over the border by a millionth, which other readers refuse: such sides are shortened.
    """
    boxes = dataset.boxes
    sizes = np.array([(image.width, image.height) for image in dataset.images], dtype=np.float64).reshape(-1, 2)
    size = sizes[boxes.image] / UNIT
    centre = np.rint((boxes.xyxy[:, :2] + boxes.xyxy[:, 2:]) / 2 / size)
    extent = np.maximum(np.rint((boxes.xyxy[:, 2:] - boxes.xyxy[:, :2]) / size), 1)
    for _ in range(3):
        low, high = centre / UNIT - extent / UNIT / 2, centre / UNIT + extent / UNIT / 2
        extent -= (low < 0) | (high > 1)
    values = np.hstack([centre, np.maximum(extent, 0)]) / UNIT
    columns = (boxes.category.tolist(), *values.T.tolist())
    return [f"{c} {x:.6f} {y:.6f} {w:.6f} {h:.6f}\n" for c, x, y, w, h in zip(*columns, strict=True)]


def _yaml_text(dataset: Dataset, splits: list[str]) -> str:
    """Give `data.yaml`: Ultralytics refuses one without train and val, so one folder stands in for a missing one.

    It has no `path`, which Ultralytics would take from its own settings or the working directory.
    """
    import yaml

    folders = {split: f"images/{split}" if split else "images" for split in splits}
    stand_in = folders.get("train", folders[splits[0]])
    entries = {"train": stand_in, "val": folders.get("val", stand_in), **{k: v for k, v in folders.items() if k}}
    names = {index: category.name for index, category in enumerate(dataset.categories)}
    return yaml.safe_dump({**entries, "names": names}, allow_unicode=True, sort_keys=False, width=1 << 20)
