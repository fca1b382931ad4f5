"""From images to `Detections`, in order, in batches of equal shape.

Every photo is padded as it would be alone and only photos of the same padded shape share a batch, so the answer for
one does not depend on its neighbours.
"""

from collections.abc import Iterable, Iterator

from focalcli.errors import FocalError
from focalcli.images.fit import Fit
from focalcli.inference.batches import Batches
from focalcli.inference.detections import Detections, Runtime
from focalcli.inference.options import SelectionConfig, ViewConfig
from focalcli.inference.selection import Selection
from focalcli.inference.views import WHOLE, Photo, Prepared, prepare


class Detector:
    """Runs a model over any number of photos; holds a few batches of them at a time."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        batch: int | None = None,
        threshold: float | None = None,
        views: ViewConfig = WHOLE,
        selection: SelectionConfig | None = None,
    ) -> None:
        """Take up to `batch` views at once, else as many as the runtime's `batch_pixels` hold.

        Keep what `selection` says, or else scores of at least `threshold`.

        Raises:
            UsageError: the model's file has decided something else.
        """
        self.config, self._batch = runtime.config, batch
        self.views = views.of_model(self.config.tile, self.config.fit.min_size)
        at_least = SelectionConfig(threshold=None if threshold is None else str(threshold))
        self.selection = Selection.of(runtime.config, selection or at_least)
        wanted = self.selection.postprocess(runtime.config.postprocess)
        self._runtime = runtime if wanted == runtime.config.postprocess else runtime.using(wanted)
        self._fit = Fit.of(runtime.config)
        # Of square photos: how much may be held ready does not depend on what comes.
        self.batch = self.at_once(self._fit.padded_shape((1, 1)))

    def prepare(self, photo: Photo) -> Prepared:
        """Resize a photo for the network. Safe to call from many threads, so that it can overlap with the network."""
        return prepare(photo, self._fit, self.views)

    def detect(self, images: Iterable[Photo]) -> Iterator[Detections]:
        """Give the detections of each photo (H, W, 3), in order."""
        for answer in self.stream(self.prepare(image) for image in images):
            if isinstance(answer, FocalError):
                raise answer
            yield answer

    def stream(self, items: Iterable[Prepared | FocalError | None]) -> Iterator[Detections | FocalError]:
        """Give one answer for each photo or error, in order; errors pass through. None asks for all answers now.

        A source that has to wait says None before it does, so that finished photos do not wait with it.
        """
        # Each tile may hold as many objects as the model gives at once.
        most = None if self.views.tile else self.config.postprocess.max_detections
        batches = Batches(self._runtime, self.selection, size=self.at_once, typical=self.batch, most=most)
        for item in items:
            if item is None:
                batches.run_all()
            else:
                batches.put(item)
            yield from batches.answers()
        batches.run_all()
        yield from batches.answers()

    def at_once(self, shape: tuple[int, int]) -> int:
        """Give how many views of a padded shape are taken at once."""
        return self._batch or max(1, self._runtime.batch_pixels // (shape[0] * shape[1]))
