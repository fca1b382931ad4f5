"""What to do next, from what lies in the folder: the answer to `focalcli` called bare.

Names of files are enough here; whether they hold what they promise is for the verbs to say.
"""

from pathlib import Path

_DATA_SETS = (  # what gives a data set away, and what it is called
    ("data.yaml", "a YOLO data set"),
    ("dataset.yaml", "a YOLO data set"),
    ("Annotations/*.xml", "a Pascal VOC data set"),
    ("annotations/*.json", "a COCO data set"),
    ("annotations.json", "a COCO data set"),
    ("_annotations.coco.json", "a COCO data set"),
    ("*/_annotations.coco.json", "a COCO data set"),
)
_PHOTOS = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"}


def next_steps(folder: Path) -> str:
    """Say what was found in the folder, and which commands go on from there."""
    found, commands = _look(folder)
    width = max(len(command) for command, _ in commands)
    steps = [f"  {command:<{width}}  # {why}" for command, why in commands]
    return "\n".join([f"Found {found}.", "", "Next:", *steps, "", "All verbs: focalcli --help"])


def _look(folder: Path) -> tuple[str, list[tuple[str, str]]]:
    models = sorted(folder.glob("runs/*/best.safetensors"))
    data = next((kind for pattern, kind in _DATA_SETS if next(folder.glob(pattern), None)), "")
    if models:
        return f"{len(models)} finished training run{'s' * (len(models) > 1)} in runs/", [
            ("focalcli runs", "compare them"),
            ("focalcli evaluate", "measure the newest"),
            (f"focalcli detect {_photos(folder)} -o found", "find objects in photos"),
            ("focalcli export --onnx", "one file that runs anywhere"),
        ]
    if (folder / "focalcli.toml").is_file():
        return "focalcli.toml", [("focalcli config show --origin", "what it sets"), ("focalcli train", "as it says")]
    if data:
        return data, [("focalcli validate", "check it first"), ("focalcli train", "into runs/train-1")]
    if _photos(folder) != "PHOTOS":
        return "photos, but no annotations and no model", [
            (f"focalcli detect {_photos(folder)} --model MODEL", "with a model you have"),
            ("focalcli convert ANNOTATIONS DATA --to coco", "bring annotations of another tool"),
        ]
    return "neither a data set nor a model in this folder", [
        ("focalcli demo bay && cd bay && focalcli train", "try it on a made-up data set"),
        ("focalcli convert SRC DST --to coco", "bring your own annotations"),
    ]


def _photos(folder: Path) -> str:
    """Name a folder with photos, this one included."""
    for candidate in [folder / "images", folder / "photos", folder]:
        if candidate.is_dir() and any(path.suffix.lower() in _PHOTOS for path in candidate.iterdir()):
            return f"{candidate.name}/" if candidate != folder else "."
    return "images/" if (folder / "images").is_dir() else "PHOTOS"
