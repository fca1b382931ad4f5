"""`--compile`: the same losses; where there is no compiler, a line that says so."""

from functools import partial

import pytest
import torch
from torch._inductor import config as inductor

from focalcli.config import ClassInfo, model_config
from focalcli.detection.retinanet import build_retinanet
from focalcli.detection.targets import pad_objects
from focalcli.errors import Unavailable
from focalcli.ranks.world import World
from focalcli.train_config import TrainConfig
from focalcli.training.mishaps import explained
from focalcli.training.samples import Batch
from focalcli.training.schedule import build_optimizer
from focalcli.training.step import Stepper


def losses(*, compiled: bool) -> list[float]:
    """Take two steps of a small network; its weights keep their names."""
    torch.manual_seed(0)
    config = model_config("test_resnet", (ClassInfo("a", 1),), head_convs=1, pyramid_channels=8, head_channels=8)
    model = build_retinanet(config).train()
    optimizer = build_optimizer(model.parameters(), TrainConfig())
    stepper = Stepper(model, optimizer, World(0, 1, torch.device("cpu")), torch.float32, 10, compile=compiled)
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    objects = pad_objects([torch.tensor([[9.0, 9, 50, 50]])] * 2, [torch.zeros(1, dtype=torch.long)] * 2)
    batch = Batch(images, objects, torch.arange(2))
    found = [stepper.run([batch]).total for _ in range(2)]
    assert set(stepper.model.state_dict()) == set(build_retinanet(config).state_dict())
    return found


@pytest.mark.e2e
def test_the_compiled_network_has_the_same_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Traced, differentiated and run by torch's own kernels: writing new ones takes minutes (`bench_compile.py`)."""
    if not torch._dynamo.is_dynamo_supported():
        pytest.skip("torch.compile does not know this Python")
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    assert losses(compiled=True) == pytest.approx(losses(compiled=False), rel=1e-5)


@pytest.mark.e2e
def test_a_missing_compiler_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the error that torch really gives, of a function that no cache has seen compiled."""
    with inductor.patch({"cpp.cxx": ("no-such-compiler",), "force_disable_caches": True}):
        with pytest.raises(RuntimeError) as raised:
            torch.compile(lambda x: x * 2 + 1)(torch.ones(3))
    told = explained(raised.value, None, None, None)  # type: ignore[arg-type]
    assert isinstance(told, Unavailable) and told.exit_code == 69
    assert "--compile: InvalidCxxCompiler: No working C++ compiler" in str(told) and "leave --compile out" in str(told)
