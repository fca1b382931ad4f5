"""Detection from files to JSON lines against a plain torchvision loop with the same network and weights.

    python tests/bench/bench_detect.py MODEL DATA [--split S] [--onnx FILE] [--int8 FILE] [--openvino FILE] [--rounds N]

MODEL: a checkpoint of a timm backbone; DATA: its annotated photos. The peer is torchvision's RetinaNet with timm's
backbone, one photo at a time, float32. All take turns, round by round, in one process; start-up is not counted. Prints
one JSON line a way: images/s (medians) and the AP of what it wrote.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.models.detection import RetinaNet
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.retinanet import RetinaNetHead
from torchvision.ops import FeaturePyramidNetwork
from torchvision.ops.feature_pyramid_network import LastLevelP6P7
from torchvision.transforms.functional import to_tensor

from focalcli.checkpoint import load_checkpoint
from focalcli.config import ModelConfig
from focalcli.dataset.read import read_dataset
from focalcli.dataset.types import Dataset
from focalcli.evaluation.coco import evaluate
from focalcli.evaluation.predictions_file import read_predictions
from focalcli.inference.destinations import Destinations
from focalcli.inference.detector import Detector
from focalcli.inference.open import open_runtime
from focalcli.inference.records import SCHEMA
from focalcli.inference.sources import Finder
from focalcli.inference.stream import detect_stream

Way = Callable[[list[str], Path], None]


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


def torchvision_loop(path: Path) -> Way:
    config, state = load_checkpoint(path)
    anchors, post = config.anchors, config.postprocess
    sizes = tuple(tuple(base * scale for scale in anchors.scales) for base in anchors.sizes)
    model = RetinaNet(
        TimmBackbone(config),
        num_classes=config.num_classes,
        min_size=config.fit.min_size,
        max_size=config.fit.max_size,
        image_mean=list(config.mean),
        image_std=list(config.std),
        anchor_generator=AnchorGenerator(sizes, (anchors.ratios,) * len(sizes)),
        head=RetinaNetHead(config.head_channels, anchors.per_cell, config.num_classes),
        score_thresh=post.score_threshold,
        nms_thresh=post.nms_iou,
        detections_per_img=post.max_detections,
        topk_candidates=post.candidates,
    ).eval()
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected and all(name.endswith("num_batches_tracked") for name in missing), (missing, unexpected)

    @torch.no_grad()
    def run(photos: list[str], output: Path) -> None:
        with open(output, "w") as file:
            for photo in photos:
                image = Image.open(photo).convert("RGB")
                [found] = model([to_tensor(image)])
                rows = zip(*(found[key].tolist() for key in ("boxes", "scores", "labels")), strict=True)
                objects = [
                    {"box": b, "score": s, "class": config.classes[c].name, "class_id": config.classes[c].id}
                    for b, s, c in rows
                ]
                size = {"width": image.width, "height": image.height}
                print(json.dumps({"schema": SCHEMA, "image": photo, **size, "detections": objects}), file=file)

    return run


def focalcli(path: Path, batch: int | None, *, device: str = "cpu") -> Way:
    detector = Detector(open_runtime(path, device=device), batch=batch)
    classes = detector.config.classes

    def run(photos: list[str], output: Path) -> None:
        with Destinations(format="jsonl", output=output).texts(classes, escape=str) as lines:
            for result in detect_stream(Finder().listed(photos), detector):
                lines.put(result)

    return run


def average_precision(output: Path, dataset: Dataset) -> float:
    return round(float(evaluate(dataset, read_predictions(output, dataset).predictions).values["AP"]), 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--split")
    parser.add_argument("--onnx", type=Path)
    parser.add_argument("--int8", type=Path)
    parser.add_argument("--openvino", type=Path, help="an ONNX file")
    parser.add_argument("--photos", type=int, help="only so many; AP is then of no meaning")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, help="as many as suit the machine, if not given")
    options = parser.parse_args()
    dataset = read_dataset(options.data, split=options.split)
    photos = [str(image.path) for image in dataset.images if image.path][: options.photos]
    ways = {"torchvision loop": torchvision_loop(options.model), "torch": focalcli(options.model, options.batch)}
    for name in ("onnx", "int8"):
        if path := getattr(options, name):
            ways[name] = focalcli(path, options.batch)
    if options.openvino:
        ways["openvino"] = focalcli(options.openvino, options.batch, device="openvino")
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder) / f"{name}.jsonl" for name in ways}
        for name, run in ways.items():
            run(photos[:4], files[name])
        rates: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(options.rounds):
            for name, run in ways.items():
                begun = time.perf_counter()
                run(photos, files[name])
                rates[name].append(len(photos) / (time.perf_counter() - begun))
        medians = {name: statistics.median(values) for name, values in rates.items()}
        peer = medians.pop("torchvision loop")
        peer_ap = average_precision(files["torchvision loop"], dataset)
        for name, ours in medians.items():
            line = {"bench": f"detect {name}", "ours": round(ours, 2), "peer": round(peer, 2), "unit": "images/s"}
            precision = {"ours_AP": average_precision(files[name], dataset), "peer_AP": peer_ap}
            print(json.dumps({**line, "ratio": round(ours / peer, 2), **precision, "photos": len(photos)}), flush=True)


if __name__ == "__main__":
    main()
