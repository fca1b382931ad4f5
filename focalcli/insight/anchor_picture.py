"""The picture of an anchor study: which objects the anchors meet, and where they miss."""

from pathlib import Path

import numpy as np

from focalcli.insight.anchors import AnchorStudy
from focalcli.insight.pictures import COLOURS, figure, named, save


def draw_anchors(study: AnchorStudy, path: Path) -> None:
    """Draw best overlap by class, and by side of the object in the photo; write a PNG. Raises as `pictures.save`."""
    best = study.found.best_iou.numpy()
    boxes = study.dataset.boxes.take(study.rows)
    threshold = study.model.loss.object_iou
    drawn, (curves, sides) = figure(2)
    counts = np.bincount(boxes.category, minlength=len(study.dataset.categories))
    frequent = np.argsort(-counts, kind="stable")[: len(COLOURS)]
    for colour, index in zip(COLOURS, sorted(frequent[counts[frequent] > 0]), strict=False):
        ordered = np.sort(best[boxes.category == index])
        share = 1 - np.arange(len(ordered)) / len(ordered)
        label = f"{named(study.dataset.categories[index].name)} ({len(ordered)})"
        curves.step(ordered, share, where="post", color=colour, label=label)
    if (counts > 0).sum() > len(COLOURS):
        curves.set_title(f"the {len(COLOURS)} most frequent of {len(counts)} classes", fontsize="medium")
    curves.axvline(threshold, color="grey", linestyle=":", linewidth=1)
    curves.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="best overlap with an anchor (IoU)", ylabel="share of objects above")
    curves.legend(frameon=False, loc="lower left")
    side = np.sqrt(boxes.area.clip(1))
    edges = np.geomspace(max(side.min(), 1) * 0.999, side.max() * 1.001, 25)
    place = np.digitize(side, edges) - 1
    covered = np.array([(best[place == i] >= threshold).mean() if (place == i).any() else np.nan for i in range(24)])
    heights = np.bincount(place.clip(0, 23), minlength=24)
    sides.bar(
        edges[:-1],
        heights / heights.max(),
        width=np.diff(edges),
        align="edge",
        color="#D9D9D9",
        label="objects (tallest: 1)",
    )
    sides.plot(np.sqrt(edges[1:] * edges[:-1]), covered, "o-", color=COLOURS[0], markersize=4, label="covered share")
    sides.set(xscale="log", ylim=(0, 1.05), xlabel="side of the object in the photo (pixels)")
    ticks = [2**power for power in range(12) if edges[0] <= 2**power <= edges[-1]]
    sides.set_xticks(ticks, [str(tick) for tick in ticks])
    sides.minorticks_off()
    sides.legend(frameon=False, loc="center left")
    numbers = study.summary()
    drawn.suptitle(
        f"{numbers['objects']} objects at {study.model.fit.min_size} pixels: {numbers['covered_share']:.1%} covered, "
        f"{numbers['forced']} forced, {numbers['lost']} lost"
    )
    save(drawn, path)
