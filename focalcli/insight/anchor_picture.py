"""The picture of an anchor study: which objects the anchors meet, and where they miss."""

from pathlib import Path

import numpy as np

from focalcli.insight.anchors import AnchorStudy
from focalcli.insight.pictures import COLOURS, figure, save


def draw_anchors(study: AnchorStudy, path: Path) -> None:
    """Draw best overlap by class, and by side of the object in the photo; write a PNG."""
    best = study.found.best_iou.numpy()
    boxes = study.dataset.boxes.take(study.rows)
    threshold = study.model.loss.object_iou
    drawn, (curves, sides) = figure(2)
    for index, category in enumerate(study.dataset.categories[: len(COLOURS)]):
        ordered = np.sort(best[boxes.category == index])
        if len(ordered):
            share = 1 - np.arange(len(ordered)) / len(ordered)
            curves.step(ordered, share, where="post", color=COLOURS[index], label=f"{category.name} ({len(ordered)})")
    curves.axvline(threshold, color="grey", linestyle=":", linewidth=1)
    curves.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="best overlap with an anchor (IoU)", ylabel="share of objects above")
    curves.legend(frameon=False, loc="lower left")
    side = np.sqrt(boxes.area.clip(1))
    edges = np.geomspace(max(side.min(), 1) * 0.999, side.max() * 1.001, 25)
    place = np.digitize(side, edges) - 1
    covered = np.array([(best[place == i] >= threshold).mean() if (place == i).any() else np.nan for i in range(24)])
    counts = np.bincount(place.clip(0, 23), minlength=24)
    sides.bar(edges[:-1], counts / counts.max(), width=np.diff(edges), align="edge", color="#D9D9D9", label="objects")
    sides.plot(np.sqrt(edges[1:] * edges[:-1]), covered, "o-", color=COLOURS[0], markersize=4, label="covered share")
    sides.set(xscale="log", ylim=(0, 1.05), xlabel="side of the object in the photo (pixels)")
    ticks = [2**power for power in range(12) if edges[0] <= 2**power <= edges[-1]]
    sides.set_xticks(ticks, [str(tick) for tick in ticks])
    sides.minorticks_off()
    sides.legend(frameon=False, loc="lower right")
    numbers = study.summary()
    drawn.suptitle(
        f"{numbers['objects']} objects at {study.model.fit.min_size} pixels: {numbers['covered_share']:.1%} covered, "
        f"{numbers['forced']} forced, {numbers['lost']} lost"
    )
    save(drawn, path)
