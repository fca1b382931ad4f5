"""Label audit against cleanlab's object-detection scores, from the same predictions, on labels with known errors.

    python tests/bench/bench_audit.py PREDICTIONS.json DATA [--split S]

PREDICTIONS.json: COCO results or JSON lines of a model that did not train on these photos, as
`focalcli evaluate DATA --split S --model M --predictions-out PREDICTIONS.json` writes them. For each of three seeds,
5 % of the labels are spoiled, a quarter each kind. Prints one JSON line a kind: precision at k and recall at 2k, k the
errors of the kind, both ways, means over the seeds. cleanlab has no score for spurious boxes; the nearest, its score
for badly located ones, stands in. Its default of .95 for a confident detection is out of reach of a model trained with
focal loss, so it is run with .95, .7, .5 and .3, and for each kind the best counts. cleanlab is not among the packages
of `bench`, for it needs some of its own: pip install cleanlab.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from focalcli.dataset.read import read_dataset
from focalcli.evaluation.columns import Predictions
from focalcli.evaluation.predictions_file import read_predictions
from focalcli.insight.audit import KINDS, audit, pairwise_iou
from focalcli.insight.injection import Injected, inject

SEEDS = (0, 1, 2)
CONFIDENT = (0.95, 0.7, 0.5, 0.3)


def hits_of_labels(spoiled: Injected, kind: str, rows: Sequence[int]) -> np.ndarray:
    """Tell for each ranked label whether it is an error of this kind."""
    return np.array([spoiled.kind[row] == kind for row in rows], bool)


def hits_of_places(spoiled: Injected, places: Sequence[tuple[int, np.ndarray]]) -> np.ndarray:
    """Tell for each ranked place whether it is a removed object that no place before it was."""
    left, hits = set(range(len(spoiled.removed))), []
    for image, box in places:
        near = [j for j in left if spoiled.removed.image[j] == image]
        overlap = pairwise_iou(box[None], spoiled.removed.xyxy[near])[0] if near else np.zeros(0)
        found = near[int(overlap.argmax())] if overlap.max(initial=0) >= 0.5 else None
        left.discard(found if found is not None else -1)
        hits.append(found is not None)
    return np.array(hits, bool)


def ours(spoiled: Injected, predictions: Predictions) -> dict[str, np.ndarray]:
    """Rank by loss."""
    findings = {kind: [f for f in audit(spoiled.dataset, predictions) if f.kind == kind] for kind in KINDS}
    ranked = {kind: hits_of_labels(spoiled, kind, [f.row for f in found]) for kind, found in findings.items()}
    places = [(f.image, np.array(f.box)) for f in findings["missing"][: 4 * len(spoiled.removed)]]
    return {**ranked, "missing": hits_of_places(spoiled, places)}


def cleanlabs(spoiled: Injected, predictions: Predictions, confident: float) -> dict[str, np.ndarray]:
    """Rank by cleanlab's scores, lowest first."""
    from cleanlab.object_detection import rank

    data, num_classes = spoiled.dataset, len(spoiled.dataset.categories)
    boxes = np.concatenate([predictions.xywh[:, :2], predictions.xywh[:, :2] + predictions.xywh[:, 2:]], axis=1)
    table = np.column_stack([boxes, predictions.score])
    labels, found = [], []
    for image in range(len(data.images)):
        mine = data.boxes.image == image
        labels.append({"bboxes": data.boxes.xyxy[mine], "labels": data.boxes.category[mine]})
        here = [table[(predictions.image == image) & (predictions.category == c)] for c in range(num_classes)]
        per_class: Any = np.empty(num_classes, object)
        per_class[:] = here
        found.append(per_class)
    words: dict[str, Any] = {"labels": labels, "predictions": found}
    start = np.searchsorted(data.boxes.image, np.arange(len(data.images)))
    located = _rows(rank.compute_badloc_box_scores(**words), start)
    ranked = {
        "spurious": hits_of_labels(spoiled, "spurious", located),
        "class": hits_of_labels(
            spoiled, "class", _rows(rank.compute_swap_box_scores(**words, high_probability_threshold=confident), start)
        ),
        "loose": hits_of_labels(spoiled, "loose", located),
    }
    overlooked = rank.compute_overlooked_box_scores(**words, high_probability_threshold=confident)
    scored = [
        (score, image, box[:4].astype(float))
        for image, scores in enumerate(overlooked)
        for score, box in zip(scores, np.concatenate(list(found[image])), strict=True)
        if score == score
    ]
    scored.sort(key=lambda row: row[0])
    places = [(image, box) for _, image, box in scored[: 4 * len(spoiled.removed)]]
    return {**ranked, "missing": hits_of_places(spoiled, places)}


def _rows(scores: Sequence[np.ndarray], start: np.ndarray) -> list[int]:
    pairs = [(score, int(start[i] + j)) for i, row in enumerate(scores) for j, score in enumerate(row)]
    return [row for _, row in sorted(pair for pair in pairs if pair[0] == pair[0])]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("predictions", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--split")
    arguments = parser.parse_args()
    dataset = read_dataset(arguments.data, split=arguments.split)
    predictions = read_predictions(arguments.predictions, dataset).predictions
    spoilt = [inject(dataset, share=0.05, seed=seed) for seed in SEEDS]
    mine = measured(spoilt, partial(ours, predictions=predictions))
    theirs = [measured(spoilt, partial(cleanlabs, predictions=predictions, confident=least)) for least in CONFIDENT]
    for kind in KINDS:
        precision, recall = mine[kind]
        peer_precision, peer_recall = max(numbers[kind] for numbers in theirs)
        line = {"bench": f"audit {kind}", "errors": round(float(np.mean([errors(one, kind) for one in spoilt])), 3)}
        line |= {"ours": precision, "peer": peer_precision, "unit": "precision at k"}
        line |= {"ours_recall_2k": recall, "peer_recall_2k": peer_recall}
        print(json.dumps({**line, "ratio": round(precision / peer_precision, 2) if peer_precision else None}))


def errors(spoiled: Injected, kind: str) -> int:
    """Give how many errors of a kind were put in."""
    return len(spoiled.removed) if kind == "missing" else int((spoiled.kind == kind).sum())


def measured(
    spoilt: Sequence[Injected], rank: Callable[[Injected], dict[str, np.ndarray]]
) -> dict[str, tuple[float, float]]:
    """Give precision at k and recall at 2k of each kind, means; a list that ends early is wrong from there on."""
    numbers: dict[str, list[tuple[float, float]]] = {kind: [] for kind in KINDS}
    for one in spoilt:
        for kind, hits in rank(one).items():
            k = errors(one, kind)
            numbers[kind].append((hits[:k].sum() / k, hits[: 2 * k].sum() / k))
    means = {kind: np.mean(rows, axis=0).round(3).tolist() for kind, rows in numbers.items()}
    return {kind: (precision, recall) for kind, (precision, recall) in means.items()}


if __name__ == "__main__":
    main()
