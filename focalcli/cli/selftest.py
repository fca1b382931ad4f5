"""The self-test of `focalcli doctor`: the whole chain on a data set of minutes ago, in a folder that is gone after."""

import gc
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from focalcli.cli.checkup import Check
from focalcli.errors import FocalError

_REMEDY = "run focalcli doctor --debug and report what it says"
_TOLERANCE = 0.01  # of scores, CPU against GPU: bfloat16 and float32 have seen the same photo


def chain() -> Iterator[Check]:
    """Draw, train, measure, export, and compare the answers of both models, and of both devices where there are two."""
    start, broken = time.monotonic(), False
    try:
        with tempfile.TemporaryDirectory(prefix="focalcli-doctor-") as name, _undivided():
            for check in _links(Path(name)):
                broken |= check.state == "failure"
                yield check
    except FocalError as error:
        yield Check("self-test", "failure", str(error), _REMEDY)
        return
    if not broken:
        yield Check("self-test", "ok", f"the whole chain works, {time.monotonic() - start:.0f} s")


@contextmanager
def _undivided() -> Iterator[None]:
    """Compute in one thread, since several wait for each other on photos this small, and look for no cyclic garbage,
    since imports and torch's exporter make many objects and drop few.
    """
    import torch

    threads, collected = torch.get_num_threads(), gc.isenabled()
    torch.set_num_threads(1)
    gc.disable()
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        if collected:
            gc.enable()


def _links(folder: Path) -> Iterator[Check]:
    from focalcli import api
    from focalcli.export.options import ExportOptions
    from focalcli.images.synthetic_set import write_bay

    write_bay(folder / "bay", 12, size=160, seed=0)
    losses: list[float] = []
    run = api.train(folder / "bay", output=folder / "run", on_record=lambda line: _note(line, losses), **_RECIPE)
    yield _learned(losses)
    model = run / "best.safetensors"
    measured = api.evaluate(folder / "bay", split="test", model=model)
    yield Check("evaluate", "ok", f"{measured['images']} photos, AP {measured['AP']:.3f}")
    # a fixed size: with a free one, tracing took 27 s of CPU instead of 14 (one thread, busy machine)
    api.export(model, folder / "model.onnx", options=ExportOptions(size=(128, 128)))
    yield Check("export", "ok", "ONNX Runtime gives torch's answers")
    yield from _devices(folder / "bay", model)


# Small and quick: this asks whether the parts work together, and whether the loss falls at all. Most of its processor
# time are imports and torch's exporter, which the smallest network pays too.
_RECIPE: dict[str, Any] = {
    "preset": "tiny",
    "epochs": 4,
    "batch": 4,
    "lr": 0.003,
    "anchor_size": 10,
    "weights": "none",
    "workers": 0,
    "eval_every": 4,
}


def _note(line: dict[str, Any], losses: list[float]) -> None:
    if line["kind"] == "step":
        losses.append(line["loss"])


def _learned(losses: list[float]) -> Check:
    """Say whether the loss of the last half is below that of the first."""
    half = len(losses) // 2
    first, last = (sum(part) / max(1, len(part)) for part in (losses[:half], losses[half:]))
    fact = f"{len(losses)} steps of {_RECIPE['batch']} photos, loss {first:.2f}, then {last:.2f}"
    return (
        Check("train", "ok", fact) if last < first else Check("train", "failure", f"{fact}: it does not fall", _REMEDY)
    )


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
