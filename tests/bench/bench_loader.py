"""The loader alone: BCCD at 480 px with `light` augmentation, and what each photo's time is spent on.

    python tests/bench/bench_loader.py [DATA]

Prints photos/s of one process and of one worker process as `focalcli train` has it on two cores (the rate at which
batches arrive when nothing else computes), and microseconds a photo of the parts. There is no peer: the loader only has
to outrun the network.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from focalcli.dataset.read import read_dataset
from focalcli.errors import FocalError
from focalcli.images.decode import read_image
from focalcli.images.fit import Fit
from focalcli.training.augment import Augmentation, Sample
from focalcli.training.samples import Key, Samples, batches

DATA = Path(__file__).resolve().parents[3] / "shared/data/bccd"
BATCH, PHOTOS = 8, 208
FILL = (128, 128, 128)


def seconds_of(work: Callable[[], object]) -> float:
    """Give the seconds that `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def parts(samples: Samples) -> dict[str, float]:
    """Give the microseconds a photo of decoding, changing and fitting."""
    paths = [image.path for image in samples.dataset.images[:PHOTOS] if image.path]
    photos = [read_image(path) for path in paths]
    objects = [samples._objects(i) for i in range(len(paths))]
    changed: list[Sample] = []
    decode = seconds_of(lambda: [read_image(path) for path in paths])
    change = seconds_of(
        lambda: changed.extend(
            samples.augmentation(Sample(p, *o), i) for i, (p, o) in enumerate(zip(photos, objects, strict=True))
        )
    )
    fit = seconds_of(lambda: [samples.fit.apply(sample.image) for sample in changed])
    return {name: round(s / len(paths) * 1e6) for name, s in (("decode", decode), ("change", change), ("fit", fit))}


def main() -> None:
    """Measure and print."""
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA
    try:
        dataset = read_dataset(place)
    except FocalError as error:
        sys.exit(f"{error}; give a data set")
    fit = Fit(min_size=480, max_size=640, divisor=32, fill=FILL)
    samples = Samples(dataset, fit, Augmentation("light", flip="horizontal", fill=FILL), seed=0)
    keys = [[Key(0, start + i) for i in range(BATCH)] for start in range(0, PHOTOS, BATCH)]
    for workers in (0, 1):
        stream = batches(samples, keys, workers=workers, pin=False)
        next(stream)
        rate = (PHOTOS - BATCH) / seconds_of(lambda stream=stream: list(stream))
        print(json.dumps({"bench": "loader", "workers": workers, "ours": round(rate, 1), "unit": "photos/s"}))
    print(json.dumps({"bench": "loader parts", **parts(samples), "unit": "us a photo", "cores": os.cpu_count()}))


if __name__ == "__main__":
    main()
