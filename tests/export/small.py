"""What several tests of export share: annotated photos, and what a folder holds."""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from PIL import Image

from focalcli.config import ModelConfig
from focalcli.dataset.read import read_dataset
from focalcli.dataset.types import Dataset
from focalcli.detection.retinanet import RetinaNet
from focalcli.export.cases import generated
from focalcli.inference.detector import Detector
from focalcli.inference.torch_runtime import TorchRuntime

PHOTOS, SURE = 4, 0.1


def photos(model: RetinaNet, config: ModelConfig, folder: Path) -> Dataset:
    """Photos whose objects are what torch is surest of: its AP is 1."""
    images = [generated(seed, (128, 160)) for seed in range(PHOTOS)]
    model.config = config
    detector = Detector(TorchRuntime(model, device="cpu", precision="fp32"))
    objects = []
    for number, (image, found) in enumerate(zip(images, detector.detect(images), strict=True)):
        Image.fromarray(image).save(folder / f"{number}.png")
        for box, label in zip(found.boxes[found.scores > SURE], found.classes, strict=False):
            x, y, right, bottom = box.tolist()
            class_id = config.classes[label].id
            objects.append({"image_id": number, "category_id": class_id, "bbox": [x, y, right - x, bottom - y]})
    whole = {
        "images": [{"id": i, "file_name": f"{i}.png", "width": 160, "height": 128} for i in range(PHOTOS)],
        "annotations": [{"id": i, "area": 1, "iscrowd": 0, **one} for i, one in enumerate(objects, 1)],
        "categories": [{"id": info.id, "name": info.name} for info in config.classes],
    }
    (folder / "photos.json").write_text(json.dumps(whole))
    return read_dataset(folder / "photos.json")


def shift_boxes(model: onnx.ModelProto) -> None:
    """Let a file give every box one pixel too far to the right and down."""
    build = onnx.helper.make_node("Add", ["unshifted", "one_pixel"], ["boxes"], "shift")
    last = next(node for node in model.graph.node if "boxes" in node.output)
    last.output[:] = ["unshifted"]
    model.graph.initializer.append(numpy_helper.from_array(np.float32(1), "one_pixel"))
    model.graph.node.append(build)


def contents(folder: Path) -> dict[str, bytes]:
    """Give what every file of a folder holds."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}
