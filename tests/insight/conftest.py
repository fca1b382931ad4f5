"""A few painted photos and an untrained network small enough for tests."""

from pathlib import Path

import pytest
import torch

from focalcli.config import AnchorConfig, ClassInfo, FitConfig, model_config
from focalcli.dataset.read import read_dataset
from focalcli.dataset.types import Dataset
from focalcli.detection.retinanet import RetinaNet, build_retinanet
from focalcli.images.synthetic_set import write_bay


@pytest.fixture(scope="session")
def bay(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("insight") / "bay"
    write_bay(folder, 9, size=160, seed=0)
    return folder


@pytest.fixture(scope="session")
def dataset(bay: Path) -> Dataset:
    return read_dataset(bay)


@pytest.fixture
def network(dataset: Dataset) -> RetinaNet:
    torch.manual_seed(0)
    classes = tuple(ClassInfo(c.name, c.source_id) for c in dataset.categories)
    anchors = AnchorConfig(sizes=(12.0, 24.0, 48.0, 96.0, 192.0))
    fit = FitConfig(min_size=64, max_size=96)
    config = model_config("lite0", classes, fit=fit, anchors=anchors, pyramid_channels=16, head_channels=16)
    return build_retinanet(config).eval()
