"""Where results go: a stream, or a file that appears when it is complete and can be continued before that."""

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Protocol, TextIO

from focalcli.errors import DataError
from focalcli.files import replacing, write_error
from focalcli.inference.documents import Document
from focalcli.inference.records import decode_record
from focalcli.inference.stream import Result

PARTIAL = ".partial"


class Output(Protocol):
    """Takes results one after the other, in input order."""

    def put(self, result: Result) -> None:
        """Take a result."""


class StreamOutput:
    """Writes a document to an open stream, each item whole and at once."""

    def __init__(self, stream: TextIO, document: Document, *, escape: Callable[[str], str] = str) -> None:
        """Pass every item through `escape` before it is written."""
        self._stream, self._document, self._escape = stream, document, escape
        self._position, self._between = 0, ""

    def __enter__(self) -> "StreamOutput":
        self._write(self._document.head)
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._write(self._document.tail)

    def put(self, result: Result) -> None:
        """Write a result and flush; a signal that arrives meanwhile waits until the item is out."""
        item = self._document.item(result, self._position)
        self._position += 1
        if item:
            self._write(self._between + self._escape(item))
            self._between = self._document.between

    def _write(self, text: str) -> None:
        if text:
            with unbroken():
                self._stream.write(text)
                self._stream.flush()


@contextmanager
def file_output(path: Path, document: Document, *, resume: bool = False) -> Iterator[StreamOutput]:
    """Write a document to `path`, under another name until it is complete.

    JSON lines that break off stay there under the name with `.partial`; `resume` continues them.

    Raises:
        CannotWrite: the file cannot be created.
        IoError: the disk is full or failed.
    """
    if document.suffix != ".jsonl":
        with replacing(path) as temporary, open(temporary, "w", encoding="utf-8") as stream:
            with StreamOutput(stream, document) as output:
                yield output
        return
    partial = path.with_name(path.name + PARTIAL)
    try:
        partial.parent.mkdir(parents=True, exist_ok=True)
        with open(partial, "a" if resume else "w", encoding="utf-8") as stream:
            with StreamOutput(stream, document) as output:
                yield output
            os.fsync(stream.fileno())
        os.replace(partial, path)
    except OSError as error:
        raise write_error(path, error) from error


def finished(path: Path) -> "Counter[str]":
    """Give how often each photo stands in the lines of an earlier run, and make its file ready to be continued.

    A line that was being written when that run ended is cut off.

    Raises:
        DataError: the file holds something else.
    """
    partial = path.with_name(path.name + PARTIAL)
    names: Counter[str] = Counter()
    try:
        if path.exists():
            os.replace(path, partial)
        if not partial.exists():
            return names
        whole = 0
        with open(partial, "rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    break
                names[decode_record(line, f"{partial}: line {number}").image] += 1
                whole += len(line)
        os.truncate(partial, whole)
    except OSError as error:
        raise DataError(partial, f"cannot be continued ({(error.strerror or str(error)).lower()})") from error
    return names


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
