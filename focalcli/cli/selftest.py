"""The self-test of `focalcli doctor`: the whole chain on a data set of minutes ago, in a folder that is gone after."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from focalcli.cli.checkup import Check
from focalcli.errors import FocalError

_REMEDY = "run focalcli doctor --debug and report what it says"
_TOLERANCE = 0.01  # of scores, CPU against GPU: bfloat16 and float32 have seen the same photo


def chain() -> Iterator[Check]:
    """Draw, train, measure, export, and compare the answers of both models, and of both devices where there are two."""
    start = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="focalcli-doctor-") as name:
            yield from _links(Path(name))
    except FocalError as error:
        yield Check("self-test", "failure", str(error), _REMEDY)
        return
    yield Check("self-test", "ok", f"the whole chain works, {time.monotonic() - start:.0f} s")


def _links(folder: Path) -> Iterator[Check]:
    from focalcli import api
    from focalcli.export.options import ExportOptions
    from focalcli.images.synthetic_set import write_bay

    write_bay(folder / "bay", 12, size=160, seed=0)
    run = api.train(folder / "bay", output=folder / "run", **_RECIPE)
    yield Check("train", "ok", f"{_RECIPE['epochs']} epochs of 8 photos")
    model = run / "best.safetensors"
    measured = api.evaluate(folder / "bay", split="test", model=model)
    yield Check("evaluate", "ok", f"{measured['images']} photos, AP {measured['AP']:.3f}")
    # a fixed size: with a free one, tracing took 27 s of CPU instead of 14 (one thread, busy machine)
    api.export(model, folder / "model.onnx", options=ExportOptions(size=(128, 128)))
    yield Check("export", "ok", "ONNX Runtime gives torch's answers")
    yield from _devices(folder / "bay", model)


# Small and quick: this asks whether the parts work together, not how well they learn. Most of its time goes to imports
# and to torch's exporter: 15 s of CPU in all on a busy core, 5 of them for the modules that training needs.
_RECIPE: dict[str, Any] = {
    "preset": "test_resnet",  # of timm, the smallest: half the time of the default preset
    "epochs": 2,
    "batch": 4,
    "min_size": 96,
    "max_size": 128,
    "anchor_size": 10,
    "weights": "none",
    "workers": 0,
    "eval_every": 2,
}


def _devices(data: Path, model: Path) -> Iterator[Check]:
    """Compare the scores of the CPU with those of the first CUDA device, where there is one."""
    import torch

    if not torch.cuda.is_available():
        return
    cpu, gpu = (_scores(data, model, device) for device in ("cpu", "cuda"))
    apart = max((abs(a - b) for a, b in zip(cpu, gpu, strict=False)), default=0.0)
    if len(cpu) == len(gpu) and apart <= _TOLERANCE:
        yield Check("cpu and cuda", "ok", f"{len(cpu)} scores, at most {apart:.4f} apart")
    else:
        fact = f"{len(cpu)} and {len(gpu)} detections, scores up to {apart:.4f} apart"
        yield Check("cpu and cuda", "failure", fact, "update the driver and torch, or use --device cpu")


def _scores(data: Path, model: Path, device: str) -> list[float]:
    from focalcli import api

    records = api.detect([data], model=model, device=device, threshold=0.05)
    return [score for record in records if not isinstance(record.found, FocalError) for score in record.found.scores]
