"""A whole training step against torchvision's RetinaNet with the same backbone, width, anchors and trained layers.

    python tests/bench/bench_train.py
    python tests/bench/bench_train.py profile     # where the time of our step goes, by torch's profiler

EfficientNet-Lite0 from timm with its ImageNet weights, 64-wide pyramid and heads, 80 classes, photos of 320 x 320,
batch 8, frozen batch norm.
The peer runs as torchvision's reference loop does: float32, its own memory format and loss, AdamW. Both sides step in
turns in two processes; prints images/s (median of the steps) and the peak memory of each process.
"""

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import torch

SIZE, BATCH, CLASSES, OBJECTS = 320, 8, 80, 8
STEPS, WARM = 6, 2

PARTS = {  # what torch's profiler calls the work of a step
    "convolutions, backward": (
        "aten::convolution_backward",
        "_FusedConv2dBackward",
        "aten::addmm_",
    ),
    "convolutions, forward": (
        "aten::mkldnn_convolution",
        "mkldnn::_convolution_pointwise",
        "_FusedConv2d",
    ),
    "ReLU and ReLU6, backward": ("aten::hardtanh_backward", "aten::threshold_backward"),
    "copies and casts": ("aten::copy_", "aten::_to_copy"),
    "optimiser": ("aten::_fused_adamw_",),
}


def photos() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Give photos (N, 3, H, W) uint8, boxes (N, M, 4) and classes (N, M), the same for both sides."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 255, (BATCH, 3, SIZE, SIZE), dtype=torch.uint8, generator=generator)
    corner = torch.rand(BATCH, OBJECTS, 2, generator=generator) * 200
    boxes = torch.cat([corner, corner + 20 + torch.rand(BATCH, OBJECTS, 2, generator=generator) * 100], -1)
    return images, boxes, torch.randint(0, CLASSES, (BATCH, OBJECTS), generator=generator)


def ours(*, compiled: bool = False) -> Callable[[], float]:
    """Give one step as `focalcli train` takes it; it gives its loss."""
    from focalcli.config import ClassInfo, model_config
    from focalcli.detection.backbones import load_imagenet
    from focalcli.detection.devices import keep_memory, pick_precision
    from focalcli.detection.retinanet import build_retinanet
    from focalcli.detection.targets import pad_objects
    from focalcli.ranks.world import World
    from focalcli.train_config import TrainConfig
    from focalcli.training.samples import Batch
    from focalcli.training.schedule import build_optimizer
    from focalcli.training.step import Stepper
    from focalcli.training.weights import freeze

    keep_memory()
    model = build_retinanet(model_config("lite0", tuple(ClassInfo(str(i), i) for i in range(CLASSES)))).train()
    load_imagenet(model.backbone.body, "tf_efficientnet_lite0", download=False)
    freeze(model, "stem")
    device = torch.device("cpu")
    optimizer = build_optimizer(model.parameters(), TrainConfig())
    stepper = Stepper(model, optimizer, World(0, 1, device), pick_precision("auto", device), 10.0, compiled)
    images, boxes, classes = photos()
    images = images.contiguous(memory_format=torch.channels_last)
    batch = Batch(images, pad_objects(list(boxes), list(classes)), torch.arange(BATCH))

    return lambda: stepper.run([batch]).total


def theirs() -> Callable[[], object]:
    """Give one step of torchvision's reference loop."""
    import timm
    from torchvision.models.detection import RetinaNet
    from torchvision.models.detection.anchor_utils import AnchorGenerator
    from torchvision.ops import FeaturePyramidNetwork
    from torchvision.ops.feature_pyramid_network import LastLevelP6P7

    from focalcli.detection.backbones import load_imagenet

    class Backbone(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = timm.create_model("tf_efficientnet_lite0", features_only=True, out_indices=(2, 3, 4))
            load_imagenet(self.body, "tf_efficientnet_lite0", download=False)
            self.fpn = FeaturePyramidNetwork([40, 112, 320], 64, LastLevelP6P7(320, 64))
            self.out_channels = 64

        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            return self.fpn({str(i): feature for i, feature in enumerate(self.body(x))})

    sizes = tuple(tuple(base * 2 ** (i / 3) for i in range(3)) for base in (24.0, 48.0, 96.0, 192.0, 384.0))
    generator = AnchorGenerator(sizes, ((0.5, 1.0, 2.0),) * 5)
    model = RetinaNet(Backbone(), CLASSES, anchor_generator=generator, min_size=SIZE, max_size=SIZE).train()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval().requires_grad_(False)
    for name, parameter in model.backbone.body.named_parameters():
        parameter.requires_grad_(
            name.startswith("blocks.") and int(name.split(".")[1]) >= 2 and parameter.requires_grad
        )
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4)
    images, boxes, classes = photos()
    floats = list(images.float() / 255)
    targets = [{"boxes": b, "labels": c} for b, c in zip(boxes, classes, strict=True)]

    def step() -> None:
        losses = model(floats, targets)
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()

    return step


def serve(side: str) -> None:
    """Take a step for every line on stdin and answer with its seconds; at the end, with the peak memory in MiB."""
    torch.manual_seed(0)
    step = ours() if side == "ours" else theirs()
    for _ in sys.stdin:
        start = time.perf_counter()
        step()
        print(time.perf_counter() - start, flush=True)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, flush=True)


def profile() -> None:
    """Print the share of our step's processor time that each kind of work takes, the largest first.

    The loss is counted with all it calls, so its copies are in two of the rows.
    """
    step = ours()
    for _ in range(WARM):
        step()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
        step()
    events = {event.key: event for event in profiler.key_averages()}
    total = sum(event.self_cpu_time_total for event in events.values())
    shares = {
        work: sum(events[name].self_cpu_time_total for name in names if name in events) for work, names in PARTS.items()
    }
    shares["loss and its gradient"] = events["OnePassLoss"].cpu_time_total
    for work, share in sorted(shares.items(), key=lambda item: -item[1]):
        print(f"| {work} | {share / total:.1%} |")
    print(f"| all else | {1 - sum(shares.values()) / total:.1%} |")


def main() -> None:
    """Run both sides in turns."""
    command = [sys.executable, __file__]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    sides = {name: subprocess.Popen([*command, name], **pipes) for name in ("ours", "theirs")}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(WARM + STEPS):
        for name, process in sides.items():
            process.stdin.write("\n")
            process.stdin.flush()
            seconds[name].append(float(process.stdout.readline()))
    memory = {name: float(process.communicate()[0]) for name, process in sides.items()}
    rates = {name: BATCH / statistics.median(values[WARM:]) for name, values in seconds.items()}
    for bench, values, unit in (("train step", rates, "images/s"), ("train memory", memory, "MiB peak")):
        ratio = round(values["ours"] / values["theirs"], 2)
        line = {"bench": bench, "ours": round(values["ours"], 1), "peer": round(values["theirs"], 1)}
        print(json.dumps({**line, "ratio": ratio, "unit": unit}))


if __name__ == "__main__":
    if sys.argv[1:] == ["profile"]:
        profile()
    else:
        serve(sys.argv[1]) if len(sys.argv) > 1 else main()
