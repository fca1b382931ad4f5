"""Small objects in big photos: does a model trained on tiles find them in tiles, and not in whole photos?

    python tests/soak/soak_tiles.py [--photos 3] [--epochs 4]

Photos of the bay, 2,000 pixels long, with buoys of about 12 pixels; a model trained for a few minutes on tiles of 320
pixels; AP50 on photos it has not seen, in tiles and whole. Fails where tiles bring less than 0.3, or where a tile that
holds the whole photo changes a byte of what is detected.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from focalcli.images.synthetic import CLASSES, compose, jpeg, paint  # noqa: E402
from focalcli.images.synthetic_set import Photo, coco  # noqa: E402

SIZE, TILE, OBJECTS, RADII = 2000, 320, 60, (5.5, 6.5)
GAIN = 0.3


def make(folder: Path, split: str, count: int, *, seed: int) -> list[float]:
    """Write the photos of a split and their COCO file; give the longer side of each object."""
    share, _, draw = CLASSES["buoy"]
    CLASSES["buoy"] = (share, RADII, draw)
    pictures = folder / "images" / split
    pictures.mkdir(parents=True)
    photos = []
    for index in range(count):
        scene = compose(seed, 0, index, ["buoy"] * OBJECTS, size=SIZE)
        name = f"{split}-{index}.jpg"
        (pictures / name).write_bytes(jpeg(paint(scene)))
        height, width = scene.light.shape
        photos.append(Photo(name, width, height, scene.objects))
    (folder / "annotations").mkdir(exist_ok=True)
    (folder / "annotations" / f"{split}.json").write_text(coco(photos))
    boxes = [found.box for photo in photos for found in photo.objects]
    return [max(x2 - x1, y2 - y1) for x1, y1, x2, y2 in boxes]


def focalcli(*words: str) -> str:
    """Run the program; give what it printed."""
    command = [sys.executable, "-m", "focalcli", *words]
    return subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.PIPE, text=True).stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=3, help="for training; half as many, at least 2, to measure on")
    parser.add_argument("--epochs", type=int, default=4)
    options = parser.parse_args()
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        data, run = str(Path(name) / "data"), str(Path(name) / "run")
        sides = make(Path(data), "train", options.photos, seed=0)
        sides += make(Path(data), "val", max(2, options.photos // 2), seed=1)
        recipe = ["--tile", str(TILE), "--anchor-size", "10", "--batch", "4", "--epochs", str(options.epochs)]
        focalcli("train", data, "-o", run, "--val-split", "off", *recipe)
        words = ["evaluate", data, "--split", "val", "--model", run, "--json"]
        tiled, whole = (json.loads(focalcli(*words, *more)) for more in ([], ["--tile", "off"]))
        [ap50], [whole_ap50] = (
            [row["AP50"] for row in result["classes"] if row["name"] == "buoy"] for result in (tiled, whole)
        )
        photos = ["detect", f"{data}/images/val", "--model", run, "--threshold", "0.01"]
        same = focalcli(*photos, "--tile", "off") == focalcli(*photos, "--tile", str(2 * SIZE))
    line = {"soak": "tiles", "object_px": round(sum(sides) / len(sides), 1), "objects": len(sides)}
    line |= {"tiled_AP50": round(ap50, 3), "whole_AP50": round(whole_ap50, 3), "whole_tile_same_bytes": same}
    print(json.dumps({**line, "seconds": round(time.perf_counter() - begun)}))
    sys.exit(ap50 < whole_ap50 + GAIN or not same)


if __name__ == "__main__":
    main()
