"""Train on a folder, measure, and count what is on each test photo: the verbs as Python functions.

python examples/python-api/counts.py DATA [EPOCHS]
"""

import sys
from collections import Counter
from pathlib import Path

from focalcli import api
from focalcli.errors import FocalError


def main(data: Path, epochs: int) -> None:
    run = api.train(data, epochs=epochs, min_size=256, anchor_size=16, flip="both", say=print)
    numbers = api.evaluate(data, split="test", model=run)
    print(f"AP {numbers['AP']:.3f}, AP50 {numbers['AP50']:.3f}")

    certificate = api.export(run, "detector.onnx")
    print(f"detector.onnx: {certificate.bytes / 1e6:.1f} MB, the same as the model in {len(certificate.trials)} trials")

    names = [found["name"] for found in numbers["classes"]]
    for record in api.detect([data / "images" / "test"], model="detector.onnx", threshold=0.5):
        if isinstance(record.found, FocalError):
            print(f"{record.image}: {record.found}")
        else:
            print(record.image, dict(Counter(names[index] for index in record.found.classes.tolist())))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 8)
