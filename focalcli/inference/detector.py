"""From images to `Detections`, in order, in batches of equal shape.

Every photo is padded as it would be alone and only photos of the same padded shape share a batch, so the answer for
one does not depend on its neighbours.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from focalcli.errors import FocalError
from focalcli.images.decode import Pixels
from focalcli.images.fit import Fit
from focalcli.inference.detections import Detections, Runtime
from focalcli.inference.views import Prepared, View, whole

# How many batches of views, and of photos, may wait for others of a shape: bounds memory and the oldest one's delay.
_WAITING_BATCHES = 8


@dataclass(slots=True)
class _Job:
    """A photo on its way: the views that still wait, what was found in the others, and the answer once it is there."""

    image_size: tuple[int, int]
    views_left: int = 1  # one more than the views that wait, until all have been taken
    found: list[Detections] = field(default_factory=list)
    answer: Detections | FocalError | None = None


class Detector:
    """Runs a model over any number of photos; holds a few batches of them at a time."""

    def __init__(self, runtime: Runtime, *, batch: int = 4, threshold: float | None = None) -> None:
        """Take up to `batch` views at once; keep scores of at least `threshold`, if given, of what the model keeps."""
        self.config, self.batch = runtime.config, batch
        self._runtime, self._threshold = runtime, threshold or 0.0
        self._fit = Fit.of(runtime.config)

    def prepare(self, image: Pixels) -> Prepared:
        """Resize a photo for the network. Safe to call from many threads, so that it can overlap with the network."""
        return whole(image, self._fit)

    def detect(self, images: Iterable[Pixels]) -> Iterator[Detections]:
        """Give the detections of each photo (H, W, 3), in order."""
        for answer in self.stream(self.prepare(image) for image in images):
            if isinstance(answer, FocalError):
                raise answer
            yield answer

    def stream(self, items: Iterable[Prepared | FocalError | None]) -> Iterator[Detections | FocalError]:
        """Give one answer for each photo or error, in order; errors pass through. None asks for all answers now.

        A source that has to wait says None before it does, so that finished photos do not wait with it.
        """
        queue = _Queue(self._runtime, self.batch, self._threshold)
        for item in items:
            if item is None:
                queue.run_all()
            else:
                queue.put(item)
            yield from queue.answers()
        queue.run_all()
        yield from queue.answers()


class _Queue:
    """Photos in input order, and their views grouped by shape."""

    def __init__(self, runtime: Runtime, batch: int, threshold: float) -> None:
        self._runtime, self._batch, self._threshold = runtime, batch, threshold
        self._limit = batch * _WAITING_BATCHES
        self._jobs: deque[_Job] = deque()
        self._groups: dict[tuple[int, int], list[tuple[_Job, View]]] = {}

    def put(self, item: Prepared | FocalError) -> None:
        """Take in a photo, running every batch that becomes full."""
        if isinstance(item, FocalError):
            self._jobs.append(_Job((0, 0), answer=item))
            return
        job = _Job(item.image_size)
        self._jobs.append(job)
        try:
            for view in item.views:
                self._add(job, view)
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

    def _add(self, job: _Job, view: View) -> None:
        group = self._groups.setdefault(view.padded_shape, [])
        group.append((job, view))
        job.views_left += 1
        if len(group) == self._batch:
            self._run(view.padded_shape)
        elif sum(map(len, self._groups.values())) >= self._limit:
            self._run(next(iter(self._groups)))

    def _run(self, shape: tuple[int, int]) -> None:
        group = self._groups.pop(shape)
        views = [view for _, view in group]
        raw = self._runtime.run(views[0].fit.pad([view.pixels for view in views]))
        for i, (job, view) in enumerate(group):
            count = raw.counts[i]
            boxes, scores = view.restore(raw.boxes[i, :count]), raw.scores[i, :count]
            job.found.append(_keep(Detections(boxes, scores, raw.classes[i, :count]), self._threshold))
            self._release(job)

    def _release(self, job: _Job) -> None:
        """Count one view less; with the last, the photo has its answer."""
        job.views_left -= 1
        if job.views_left == 0 and job.answer is None:
            [job.answer] = job.found


def _keep(found: Detections, threshold: float) -> Detections:
    """Drop what scores below `threshold` and what lost its area when it was clipped to the photo."""
    sides = found.boxes[:, 2:] - found.boxes[:, :2]
    rows = (found.scores >= threshold) & (sides > 0).all(axis=1)
    return Detections(found.boxes[rows], found.scores[rows], found.classes[rows])
