"""The values that Tab offers for an option or argument: its choices, or what the key's name promises.

A key means the same in every verb, so one table serves all. Nothing here reads more than a file's header.
"""

import json
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from focalcli.cli import settings
from focalcli.cli.app import VERBS

FILES, FOLDERS = ":files", ":dirs"  # the shell's own completion

Candidate = tuple[str, str]

_LONGEST_HEADER = 100_000_000  # bytes; safetensors' own limit


def values(verb: str, parameter: Any, words: list[str]) -> Iterator[Candidate]:
    """Give what may stand for a parameter of a verb; `words` are those after the verb, for what depends on them."""
    key = settings.key_of(parameter)
    source = SOURCES.get(f"{verb} {key}") or SOURCES.get(key)
    if source:
        yield from source(words)
    for choice in _choices(parameter.type):
        yield str(choice), ""
    kind = parameter.type.name.split()[0]
    if kind == "directory" or parameter.metavar == "DIR":
        yield FOLDERS, ""
    elif kind in ("path", "file"):
        yield FILES, ""


def models(words: list[str]) -> Iterator[Candidate]:
    """Give the models of the trainings under `runs/` and the ONNX files here."""
    for path in sorted(Path("runs").glob("*/best.safetensors")):
        yield str(path), f"model of the run {path.parent.name}"
    for path in sorted(Path().glob("*.onnx")):
        yield str(path), "exported model"


def runs(words: list[str]) -> Iterator[Candidate]:
    """Give the trainings under `runs/`, to go on with or to replace."""
    return ((str(path), "a run") for path in sorted(Path("runs").glob("*")) if path.is_dir())


def exported(words: list[str]) -> Iterator[Candidate]:
    """Give the ONNX files here and under `runs/`."""
    found = [*Path().glob("*.onnx"), *Path("runs").glob("*/*.onnx")]
    return ((str(path), "exported model") for path in sorted(found))


def presets(words: list[str]) -> Iterator[Candidate]:
    """Give the presets with their backbones."""
    from focalcli.config import PRESETS

    return ((name, str(fields.get("backbone", ""))) for name, fields in PRESETS.items())


def classes(words: list[str]) -> Iterator[Candidate]:
    """Give the class names of the model that is named on the line, set in the settings, or newest under `runs/`."""
    path = _model_of(words)
    return ((name, "") for name in class_names(path)) if path else iter(())


def class_names(path: Path) -> list[str]:
    """Read the class names out of the header of a safetensors file; none when it has none."""
    try:
        with path.open("rb") as file:
            [length] = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(min(length, _LONGEST_HEADER)))
        return [each["name"] for each in json.loads(header["__metadata__"]["focalcli.config"])["classes"]]
    except (OSError, ValueError, struct.error, LookupError, TypeError):
        return []


def _model_of(words: list[str]) -> Path | None:
    if "--model" in words[:-1]:
        return Path(words[words.index("--model") + 1])
    found = settings.find(Path(), os.environ, VERBS).get(("", "model"))
    if found:
        return Path(str(found.value))
    newest = sorted(Path("runs").glob("*/best.safetensors"), key=lambda path: path.stat().st_mtime)
    return newest[-1] if newest else None


def _choices(kind: Any) -> tuple[Any, ...]:
    """Give the choices of Typer's own type, or of an option made from a struct's field."""
    holder = kind if hasattr(kind, "choices") else getattr(kind, "func", None)
    return tuple(getattr(holder, "choices", ()))


def _words(*choices: str) -> Callable[[list[str]], Iterator[Candidate]]:
    return lambda words: ((choice, "") for choice in choices)


def _schemas(words: list[str]) -> Iterator[Candidate]:
    from focalcli.cli.schema import SCHEMAS

    return ((name, "") for name in SCHEMAS)


def _formats(words: list[str]) -> Iterator[Candidate]:
    from focalcli.dataset.formats.table import names

    return ((name, "") for name in names())


def _verbs(words: list[str]) -> Iterator[Candidate]:
    return ((name, verb.help) for name, verb in VERBS.items())


# By key, or by verb and key where a key means something of its own there.
SOURCES: dict[str, Callable[[list[str]], Iterator[Candidate]]] = {
    "compare a": models,
    "compare b": models,
    "detect classes": classes,
    "device": _words("auto", "cpu", "cuda", "mps"),
    "from": _formats,
    "model": models,
    "paths": _words(FILES),
    "preset": presets,
    "split": _words("train", "val", "test"),
    "to": _formats,
    "train_split": _words("train", "val", "test"),
    "val_split": _words("train", "val", "test", "off"),
    "weights": _words("auto", "imagenet", "coco", "none", FILES),
    "config verb": _verbs,
    "train output": runs,
    "verify model": exported,
    "schema name": _schemas,
}
