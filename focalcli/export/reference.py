"""What torch says about the images a file is tried on: the program's own way, not the file's."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from msgspec.structs import replace
from torch import Tensor

from focalcli.detection.boxes import clip_boxes, decode
from focalcli.detection.postprocess import candidates, select
from focalcli.detection.retinanet import RetinaNet
from focalcli.export.options import LEVELS, ExportOptions
from focalcli.export.rows import Array, Rows, rows_of
from focalcli.export.session import in_photo, on_canvas
from focalcli.images.decode import Pixels
from focalcli.images.fit import Fit


class Reference:
    """The network in float32 on the CPU, and the core's post-processing."""

    def __init__(self, model: RetinaNet, options: ExportOptions) -> None:
        self.config, self.options = model.config, options
        self._model, self._output = model.eval().float().cpu(), options.output

    @torch.inference_mode()
    def run(self, images: npt.NDArray[np.uint8], threshold: float | None = None) -> list[Rows]:
        """Give the rows of each image of a batch (N, 3, H, W)."""
        return rows_of(self._outputs(images, threshold), self._output)

    def run_photos(self, photos: Sequence[Pixels], threshold: float | None = None) -> list[Rows]:
        """Give the rows of each photo (H, W, 3) of any size, boxes in its own pixels."""
        fit = Fit.of(self.config)
        found = self.run(on_canvas(fit, photos, self.options.size), threshold)
        return [in_photo(fit, rows, photo) for rows, photo in zip(found, photos, strict=True)]

    @torch.inference_mode()
    def candidate_scores(self, images: npt.NDArray[np.uint8]) -> Array:
        """Give the scores of all candidates of a batch."""
        logits = torch.cat([level.flatten(1) for level in self._model(torch.from_numpy(images)).logits], 1)
        best = logits.flatten().topk(min(100, logits.numel())).values
        return torch.sigmoid(best / self.config.postprocess.temperature).numpy()

    def _outputs(self, images: npt.NDArray[np.uint8], threshold: float | None) -> dict[str, Array]:
        size = (images.shape[2], images.shape[3])
        outputs = self._model(torch.from_numpy(images))
        if self._output == "raw":
            names = [f"{kind}_{level}" for kind in ("logits", "deltas") for level in LEVELS]
            return _arrays(names, [*outputs.logits, *outputs.deltas])
        anchors = self._model.anchors(size, torch.device("cpu"))
        post = self.config.postprocess
        sizes = torch.tensor([size]).expand(len(images), 2)
        if self._output in ("decoded", "trt"):
            boxes = decode(torch.cat(outputs.deltas, 1), torch.cat(anchors))
            scores = torch.sigmoid(torch.cat(outputs.logits, 1) / post.temperature)
            return _arrays(["boxes", "scores"], [clip_boxes(boxes, sizes[:, None]), scores])
        if threshold is not None:
            post = replace(post, score_threshold=threshold, class_thresholds=None)
        found = candidates(outputs, anchors, per_level=post.candidates, temperature=post.temperature)
        kept = select(found, sizes, post)
        arrays = _arrays(
            ["num_dets", "boxes", "scores", "labels"], [kept.counts, kept.boxes, kept.scores, kept.classes]
        )
        return arrays if self._output == "detections" else {"detections": _flat(arrays)}


def _flat(found: dict[str, Array]) -> Array:
    """Give rows (N * D, 7): image, x1, y1, x2, y2, score, class."""
    images, limit = found["scores"].shape
    number = np.repeat(np.arange(images), limit).reshape(images, limit, 1)
    parts = [number, found["boxes"], found["scores"][..., None], found["labels"][..., None]]
    return np.concatenate(parts, axis=2).reshape(-1, 7)


def _arrays(names: list[str], tensors: list[Tensor]) -> dict[str, Array]:
    return {name: tensor.numpy() for name, tensor in zip(names, tensors, strict=True)}
