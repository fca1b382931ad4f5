"""Loss of a training step, forward and backward, against the way torchvision's RetinaNet computes it.

    python tests/bench/bench_loss.py

4 images x 76,725 anchors x 80 classes, one process, alternating, torch's default threads. Prints one JSON line for
time (best of the rounds), one for the peak of extra memory, one for time against a copy of the logits.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torchvision.ops import sigmoid_focal_loss

from focalcli.config import LossConfig
from focalcli.detection.losses import BACKGROUND, IGNORED, classification_loss

IMAGES, CLASSES, LEVELS = 4, 80, (57_600, 14_400, 3_600, 900, 225)
ROUNDS = 15


def work() -> tuple[list[torch.Tensor], torch.Tensor]:
    """Give logits around the prior of .01, and targets: 25 anchors with an object and 200 ignored per image."""
    torch.manual_seed(0)
    targets = torch.full((IMAGES, sum(LEVELS)), BACKGROUND)
    for image in targets:
        chosen = torch.randperm(len(image))[:225]
        image[chosen[:25]] = torch.randint(CLASSES, (25,))
        image[chosen[25:]] = IGNORED
    logits = [(torch.randn(IMAGES, anchors, CLASSES) - 4.6).requires_grad_() for anchors in LEVELS]
    return logits, targets


def ours(logits: list[torch.Tensor], targets: torch.Tensor) -> torch.Tensor:
    """Run the one-pass loss."""
    return classification_loss(logits, targets, LossConfig()) / (targets >= 0).sum()


def torchvisions(logits: list[torch.Tensor], targets: torch.Tensor) -> torch.Tensor:
    """Run what `RetinaNetClassificationHead.compute_loss` does, divided by the positives of the batch as ours."""
    losses = []
    for image, own in zip(torch.cat(logits, dim=1), targets, strict=True):
        objects = own >= 0
        one_hot = torch.zeros_like(image)
        one_hot[objects, own[objects]] = 1.0
        valid = own != IGNORED
        losses.append(sigmoid_focal_loss(image[valid], one_hot[valid], reduction="sum"))
    return torch.stack(losses).sum() / (targets >= 0).sum()


def measure(loss: Callable[..., torch.Tensor], logits: list[torch.Tensor], targets: torch.Tensor) -> tuple[float, int]:
    """Give the seconds of one forward and backward, and the peak of the memory taken beyond what was held, in bytes."""
    for level in logits:
        level.grad = None
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    start = time.perf_counter()
    loss(logits, targets).backward()
    return time.perf_counter() - start, memory("VmHWM") - before


def memory(field: str) -> int:
    """Read a field of this process's status, in bytes."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024


def copy_time(logits: list[torch.Tensor]) -> float:
    """Give the seconds of copying the logits into memory that exists."""
    copies = [torch.zeros_like(level) for level in logits]
    start = time.perf_counter()
    for copy, level in zip(copies, logits, strict=True):
        copy.copy_(level.detach())
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    logits, targets = work()
    rounds = [(measure(ours, logits, targets), measure(torchvisions, logits, targets)) for _ in range(ROUNDS)]
    fast, peer = min(r[0][0] for r in rounds), min(r[1][0] for r in rounds)
    print(json.dumps(report("loss forward + backward", fast, peer, "s")))
    fast_memory, peer_memory = max(r[0][1] for r in rounds) / 2**20, max(r[1][1] for r in rounds) / 2**20
    print(json.dumps(report("loss peak extra memory", fast_memory, peer_memory, "MiB")))
    copy = min(copy_time(logits) for _ in range(ROUNDS))
    line = report("loss against a copy of the logits", fast, copy, "s")
    print(json.dumps({**line, "ratio": round(fast / copy, 2)}))


def report(bench: str, ours: float, peer: float, unit: str) -> dict[str, object]:
    """Give one line of the report; the ratio says how many times ours is better."""
    return {
        "bench": bench,
        "ours": round(ours, 4),
        "peer": round(peer, 4),
        "ratio": round(peer / ours, 2),
        "unit": unit,
    }


if __name__ == "__main__":
    main()
