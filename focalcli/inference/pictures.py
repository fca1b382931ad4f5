"""Pictures of results, in a tree like that of the photos: boxes drawn on them, or each object cut out."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from io import BytesIO
from pathlib import Path, PurePath

from PIL import Image

from focalcli.config import ClassInfo
from focalcli.errors import FocalError
from focalcli.files import write_bytes
from focalcli.images.decode import Pixels
from focalcli.images.draw import draw_boxes
from focalcli.inference.detections import Detections
from focalcli.inference.stream import Result

Picture = tuple[PurePath, Pixels]
Make = Callable[[Result, Detections], Iterator[Picture]]


class PictureOutput:
    """Writes the pictures that `make` gives for a result below a folder, on threads of its own."""

    def __init__(self, folder: Path, make: Make, *, threshold: float = 0.0, workers: int = 2) -> None:
        """Show what scores at least `threshold`."""
        self._folder, self._make, self._threshold = folder, make, threshold
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="draw")
        self._ahead = 2 * workers
        self._writing: deque[Future[None]] = deque()

    def __enter__(self) -> "PictureOutput":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=kind is not None)
        if kind is None:
            self._settle(0)

    def put(self, result: Result) -> None:
        """Begin to draw a photo; photos that could not be read have no picture."""
        if result.pixels is not None and not isinstance(result.record.found, FocalError):
            self._writing.append(self._pool.submit(self._write, result, result.record.found))
            self._settle(self._ahead)

    def _settle(self, allowed: int) -> None:
        """Wait until no more than `allowed` photos are being drawn; raise what went wrong with one."""
        while len(self._writing) > allowed:
            self._writing.popleft().result()

    def _write(self, result: Result, found: Detections) -> None:
        shown = found.scores >= self._threshold
        found = Detections(found.boxes[shown], found.scores[shown], found.classes[shown])
        for place, pixels in self._make(result, found):
            kind, name = picture_file(place.name)
            buffer = BytesIO()
            Image.fromarray(pixels).save(buffer, kind, quality=90)
            write_bytes(self._folder / place.with_name(name), buffer.getvalue())


def drawn(classes: Sequence[ClassInfo]) -> Make:
    """Give the photo with boxes, names and scores."""

    def make(result: Result, found: Detections) -> Iterator[Picture]:
        assert result.pixels is not None
        names = [classes[index].name for index in found.classes]
        labels = [f"{name} {score:.2f}" for name, score in zip(names, found.scores, strict=True)]
        yield result.source.place, draw_boxes(result.pixels, found.boxes, labels, found.classes.tolist())

    return make


def crops(classes: Sequence[ClassInfo]) -> Make:
    """Give each object alone, as `CLASS/photo-0001.jpg` in the tree of the photos."""

    def make(result: Result, found: Detections) -> Iterator[Picture]:
        assert result.pixels is not None
        place = result.source.place
        for number, (box, index) in enumerate(zip(found.boxes, found.classes, strict=True), 1):
            left, top = (int(edge) for edge in box[:2])
            right, bottom = (max(int(-(-edge // 1)), low + 1) for edge, low in zip(box[2:], (left, top), strict=True))
            folder = _folder_name(classes[index].name)
            name = f"{place.stem}-{number:04}{place.suffix}"
            yield PurePath(folder) / place.with_name(name), result.pixels[top:bottom, left:right]

    return make


def picture_file(name: str) -> tuple[str, str]:
    """Give kind and name of the picture of a photo: PNG stays PNG, all else becomes JPEG under a name of its own.

    >>> picture_file("a.PNG"), picture_file("a.jpeg"), picture_file("a.tif")
    (('PNG', 'a.PNG'), ('JPEG', 'a.jpeg'), ('JPEG', 'a.tif.jpg'))
    """
    suffix = os.path.splitext(name)[1].lower()
    if suffix == ".png":
        return "PNG", name
    return "JPEG", name if suffix in (".jpg", ".jpeg") else f"{name}.jpg"


def _folder_name(text: str) -> str:
    """Give a class name that is safe as a folder's.

    >>> _folder_name("red blood/cell"), _folder_name("..")
    ('red blood_cell', '_')
    """
    safe = "".join(c if c.isprintable() and c not in '/\\\\:*?"<>|' else "_" for c in text).strip(". ")
    return safe or "_"
