"""Speed of exported files, alternating in one run: python tests/bench/bench_export.py [--model M --int8 FILE ...]

Two networks at 320 x 320: torchvision's RetinaNet R50 by its own legacy ONNX export against our export of the same
weights; and the model in question (default: the preset lite0 with random weights) in torch eager, fp32, fp16 and INT8.
Each form comes from a file of `focalcli export` where one is given, else it is built here, INT8 with ranges of
generated images.
Milliseconds at batch 1 and images a second at batch 8, the median of alternating rounds. One JSON line a comparison.
"""

import argparse
import io
import json
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import torch
from torchvision.models.detection import retinanet_resnet50_fpn

from focalcli.checkpoint import load_model
from focalcli.config import ClassInfo, model_config
from focalcli.detection.postprocess import detect
from focalcli.detection.retinanet import RetinaNet, build_retinanet
from focalcli.export.cases import generated
from focalcli.export.graph import build_onnx
from focalcli.export.half import to_half
from focalcli.export.options import ExportOptions, fixed_fit
from focalcli.export.quantize import find_ranges, prepared, quantized
from focalcli.export.session import open_session
from focalcli.inference.eight_bit_sums import weight_bits_here

SIZE = (320, 320)
BATCHES = (1, 8)
FORMS = ("fp32", "fp16", "int8")
Run = Callable[[], object]


def images(count: int) -> np.ndarray:
    return np.ascontiguousarray(np.stack([generated(seed, SIZE) for seed in range(count)]).transpose(0, 3, 1, 2))


def medians(runs: dict[str, Run], rounds: int) -> dict[str, float]:
    """Give seconds a call, the median of rounds in which every run has its turn, after one to warm up."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for index in range(rounds + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if index:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def session_run(model: onnx.ModelProto, batch: np.ndarray) -> Run:
    session = open_session(model.SerializeToString())
    return lambda: session.run(None, {"images": batch})


def eager_run(model: RetinaNet, batch: np.ndarray) -> Run:
    model = model.to(memory_format=torch.channels_last)  # as `focalcli detect` runs it
    tensor = torch.from_numpy(batch).contiguous(memory_format=torch.channels_last)

    def run() -> object:
        with torch.inference_mode():
            return detect(model(tensor), model.anchors(SIZE, tensor.device), SIZE, model.config.postprocess)

    return run


def report_speed(name: str, against: str, batch: int, ours: float, peer: float) -> None:
    """Print seconds a call as milliseconds at batch 1, else as images a second; a `ratio` above 1: ours is faster."""
    numbers = [seconds * 1e3 if batch == 1 else batch / seconds for seconds in (ours, peer)]
    line = {
        "bench": f"export: {name} against {against}, batch {batch}",
        "ours": round(numbers[0], 2),
        "peer": round(numbers[1], 2),
        "ratio": round(peer / ours, 2),
        "unit": "ms" if batch == 1 else "images/s",
    }
    print(json.dumps(line), flush=True)


def against_torchvision(rounds: int) -> None:
    torch.manual_seed(0)
    theirs = retinanet_resnet50_fpn(weights=None, weights_backbone=None, min_size=320, max_size=320).eval()
    ours = build_retinanet(model_config("r50", tuple(ClassInfo(str(i), i) for i in range(91)))).eval()
    ours.load_torchvision(theirs.state_dict())
    ours.config = fixed_fit(ours.config, SIZE)
    file = build_onnx(ours, ExportOptions(size=SIZE))
    for batch in BATCHES:
        photos = images(batch)
        found = medians({"ours": session_run(file, photos), "torchvision": legacy_run(theirs, photos)}, rounds)
        report_speed("R50 fp32", "torchvision's legacy export", batch, found["ours"], found["torchvision"])


def legacy_run(model: torch.nn.Module, batch: np.ndarray) -> Run:
    """Export as torchvision can: a list of as many images as were traced, each an input of its own."""
    photos = batch.astype(np.float32) / 255
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, ([*torch.from_numpy(photos)],), buffer, dynamo=False, opset_version=18)
    session = open_session(buffer.getvalue())
    inputs = {entry.name: photo for entry, photo in zip(session.get_inputs(), photos, strict=True)}
    return lambda: session.run(None, inputs)


def eight_bits(fp32: onnx.ModelProto) -> onnx.ModelProto:
    ready = prepared(fp32)
    ranges = find_ranges(ready, lambda: iter([images(1), images(3)]), "minmax")
    return quantized(ready, ranges, [], weight_bits=weight_bits_here())


def precisions(model: RetinaNet, files: dict[str, Path | None], rounds: int) -> None:
    model.config = fixed_fit(model.config, SIZE)
    forms = {name: onnx.load(path) for name, path in files.items() if path}
    if "fp32" not in forms:
        forms["fp32"] = build_onnx(model, ExportOptions(size=SIZE))
    forms.setdefault("fp16", to_half(forms["fp32"]))
    forms.setdefault("int8", eight_bits(forms["fp32"]))
    for batch in BATCHES:
        photos = images(batch)
        runs = {"eager": eager_run(model, photos), **{name: session_run(form, photos) for name, form in forms.items()}}
        found = medians(runs, rounds)
        for ours, peer in (("fp32", "eager"), ("fp16", "fp32"), ("int8", "fp32")):
            report_speed(ours, peer, batch, found[ours], found[peer])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path)
    for form in FORMS:
        parser.add_argument(f"--{form}", type=Path, metavar="FILE")
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    torch.manual_seed(0)
    random = model_config("lite0", tuple(ClassInfo(str(i), i) for i in range(3)))
    model = load_model(given.model) if given.model else build_retinanet(random).eval()
    precisions(model, {form: getattr(given, form) for form in FORMS}, given.rounds)
    against_torchvision(given.rounds)


if __name__ == "__main__":
    main()
