"""`data.yaml` of a YOLO data set: class names by index, and the folders or lists of each split."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from focalcli.dataset.names import split_name
from focalcli.dataset.source import Source
from focalcli.errors import DataError

KEYS = ("train", "val", "validation", "test")


@dataclass(frozen=True, slots=True)
class DataYaml:
    """What `data.yaml` says: the class names, None where it has none, and the entries of each split."""

    path: Path
    names: list[str] | None
    entries: dict[str, list[str]]
    kpt_tokens: int
    root: str


def top_keys(text: str) -> set[str]:
    """Give the keys at the left margin of a YAML text."""
    lines = (line for line in text.splitlines() if line[:1].isalpha() or line[:1] in "\"'")
    return {line.partition(":")[0].strip().strip("\"'") for line in lines if ":" in line}


def find_yaml(source: Source) -> DataYaml | None:
    """Read `data.yaml`, or the one YAML file that names classes and splits."""
    if not source.path.is_dir():
        return _read_yaml(source, source.path) if source.path.suffix.lower() in (".yaml", ".yml") else None
    found = source.files(".yaml", ".yml", depth=0)
    found = [path for path in found if top_keys(source.text(path)) & {"names", "nc"}]
    usual = [path for path in found if path.stem in ("data", "dataset")]
    if len(usual or found) > 1:
        names = ", ".join(path.name for path in usual or found)
        raise DataError(source.path, f"has several YAML files with class names ({names})", "name the one to read")
    return _read_yaml(source, (usual or found)[0]) if found else None


def _read_yaml(source: Source, path: Path) -> DataYaml:
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
    return DataYaml(path, names, entries, _keypoint_tokens(content), content.get("path") or "")


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


def own_entries(yaml: DataYaml) -> dict[str, list[str]]:
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
