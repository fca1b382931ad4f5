"""What a training will hold is said before its first step, and close to what it then holds."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import torch

from focalcli.cli.console import run as focalcli
from focalcli.config import ClassInfo, model_config
from focalcli.detection.retinanet import build_retinanet
from focalcli.ranks.world import World
from focalcli.train_config import TrainConfig
from focalcli.training import device_memory, kept_memory
from focalcli.training.kept_memory import KeptMemory
from focalcli.training.memory import Memory, _activations, describe, estimate, largest_input
from focalcli.training.prepare import prepare
from focalcli.training.schedule import build_optimizer
from focalcli.training.step import Stepper
from tests.training.small import FAST

GIB = 1 << 30
CPU = torch.device("cpu")


def needing(bytes_of: Callable[[int], int], available: int = GIB) -> Callable[[int], Memory]:
    """Give an estimate by a formula."""
    return lambda photos: Memory(photos, (96, 64), 0, 0, 0, 0, bytes_of(photos), 0, 0, available)


def told(config: TrainConfig, memory: Callable[[int], Memory]) -> str:
    return describe(memory(config.batch), config, memory)


def test_what_fits_is_said() -> None:
    said = told(TrainConfig(batch=1), needing(lambda photos: GIB // 2, 3 * GIB))
    assert said == "memory: 1 photo of 96 x 64 need about 512 MiB of 3.0 GiB"


def test_what_does_not_fit_is_warned_of_with_the_largest_split_that_does() -> None:
    said = told(TrainConfig(batch=12, accumulate=2), needing(lambda photos: photos * GIB // 5))
    assert said == (
        "warning: memory: 12 photos of 96 x 64 need about 2.4 GiB of 1.0 GiB; "
        "--batch 4 --accumulate 6 takes the same steps in about 819 MiB, with --resume too"
    )
    assert told(TrainConfig(), needing(lambda photos: 2 * GIB)).endswith("use a smaller --min-size or --preset")


def test_the_largest_input_is_that_of_any_crop_or_of_the_photos(squares: Path) -> None:
    """Photos of 64 x 64 and 64 x 96, fitted to 64..96."""
    sizes = [
        largest_input(prepare(msgspec.structs.replace(FAST, flip="none", **changes), squares))
        for changes in ({"augment": "none"}, {"augment": "light"}, {"augment": "none", "multi_scale": 0.5})
    ]
    assert sizes == [(64, 96), (96, 96), (96, 160)]


def test_parts_that_are_not_trained_keep_nothing_for_their_gradient() -> None:
    """One photo more adds the same each time; a frozen backbone keeps less."""
    model = build_retinanet(model_config("lite0", (ClassInfo("a", 1),))).train()
    config = TrainConfig()
    stepper = Stepper(model, build_optimizer(model.parameters(), config), World(0, 1, CPU), torch.float32, 0)
    one, two, three = (_activations(stepper, photos, (64, 96)) for photos in (1, 2, 3))
    assert 0 < one < two and three - two == two - one
    model.backbone.body.requires_grad_(False)
    assert _activations(stepper, 3, (64, 96)) < three / 2
    assert all(parameter.grad is None for parameter in model.parameters())


# One of two processes that differ in this: whether they take steps. Prints the peak.
STEPS = """
import sys, torch
from focalcli.config import ClassInfo, model_config
from focalcli.detection.retinanet import build_retinanet
from focalcli.detection.targets import pad_objects
from focalcli.ranks.world import World
from focalcli.train_config import TrainConfig
from focalcli.training.device_memory import peak_memory
from focalcli.training.memory import ON_CPU, _activations
from focalcli.training.samples import Batch
from focalcli.training.schedule import build_optimizer
from focalcli.training.step import Stepper

model = build_retinanet(model_config("lite0", (ClassInfo("a", 1),))).train()
stepper = Stepper(model, build_optimizer(model.parameters(), TrainConfig()), World(0, 1, torch.device("cpu")),
                  torch.float32, 0)
weights = sum(p.nbytes for p in model.parameters())
before = peak_memory(torch.device("cpu"))
images = torch.zeros(4, 3, 256, 352, dtype=torch.uint8).contiguous(memory_format=torch.channels_last)
objects = pad_objects([torch.tensor([[9.0, 9, 60, 60]])] * 4, [torch.zeros(1, dtype=torch.long)] * 4)
for _ in range(2):
    stepper.run([Batch(images, objects, torch.arange(4))])
activations = _activations(stepper, 4, (256, 352))
print(peak_memory(torch.device("cpu")) - before, int(activations * (1 + ON_CPU[stepper.precision])) + 3 * weights)
"""


@pytest.mark.e2e
def test_an_estimate_is_within_a_quarter_of_what_is_held() -> None:
    """Gradients, moments, activations and workspace of two steps, by a process's peak, in float32."""
    done = subprocess.run([sys.executable, "-c", STEPS], capture_output=True, text=True, check=True)
    held, estimated = map(int, done.stdout.split())
    assert 0.75 < estimated / held < 1.25, (estimated >> 20, held >> 20)


def test_what_is_held_beyond_the_limit_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seldom: at the limit; often: the limit gives way, so that a training that needs more is not slowed down."""
    held, given = [0], []
    monkeypatch.setattr(kept_memory, "held_memory", lambda: held[0])
    monkeypatch.setattr(kept_memory, "free_memory", lambda: given.append(held[0]))
    kept = KeptMemory(1000, CPU)
    for held[0] in [900] * 60 + [1001] + [900] * 60 + [1001]:
        kept.look()
    assert given == [1001, 1001] and kept.limit == 1000
    for held[0] in [1050, 1050, 1101]:
        kept.look()
    assert given[2:] == [1050, 1101] and kept.limit == pytest.approx(1210)
    other = KeptMemory(1000, torch.device("cuda"))
    held[0] = 5000
    other.look()
    assert len(given) == 4


def test_ranks_on_a_cpu_share_its_memory(squares: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("focalcli.training.memory.available_memory", lambda device: GIB)
    monkeypatch.setattr("focalcli.training.memory._activations", lambda stepper, photos, size: photos)
    plan = prepare(FAST, squares)
    model = build_retinanet(plan.model)
    optimizer = build_optimizer(model.parameters(), FAST)
    one, two = (Stepper(model, optimizer, World(0, 1, CPU), torch.float32, 0) for _ in range(2))
    two.world = World(0, 2, CPU)  # set later: a stepper of two ranks would look for the other
    assert [estimate(plan, stepper, 4).available for stepper in (one, two)] == [GIB, GIB // 2]


def test_a_dry_run_has_the_estimate(
    squares: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("focalcli.training.memory.available_memory", lambda device: 1 << 20)
    monkeypatch.chdir(tmp_path)
    words = ["--min-size", "64", "--max-size", "96", "--anchor-size", "14", "--device", "cpu", "--precision", "fp32"]
    assert focalcli(["train", str(squares), "--dry-run", *words]) == 0
    told = capsys.readouterr()
    memory = json.loads(told.out)["memory"]
    parts = ("weights", "gradients", "optimizer", "average", "activations", "workspace", "process")
    assert memory["needed"] == sum(memory[part] for part in parts) and not memory["fits"]
    assert memory["photos"] == 4 and memory["input_size"] == [96, 96] and memory["optimizer"] == 2 * memory["gradients"]
    assert "warning: memory: 4 photos of 96 x 96 need about" in told.err


def test_the_limit_of_a_container_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(device_memory, "_LIMITS", (str(limit),))
    free = device_memory.available_memory(CPU)
    limit.write_text("max\n")
    assert device_memory.available_memory(CPU) > free / 2
    limit.write_text("1234567\n")
    assert device_memory.available_memory(CPU) == 1234567
