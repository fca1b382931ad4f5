"""What a user asked for as output, turned into open outputs."""

import io
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from focalcli.config import ClassInfo
from focalcli.errors import UsageError
from focalcli.inference.documents import DOCUMENTS, Document, jsonl
from focalcli.inference.label_files import LABEL_FILES, LabelFiles
from focalcli.inference.outputs import Output, StreamOutput, file_output, finished

# What a name's end says of a file; any other name is a folder's.
_FORMATS = {".jsonl": "jsonl", ".json": "coco", ".csv": "csv", ".xml": "cvat", ".txt": "text"}

_PICTURES = "pictures"


def usual_format(output: Path | None, *, terminal: bool) -> str:
    """Give the format of results where the user names none: what a file's suffix says, else JSON lines.

    A terminal is shown text.
    """
    if output is None:
        return "text" if terminal else "jsonl"
    return _FORMATS.get(output.suffix.lower(), "jsonl")


def result_folders(output: Path | None, draw: Path | None, crops: Path | None) -> tuple[Path, ...]:
    """Give the folders in which results may come to be, whether they are there or not."""
    folders = (output, output / _PICTURES if output else None, draw, crops)
    return tuple(folder for folder in folders if folder is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Destinations:
    """Results to `output`, a file by its suffix or else a folder, or to stdout; pictures to the folders that are named.

    A folder holds the results as `detections.SUFFIX`, or a file a photo, and `pictures`.
    """

    format: str
    output: Path | None = None
    draw: Path | None = None
    crops: Path | None = None
    draw_threshold: float = 0.3
    model: dict[str, str] | None = None
    resume: bool = False

    def __post_init__(self) -> None:
        """Refuse what does not go together.

        Raises:
            UsageError: naming the option.
        """
        if self.format in LABEL_FILES and (self.output is None or self.folder is None):
            raise UsageError("--format", f"{self.format} writes a file a photo", "name a folder with -o")
        if self.resume and (self.output is None or self.format != "jsonl"):
            raise UsageError("--resume", "continues JSON lines in a file only", "name their place with -o")

    @property
    def folder(self) -> Path | None:
        """Give `output` where it is a folder."""
        return self.output if self.output and self.output.suffix.lower() not in _FORMATS else None

    @property
    def wants_pixels(self) -> bool:
        """Tell whether pictures are made."""
        return bool(self.folder or self.draw or self.crops)

    def document(self, classes: Sequence[ClassInfo]) -> Document:
        """Give the text format of the results."""
        return jsonl(classes, model=self.model) if self.format == "jsonl" else DOCUMENTS[self.format](classes)

    def place(self, document: Document) -> Path | None:
        """Give the file of the results, None for stdout."""
        return self.folder / f"detections{document.suffix}" if self.folder else self.output

    def done(self, classes: Sequence[ClassInfo]) -> "Counter[str]":
        """Give the names that an earlier run has finished, its file ready to be continued; none without `resume`."""
        place = self.place(self.document(classes)) if self.resume else None
        return finished(place) if place else Counter()

    @contextmanager
    def pictures(self, classes: Sequence[ClassInfo]) -> Iterator[list[Output]]:
        """Open the folders of pictures; those that are named."""
        draw = self.draw or (self.folder / _PICTURES if self.folder else None)
        if not (draw or self.crops):
            yield []
            return
        from focalcli.inference.pictures import PictureOutput, crops, drawn

        with ExitStack() as stack:
            named = [(folder, make) for folder, make in ((draw, drawn), (self.crops, crops)) if folder is not None]
            yield [
                stack.enter_context(PictureOutput(folder, make(classes), threshold=self.draw_threshold))
                for folder, make in named
            ]

    @contextmanager
    def texts(self, classes: Sequence[ClassInfo], *, escape: Callable[[str], str]) -> Iterator[Output]:
        """Open what the results themselves go to; `escape` makes text safe for a terminal, should stdout be one."""
        if self.folder and self.format in LABEL_FILES:
            yield LabelFiles(self.folder, self.format, classes)
            return
        document = self.document(classes)
        place = self.place(document)
        if place is not None:
            with file_output(place, document, resume=self.resume) as output:
                yield output
            return
        with StreamOutput(_stdout(), document, escape=escape if sys.stdout.isatty() else str) as output:
            yield output


def _stdout() -> TextIO:
    """Give standard output, in UTF-8 whatever the locale says; what a terminal cannot show becomes an escape there."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.isatty():
        sys.stdout.reconfigure(errors="backslashreplace")
    elif isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    return sys.stdout
