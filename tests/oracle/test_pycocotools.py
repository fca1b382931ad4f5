"""Our numbers are pycocotools', to 1e-12: on random data sets with everything that makes evaluators disagree."""

import io
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO as Reference
from pycocotools.cocoeval import COCOeval

from focalcli.dataset.types import Boxes, Category, Dataset, Flag, Image
from focalcli.evaluation.coco import evaluate
from focalcli.evaluation.columns import Predictions
from focalcli.evaluation.reference import evaluate_with_pycocotools
from focalcli.evaluation.settings import COCO, Settings

NAMES = ["AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl"]


def reference_numbers(coco: dict[str, Any], results: list[dict[str, Any]]) -> list[float]:
    """Run pycocotools on the very JSON, with its own ids, as any user would."""
    with redirect_stdout(io.StringIO()):
        truth = Reference()
        truth.dataset = coco
        truth.createIndex()
        found = Reference()
        if results:
            found = truth.loadRes([dict(row) for row in results])
        else:
            found.dataset = {**coco, "annotations": []}
            found.createIndex()
        run = COCOeval(truth, found, "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    return [float(value) for value in run.stats]


def as_dataset(coco: dict[str, Any]) -> Dataset:
    """Build what a reader makes of COCO JSON: categories by id, images as in the file, boxes by image."""
    categories = sorted(coco["categories"], key=lambda row: row["id"])
    image_at = {row["id"]: index for index, row in enumerate(coco["images"])}
    class_at = {row["id"]: index for index, row in enumerate(categories)}
    rows = sorted(coco["annotations"], key=lambda row: image_at[row["image_id"]])
    boxes = np.array([row["bbox"] for row in rows], float).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    zeros = np.zeros(len(rows), np.int64)
    columns = Boxes(
        boxes,
        np.array([image_at[row["image_id"]] for row in rows], np.int64),
        np.array([class_at[row["category_id"]] for row in rows], np.int64),
        np.array([Flag.CROWD if row["iscrowd"] else 0 for row in rows], np.int64),
        np.array([row["area"] for row in rows], float),
        np.array([row["id"] for row in rows], np.int64),
        zeros,
        zeros,
    )
    return Dataset(
        tuple(Category(row["name"], row["id"]) for row in categories),
        tuple(Image(f"{row['id']}.jpg", None, 640, 480, source_id=row["id"]) for row in coco["images"]),
        columns,
        Path("."),
    )


def as_predictions(coco: dict[str, Any], results: list[dict[str, Any]]) -> Predictions:
    image_at = {row["id"]: index for index, row in enumerate(coco["images"])}
    class_at = {id: index for index, id in enumerate(sorted(row["id"] for row in coco["categories"]))}
    return Predictions(
        np.array([row["bbox"] for row in results], float).reshape(-1, 4),
        np.array([image_at[row["image_id"]] for row in results], np.int64),
        np.array([class_at[row["category_id"]] for row in results], np.int64),
        np.array([row["score"] for row in results], float),
    )


def random_case(seed: int, *, images: int, classes: int, objects: int, detections: int, decimals: int) -> Any:
    """Make images with sparse ids out of order, crowds, classes without objects, equal scores and doubled boxes."""
    rng = np.random.default_rng(seed)
    image_ids = (rng.permutation(images) * 7 + 1).tolist()
    class_ids = np.sort(rng.permutation(classes * 3)[:classes] + 1).tolist()
    sizes = rng.choice([8.0, 32.0, 96.0, 200.0], (objects, 2)) + rng.choice([0.0, 0.25], (objects, 2))
    boxes = np.concatenate([rng.uniform(0, 300, (objects, 2)), sizes], axis=1).round(decimals)
    owners, kinds = rng.integers(0, images, objects), rng.integers(0, max(classes - 1, 1), objects)
    annotations = [
        {
            "id": index + 5,
            "image_id": image_ids[owners[index]],
            "category_id": class_ids[kinds[index]],
            "bbox": boxes[index].tolist(),
            "area": float(boxes[index, 2] * boxes[index, 3] * rng.choice([1.0, 0.6])),
            "iscrowd": int(rng.random() < 0.15),
        }
        for index in range(objects)
    ]
    results = []
    for _ in range(detections):
        near = int(rng.integers(0, objects)) if objects and rng.random() < 0.8 else None
        box = boxes[near] if near is not None else np.array([*rng.uniform(0, 300, 2), 50, 40])
        box = box + rng.choice([0.0, 0.0, 1.0, -2.0, 9.5], 4)
        owner = owners[near] if near is not None and rng.random() < 0.9 else rng.integers(0, images)
        kind = kinds[near] if near is not None and rng.random() < 0.8 else rng.integers(0, classes)
        box[2:] = np.maximum(box[2:], 1)
        results.append(
            {
                "image_id": image_ids[owner],
                "category_id": class_ids[kind],
                "bbox": box.round(decimals).tolist(),
                "score": float(rng.choice([0.9, 0.5, 0.5, rng.random()])),
            }
        )
    coco = {
        "images": [{"id": id, "file_name": f"{id}.jpg", "width": 640, "height": 480} for id in image_ids],
        "categories": [{"id": id, "name": f"class {id}"} for id in class_ids],
        "annotations": annotations,
    }
    return coco, results


def assert_equal(coco: dict[str, Any], results: list[dict[str, Any]]) -> None:
    ours = evaluate(as_dataset(coco), as_predictions(coco, results)).values
    assert list(ours) == NAMES
    theirs = reference_numbers(coco, results)
    assert [np.nan_to_num(value, nan=-1.0) for value in ours.values()] == pytest.approx(theirs, abs=1e-12, rel=0)


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 2**32 - 1),
    images=st.integers(1, 8),
    classes=st.integers(1, 4),
    objects=st.integers(0, 40),
    detections=st.integers(0, 80),
    decimals=st.sampled_from([0, 2, 12]),
)
def test_twelve_numbers_equal_pycocotools(
    seed: int, images: int, classes: int, objects: int, detections: int, decimals: int
) -> None:
    """Crowds, sparse ids, ties in score and overlap, empty images, classes without objects."""
    assert_equal(
        *random_case(seed, images=images, classes=classes, objects=objects, detections=detections, decimals=decimals)
    )


@pytest.mark.parametrize("seed", range(3))
def test_more_than_a_hundred_detections_of_one_class_in_one_image(seed: int) -> None:
    assert_equal(*random_case(seed, images=2, classes=1, objects=150, detections=700, decimals=2))


def test_settings_reach_both_engines() -> None:
    """Other overlaps, counts and areas: our engine and pycocotools' agree class by class."""
    coco, results = random_case(5, images=6, classes=3, objects=60, detections=300, decimals=2)
    asked = Settings(iou=(0.3, 0.5, 0.62), max_dets=(2, 5), areas={"all": (0.0, 1e10), "tiny": (0.0, 400.0)})
    dataset, predictions = as_dataset(coco), as_predictions(coco, results)
    ours, theirs = evaluate(dataset, predictions, asked), evaluate_with_pycocotools(dataset, predictions, asked)
    assert list(ours.values) == ["AP", "AP50", "APtiny", "AR2", "AR5", "ARtiny"]
    assert ours.values == pytest.approx(theirs.values, abs=1e-12, rel=0)
    for one, other in zip(ours.classes, theirs.classes, strict=True):
        assert (one.name, one.id, one.objects) == (other.name, other.id, other.objects)
        assert one.values == pytest.approx(other.values, abs=1e-12, rel=0, nan_ok=True)


def test_the_pycocotools_engine_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    coco, _ = random_case(1, images=2, classes=2, objects=5, detections=0, decimals=0)
    evaluate_with_pycocotools(as_dataset(coco), as_predictions(coco, []), COCO)
    assert capfd.readouterr() == ("", "")
