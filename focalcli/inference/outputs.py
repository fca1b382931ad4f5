"""Where results go: lines on a stream, a file that appears when it is complete, pictures in a tree of their own."""

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from types import FrameType
from typing import Any, Protocol, TextIO

from PIL import Image

from focalcli.config import ClassInfo
from focalcli.errors import FocalError
from focalcli.files import replacing, write_bytes
from focalcli.images.draw import draw_boxes
from focalcli.inference.records import encode_record
from focalcli.inference.stream import Result


class Output(Protocol):
    """Takes results one after the other, in input order."""

    def put(self, result: Result) -> None:
        """Take a result."""


Lines = Callable[[Result], str]
"""Turns a result into its lines, without the last newline."""


def json_line(classes: Sequence[ClassInfo]) -> Lines:
    """Give the lines of `focalcli.detections/1`."""
    return lambda result: encode_record(result.record, classes)


def text_line(classes: Sequence[ClassInfo]) -> Lines:
    """Give lines for people: `photo.jpg: 3 cat, 1 dog`, most frequent first."""

    def line(result: Result) -> str:
        found = result.record.found
        if isinstance(found, FocalError):
            return f"error: {found}"
        counts = sorted(((found.classes == i).sum(), -i) for i in set(found.classes.tolist()))[::-1]
        words = ", ".join(f"{count} {classes[-index].name}" for count, index in counts)
        return f"{result.record.image}: {words or 'nothing'}"

    return line


class StreamOutput:
    """Writes lines to an open stream, each whole and at once."""

    def __init__(self, stream: TextIO, lines: Lines) -> None:
        self._stream, self._lines = stream, lines

    def put(self, result: Result) -> None:
        """Write a result and flush; a signal that arrives meanwhile waits until the line is out."""
        text = self._lines(result) + "\n"
        with unbroken():
            self._stream.write(text)
            self._stream.flush()


@contextmanager
def file_output(path: Path, lines: Lines) -> Iterator[Output]:
    """Write lines to a file that comes into its place when the block ends well."""
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8") as stream:
        yield StreamOutput(stream, lines)


@contextmanager
def unbroken() -> Iterator[None]:
    """Put off SIGINT and SIGTERM until the block is done; a second one breaks it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept: list[tuple[int, Any]] = []
    handlers: dict[int, Any] = {}

    def keep(number: int, frame: FrameType | None) -> None:
        kept.append((number, frame))
        if len(kept) > 1 and callable(handlers[number]):
            handlers[number](number, frame)

    for each in map(int, (signal.SIGINT, signal.SIGTERM)):
        handlers[each] = signal.signal(each, keep)
    try:
        yield
    finally:
        for each, handler in handlers.items():
            signal.signal(each, handler)
    if kept:
        signal.raise_signal(kept[0][0])


class PictureOutput:
    """Draws what was found on each photo and writes the pictures below a folder, on threads of its own."""

    def __init__(self, folder: Path, classes: Sequence[ClassInfo], *, threshold: float, workers: int = 2) -> None:
        """Show scores of at least `threshold`."""
        self._folder, self._classes, self._threshold = folder, classes, threshold
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
            self._writing.append(self._pool.submit(self._write, result))
            self._settle(self._ahead)

    def _settle(self, allowed: int) -> None:
        """Wait until no more than `allowed` pictures are being written; raise what went wrong with one."""
        while len(self._writing) > allowed:
            self._writing.popleft().result()

    def _write(self, result: Result) -> None:
        found, pixels = result.record.found, result.pixels
        assert pixels is not None and not isinstance(found, FocalError), result.record
        shown = found.scores >= self._threshold
        names = [self._classes[index].name for index in found.classes[shown]]
        labels = [f"{name} {score:.2f}" for name, score in zip(names, found.scores[shown], strict=True)]
        drawn = draw_boxes(pixels, found.boxes[shown], labels, found.classes[shown].tolist())
        kind, name = picture_file(result.source.place.name)
        buffer = BytesIO()
        Image.fromarray(drawn).save(buffer, kind, quality=90)
        write_bytes(self._folder / result.source.place.with_name(name), buffer.getvalue())


def picture_file(name: str) -> tuple[str, str]:
    """Give kind and name of the picture of a photo: PNG stays PNG, all else becomes JPEG under a name of its own.

    >>> picture_file("a.PNG"), picture_file("a.jpeg"), picture_file("a.tif")
    (('PNG', 'a.PNG'), ('JPEG', 'a.jpeg'), ('JPEG', 'a.tif.jpg'))
    """
    suffix = os.path.splitext(name)[1].lower()
    if suffix == ".png":
        return "PNG", name
    return "JPEG", name if suffix in (".jpg", ".jpeg") else f"{name}.jpg"
