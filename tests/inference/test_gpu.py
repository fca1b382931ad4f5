"""What only a CUDA device can show: the answers of the CPU, and the bench against torchvision's loop."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from focalcli.checkpoint import save_model
from focalcli.detection.retinanet import build_retinanet
from focalcli.inference.detector import Detector
from focalcli.inference.open import open_runtime
from tests.inference.test_torch_runtime import CONFIG, photos
from tests.training.small import write_squares

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")]

BENCH = Path(__file__).parents[1] / "bench" / "bench_detect.py"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of random weights that finds twenty things in any photo."""
    torch.manual_seed(0)
    network = build_retinanet(CONFIG)
    for head in (network.head["classification_head"].cls_logits, network.head["regression_head"].bbox_reg):
        torch.nn.init.normal_(head.weight, std=0.5)
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save_model(path, network.state_dict(), CONFIG)
    return path


def test_gpu_and_cpu_find_the_same_in_float32(model: Path) -> None:
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    runtimes = (open_runtime(model, device=device, precision="fp32") for device in ("cpu", "cuda"))
    for one, other in zip(*(Detector(runtime).detect(photos(8)) for runtime in runtimes), strict=True):
        assert len(one) == len(other)
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-4)
        np.testing.assert_allclose(one.boxes[:5], other.boxes[:5], atol=0.1)


def test_the_bench_measures_it_against_torchvisions_loop(model: Path, tmp_path: Path) -> None:
    data = write_squares(tmp_path / "data", train=16, val=1)
    words = [str(model), str(data), "--split", "train", "--device", "cuda", "--rounds", "1"]
    done = subprocess.run([sys.executable, str(BENCH), *words], capture_output=True, text=True, check=True)
    [line] = map(json.loads, done.stdout.splitlines())
    assert line["bench"] == "detect torch, cuda" and line["photos"] == 16 and line["ours"] > 0
    print(done.stdout)
