"""Detection from files to JSON lines against a plain torchvision loop with the same network and weights.

    python tests/bench/bench_detect.py [MODEL [DATA]] [--split S] [--onnx FILE] [--int8 FILE] [--openvino FILE]
    python tests/bench/bench_detect.py MODEL DATA --device cuda

MODEL: a checkpoint of a timm backbone, else the newest run; DATA: its annotated photos, else BCCD. The peer is
torchvision's RetinaNet with timm's backbone and the model's anchors, one photo at a time, float32. On a CPU the ONNX
and INT8 forms are measured too; what is not given is made here, INT8 with the ranges of 32 of the photos and no layer
left out. All take turns, round by round, in one process; start-up is not counted. Prints one JSON line a way: images/s
(medians of the rounds) and the AP of what it wrote: two minutes for 72 photos where the peer does 8 a second. Where
there is no such device it says so and ends.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.models.detection import RetinaNet
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.retinanet import RetinaNetHead
from torchvision.ops import FeaturePyramidNetwork
from torchvision.ops.feature_pyramid_network import LastLevelP6P7
from torchvision.transforms.functional import to_tensor

from focalcli.checkpoint import load_checkpoint, load_model
from focalcli.config import AnchorConfig, ModelConfig
from focalcli.dataset.read import read_dataset
from focalcli.dataset.types import Dataset
from focalcli.detection.anchors import pyramid_anchors
from focalcli.detection.devices import pick_device
from focalcli.errors import FocalError, Unavailable
from focalcli.evaluation.coco import evaluate
from focalcli.evaluation.predictions_file import read_predictions
from focalcli.export.graph import build_onnx
from focalcli.export.options import ExportOptions
from focalcli.export.quantize import find_ranges, prepared, quantized
from focalcli.images.decode import read_image
from focalcli.images.fit import Fit
from focalcli.inference.destinations import Destinations
from focalcli.inference.detector import Detector
from focalcli.inference.eight_bit_sums import weight_bits_here
from focalcli.inference.open import find_model, open_runtime
from focalcli.inference.records import SCHEMA
from focalcli.inference.sources import Finder
from focalcli.inference.stream import detect_stream

Way = Callable[[list[str], Path], None]

BCCD = Path(__file__).parents[2] / "../shared/data/bccd"
CALIBRATED_ON = 32
PEER = "torchvision loop"


class TimmBackbone(nn.Module):
    """timm's features and torchvision's pyramid, as a user of torchvision puts them together."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        import timm

        self.body = timm.create_model(config.backbone, features_only=True, out_indices=(2, 3, 4))
        channels, self.out_channels = self.body.feature_info.channels(), config.pyramid_channels
        top = LastLevelP6P7(channels[-1], self.out_channels)
        self.fpn = FeaturePyramidNetwork(channels, self.out_channels, extra_blocks=top)

    def forward(self, images: Tensor) -> OrderedDict[str, Tensor]:
        features: OrderedDict[str, Tensor] = self.fpn(OrderedDict(enumerate(self.body(images))))
        return features


class TrainedAnchors(AnchorGenerator):
    """torchvision's generator with the anchors that the model was trained on: centred in their cells, not rounded."""

    def __init__(self, config: AnchorConfig) -> None:
        super().__init__((config.scales,) * len(config.sizes), (config.ratios,) * len(config.sizes))
        self.config = config

    def forward(self, image_list: ImageList, feature_maps: list[Tensor]) -> list[Tensor]:
        height, width = image_list.tensors.shape[-2:]
        anchors = torch.cat(pyramid_anchors(self.config, (height, width)))
        return [anchors.to(image_list.tensors.device)] * len(image_list.image_sizes)


def torchvision_loop(path: Path, device: str) -> Way:
    config, state = load_checkpoint(path)
    anchors, post = config.anchors, config.postprocess
    model = RetinaNet(
        TimmBackbone(config),
        num_classes=config.num_classes,
        min_size=config.fit.min_size,
        max_size=config.fit.max_size,
        image_mean=list(config.mean),
        image_std=list(config.std),
        anchor_generator=TrainedAnchors(anchors),
        head=RetinaNetHead(config.head_channels, anchors.per_cell, config.num_classes),
        score_thresh=post.score_threshold,
        nms_thresh=post.nms_iou,
        detections_per_img=post.max_detections,
        topk_candidates=post.candidates,
    ).eval()
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected and all(name.endswith("num_batches_tracked") for name in missing), (missing, unexpected)
    model.to(device)

    @torch.no_grad()
    def run(photos: list[str], output: Path) -> None:
        with open(output, "w") as file:
            for photo in photos:
                image = Image.open(photo).convert("RGB")
                [found] = model([to_tensor(image).to(device)])
                rows = zip(*(found[key].tolist() for key in ("boxes", "scores", "labels")), strict=True)
                objects = [
                    {"box": b, "score": s, "class": config.classes[c].name, "class_id": config.classes[c].id}
                    for b, s, c in rows
                ]
                size = {"width": image.width, "height": image.height}
                print(json.dumps({"schema": SCHEMA, "image": photo, **size, "detections": objects}), file=file)

    return run


def focalcli(path: Path, batch: int | None, *, device: str) -> Way:
    detector = Detector(open_runtime(path, device=device), batch=batch)
    classes = detector.config.classes

    def run(photos: list[str], output: Path) -> None:
        with Destinations(format="jsonl", output=output).texts(classes, escape=str) as lines:
            for result in detect_stream(Finder().listed(photos), detector):
                lines.put(result)

    return run


def exported(path: Path, photos: list[str], folder: Path) -> dict[str, Path]:
    """Write the model's ONNX form, and that in 8 bits."""
    model = load_model(path)
    fit, form = Fit.of(model.config), build_onnx(model, ExportOptions())
    ready = prepared(form)
    few = photos[:: max(1, len(photos) // CALIBRATED_ON)]
    batches = (np.ascontiguousarray(fit.pad([fit.apply(read_image(Path(photo)))])) for photo in few)
    ranges = find_ranges(ready, lambda: batches, "minmax")
    files = {"onnx": form, "int8": quantized(ready, ranges, [], weight_bits=weight_bits_here())}
    for name, content in files.items():
        onnx.save(content, folder / f"{name}.onnx")
    return {name: folder / f"{name}.onnx" for name in files}


def average_precision(output: Path, dataset: Dataset) -> float:
    return round(float(evaluate(dataset, read_predictions(output, dataset).predictions).values["AP"]), 4)


def measured(ways: dict[str, Way], photos: list[str], rounds: int, files: dict[str, Path]) -> dict[str, float]:
    """Give images/s, the medians of rounds in which each way has its turn, after a few photos to warm up."""
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for name, run in ways.items():
        run(photos[:8], files[name])
    for _ in range(rounds):
        for name, run in ways.items():
            begun = time.perf_counter()
            run(photos, files[name])
            rates[name].append(len(photos) / (time.perf_counter() - begun))
    return {name: statistics.median(values) for name, values in rates.items()}


def bench(options: argparse.Namespace, folder: Path) -> None:
    model, device = find_model(options.model), options.device
    dataset = read_dataset(options.data, split=options.split)
    dataset = dataset.take_images(np.arange(len(dataset.images))[: options.photos])
    photos = [str(image.path) for image in dataset.images if image.path]
    ways = {PEER: torchvision_loop(model, device), "torch": focalcli(model, options.batch, device=device)}
    given = {name: getattr(options, name) for name in ("onnx", "int8") if getattr(options, name)}
    if device == "cpu":
        made = exported(model, photos, folder) if len(given) < 2 else {}
        ways |= {name: focalcli(path, options.batch, device=device) for name, path in {**made, **given}.items()}
    if options.openvino:
        ways["openvino"] = focalcli(options.openvino, options.batch, device="openvino")
    files = {name: folder / f"{name}.jsonl" for name in ways}
    rates = measured(ways, photos, options.rounds, files)
    peer, peer_ap = rates.pop(PEER), average_precision(files[PEER], dataset)
    for name, ours in rates.items():
        line = {"bench": f"detect {name}, {device}", "ours": round(ours, 2), "peer": round(peer, 2), "unit": "images/s"}
        precision = {"ours_AP": average_precision(files[name], dataset), "peer_AP": peer_ap}
        print(json.dumps({**line, "ratio": round(ours / peer, 2), **precision, "photos": len(photos)}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, nargs="?")
    parser.add_argument("data", type=Path, nargs="?", default=BCCD)
    parser.add_argument("--split", default="test")
    parser.add_argument("--onnx", type=Path)
    parser.add_argument("--int8", type=Path)
    parser.add_argument("--openvino", type=Path, help="an ONNX file")
    parser.add_argument("--device", default="cpu", help="of torch: cpu, cuda, cuda:1, mps")
    parser.add_argument("--photos", type=int, default=200, help="at most so many")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, help="as many as suit the machine, if not given")
    options = parser.parse_args()
    try:
        pick_device(options.device)
    except Unavailable as error:
        print(f"detect: nothing measured: {error}", file=sys.stderr)
        return
    try:
        with tempfile.TemporaryDirectory() as folder:
            bench(options, Path(folder))
    except FocalError as error:
        sys.exit(f"detect: {error}")


if __name__ == "__main__":
    main()
