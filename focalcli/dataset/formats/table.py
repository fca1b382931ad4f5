"""The table of formats: name to module, each imported when it is first asked for."""

import os
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, cast

from focalcli.errors import Unavailable, UsageError, did_you_mean

if TYPE_CHECKING:
    from focalcli.dataset.format import Format

FORMATS: dict[str, str] = {
    "coco": "focalcli.dataset.formats.coco",
    "createml": "focalcli.dataset.formats.createml",
    "cvat": "focalcli.dataset.formats.cvat",
    "darknet": "focalcli.dataset.formats.darknet",
    "hf": "focalcli.dataset.formats.hf_jsonl",
    "kitti": "focalcli.dataset.formats.kitti",
    "label-studio": "focalcli.dataset.formats.label_studio",
    "labelme": "focalcli.dataset.formats.labelme",
    "open-images": "focalcli.dataset.formats.open_images",
    "retinanet": "focalcli.dataset.formats.retinanet_csv",
    "tfod": "focalcli.dataset.formats.tfod_csv",
    "via": "focalcli.dataset.formats.via",
    "voc": "focalcli.dataset.formats.voc",
    "yolo": "focalcli.dataset.formats.yolo",
}

ALIASES: dict[str, str] = {
    "coco-json": "coco",
    "cvat-xml": "cvat",
    "hf-jsonl": "hf",
    "huggingface": "hf",
    "imagefolder": "hf",
    "keras-retinanet": "retinanet",
    "labelimg": "darknet",
    "labelstudio": "label-studio",
    "openimages": "open-images",
    "pascal-voc": "voc",
    "retinanet-csv": "retinanet",
    "tensorflow": "tfod",
    "tfod-csv": "tfod",
    "ultralytics": "yolo",
    "yolo-darknet": "darknet",
    "yolov5": "yolo",
    "yolov8": "yolo",
}

ENTRY_POINTS = "focalcli.formats"


def names() -> list[str]:
    """Give the names of all formats: our own, then those of installed plug-ins, each sorted."""
    return [*sorted(FORMATS), *sorted(_plugins())]


def load(name: str) -> "Format":
    """Import a format by its name or alias.

    Raises:
        UsageError: there is no such format.
        Unavailable: a plug-in does not import, or takes the name of one of our formats.
    """
    name = ALIASES.get(name.lower(), name.lower())
    if name in FORMATS:
        return cast("Format", import_module(FORMATS[name]))
    if name not in _plugins():
        raise UsageError("format", f"{name!r} is not known", did_you_mean(name, names()))
    return _load_plugin(name)


@cache
def _plugins() -> dict[str, str]:
    """Give name to target of the installed plug-ins; FOCALCLI_NO_PLUGINS=1 turns them off."""
    if os.environ.get("FOCALCLI_NO_PLUGINS") == "1":
        return {}
    found = {entry.name.lower(): entry.value for entry in entry_points(group=ENTRY_POINTS)}
    if taken := sorted(found.keys() & (FORMATS.keys() | ALIASES.keys())):
        raise Unavailable(found[taken[0]], f"the plug-in takes the name of the format {taken[0]}", "uninstall it")
    return found


def _load_plugin(name: str) -> "Format":
    """Import `package.module` or `package.module:object`."""
    module, _, attribute = _plugins()[name].partition(":")
    try:
        loaded = import_module(module)
        return cast("Format", getattr(loaded, attribute) if attribute else loaded)
    except (ImportError, AttributeError) as error:
        raise Unavailable(f"format plug-in {name}", f"does not import ({error})", "update or uninstall it") from error
