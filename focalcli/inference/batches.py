"""Photos on their way through the network: views wait for others of their shape, answers wait for their turn."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from focalcli.errors import FocalError
from focalcli.inference.detections import Detections, Runtime
from focalcli.inference.merge import join_at_seams
from focalcli.inference.selection import Selection
from focalcli.inference.views import Prepared, View

# How many batches of views, and of photos, may wait for others of a shape: bounds memory and the oldest one's delay.
_WAITING_BATCHES = 8


@dataclass(frozen=True, slots=True)
class _Part:
    """What was found in the view at a place of its photo's order, and which sides of the boxes the view cuts."""

    place: int
    found: Detections
    cut: npt.NDArray[np.bool_]


@dataclass(slots=True)
class _Job:
    """A photo: the views that still wait, what was found in the others, and the answer once it is there."""

    image_size: tuple[int, int]
    views_left: int = 1  # one more than the views that wait, until all have been taken
    parts: list[_Part] = field(default_factory=list)
    answer: Detections | FocalError | None = None


class Batches:
    """Photos in input order, and their views grouped by shape."""

    def __init__(
        self,
        runtime: Runtime,
        selection: Selection,
        *,
        size: Callable[[tuple[int, int]], int],
        typical: int,
        most: int | None,
    ) -> None:
        """Run up to `size` views of a padded shape at once, mostly `typical`.

        Give `most` detections a photo, where `selection` names no number.
        """
        self._runtime, self._selection, self._size, self._most = runtime, selection, size, most
        self._limit = typical * _WAITING_BATCHES
        self._jobs: deque[_Job] = deque()
        self._groups: dict[tuple[int, int], list[tuple[_Job, int, View]]] = {}

    def put(self, item: Prepared | FocalError) -> None:
        """Take in a photo, running every batch that becomes full."""
        if isinstance(item, FocalError):
            self._jobs.append(_Job((0, 0), answer=item))
            return
        job = _Job(item.image_size)
        self._jobs.append(job)
        try:
            for place, view in enumerate(item.views):
                self._add(job, place, view)
        except FocalError as error:
            job.answer = error
        self._release(job)
        if len(self._jobs) > self._limit and self._jobs[0].answer is None:
            self._run(next(iter(self._groups)))  # the oldest group holds the oldest photo

    def answers(self) -> Iterator[Detections | FocalError]:
        """Give the answers that are there, up to the first photo that still waits."""
        while self._jobs and (answer := self._jobs[0].answer) is not None:
            self._jobs.popleft()
            yield answer

    def run_all(self) -> None:
        """Run every group, full or not, the oldest first."""
        while self._groups:
            self._run(next(iter(self._groups)))

    def _add(self, job: _Job, place: int, view: View) -> None:
        group = self._groups.setdefault(view.padded_shape, [])
        group.append((job, place, view))
        job.views_left += 1
        if len(group) >= self._size(view.padded_shape):
            self._run(view.padded_shape)
        elif sum(map(len, self._groups.values())) >= self._limit:
            self._run(next(iter(self._groups)))

    def _run(self, shape: tuple[int, int]) -> None:
        group = self._groups.pop(shape)
        views = [view for _, _, view in group]
        raw = self._runtime.run(views[0].fit.pad([view.pixels for view in views]))
        for i, (job, place, view) in enumerate(group):
            count = raw.counts[i]
            boxes = view.restore(raw.boxes[i, :count])
            found = self._selection.passing(Detections(boxes, raw.scores[i, :count], raw.classes[i, :count]))
            job.parts.append(_Part(place, found, view.cut(found.boxes)))
            self._release(job)

    def _release(self, job: _Job) -> None:
        """Count one view less; with the last, the photo has its answer."""
        job.views_left -= 1
        if job.views_left == 0 and job.answer is None:
            job.answer = self._answer(sorted(job.parts, key=lambda part: part.place))
            job.parts = []

    def _answer(self, parts: list[_Part]) -> Detections:
        """Make one answer of what was found in all views of a photo."""
        selection = self._selection
        if len(parts) == 1 and selection.done_by_model:
            return selection.first(parts[0].found, self._most)
        return selection.first(selection.suppress(_together(parts)), self._most)


def _together(parts: list[_Part]) -> Detections:
    """Give what was found in all views, parts at seams joined, scores descending."""
    boxes = np.concatenate([part.found.boxes for part in parts])
    scores = np.concatenate([part.found.scores for part in parts])
    classes = np.concatenate([part.found.classes for part in parts])
    boxes, scores, keep = join_at_seams(boxes, scores, classes, np.concatenate([part.cut for part in parts]))
    rows = np.flatnonzero(keep)
    rows = rows[np.argsort(-scores[rows], kind="stable")]
    return Detections(boxes[rows], scores[rows], classes[rows])
