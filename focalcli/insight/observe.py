"""A model looks at annotated photos one by one, and each anchor is told what it should have answered."""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from focalcli.dataset.types import Dataset
from focalcli.detection.retinanet import HeadOutputs, RetinaNet
from focalcli.detection.targets import Targets, build_targets, pad_objects
from focalcli.errors import DataError, InputNotFound
from focalcli.evaluation.names import class_map
from focalcli.images.decode import read_image
from focalcli.images.fit import Fit
from focalcli.training.coverage import learnable, network_boxes


class Observed(NamedTuple):
    """One photo, padded as it is alone: position in the data set, levels of the pyramid, outputs, targets, anchors.

    rows: the rows of `Dataset.boxes` that the targets were made of, in order.
    """

    position: int
    levels: list[Tensor]
    outputs: HeadOutputs
    targets: Targets
    anchors: list[Tensor]
    input_size: tuple[int, int]
    rows: np.ndarray


@torch.inference_mode()
def observe(model: RetinaNet, dataset: Dataset) -> Iterator[Observed]:
    """Run a network, in evaluation mode, on every photo of a data set; classes meet by name.

    Raises:
        InputNotFound, DataError: a photo is missing or damaged; no class is shared.
    """
    fit = Fit.of(model.config)
    device = model.mean.device
    classes = _model_classes(model, dataset)
    rows = learnable(dataset)
    rows = rows[classes[dataset.boxes.category[rows]] >= 0]
    boxes, _ = network_boxes(dataset, fit, rows)
    bounds = np.searchsorted(dataset.boxes.image[rows], np.arange(len(dataset.images) + 1))
    for position, (start, end) in enumerate(pairwise(bounds)):
        image = dataset.images[position]
        if image.path is None:
            raise InputNotFound(image.key, "the photo is not there", "say where the photos are with --images")
        batch = torch.from_numpy(fit.pad([fit.apply(read_image(image.path))])).to(device)
        levels = model.backbone.pyramid(model.backbone.features(model.normalise(batch)))
        size = (batch.shape[2], batch.shape[3])
        anchors = model.anchors(size, device)
        mine = rows[start:end]
        objects = pad_objects(
            [torch.from_numpy(boxes[start:end])], [torch.from_numpy(classes[dataset.boxes.category[mine]])]
        )
        targets = build_targets(type(objects)(*(x.to(device) for x in objects)), torch.cat(anchors), model.config.loss)
        yield Observed(position, levels, model.predict(levels), targets, anchors, size, mine)


def _model_classes(model: RetinaNet, dataset: Dataset) -> np.ndarray:
    """Give for each category of the data set the model's class of that name, -1 for none.

    Raises:
        DataError: there is no class, or none is shared.
    """
    if not dataset.categories:
        raise DataError(dataset.root, "names no class", "nothing can be compared")
    names = [info.name for info in model.config.classes]
    to_data = class_map(names, dataset.categories, place="--model")
    back = np.full(len(dataset.categories), -1, np.int64)
    back[to_data[to_data >= 0]] = np.flatnonzero(to_data >= 0)
    return back
