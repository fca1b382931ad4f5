"""What a format module offers: `INFO`, `sniff`, `read` and, where it can, `write`.

A format is a module (or any object) with these four names; `formats/table.py` lists them. It gets bounded views of the
disk (`Peek`, `Source`, `Sink`) and never opens, joins or writes paths by itself.
"""

from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from focalcli.dataset.features import Feature
from focalcli.dataset.findings import EXAMPLES
from focalcli.dataset.types import Dataset
from focalcli.images.sizes import MAX_PIXELS

if TYPE_CHECKING:
    from focalcli.dataset.builder import DatasetBuilder
    from focalcli.dataset.peek import Peek
    from focalcli.dataset.sink import Sink
    from focalcli.dataset.source import Source

VocCoords = Literal["auto", "one-based", "zero-based"]
BadBoxes = Literal["clip", "drop", "error", "keep"]


class Confidence(IntEnum):
    """What a match rests on; content beats layout beats extension."""

    EXTENSION = 1
    LAYOUT = 2
    CONTENT = 3


class Match(NamedTuple):
    """A format's claim on a path: what it rests on, and the evidence as a clause (`a.json has the keys ...`)."""

    confidence: Confidence
    evidence: str


@dataclass(frozen=True, slots=True)
class FormatInfo:
    """What can be said of a format without using it.

    `carries`: the features its files keep. `record`: what `Boxes.origin_line` counts (`line`, `object`,
    `annotation`). `file_suffix`: the suffix of a destination that is one file, where the format can be one.
    """

    name: str
    title: str
    carries: frozenset[Feature]
    can_read: bool = True
    can_write: bool = True
    record: str = "line"
    file_suffix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """How to read: the same for all formats; each takes what concerns it.

    `images`: folders with the photos, also declared as roots. `split`: the one wanted, None for all. `bad_boxes`:
    `keep` leaves boxes as far out of their photo as the file has them, as pycocotools measures them. `lenient`: keep
    going after fatal findings and only report them (`validate`). `examples`: how many further places of a finding to
    keep.
    """

    images: tuple[Path, ...] = ()
    split: str | None = None
    voc_coords: VocCoords = "auto"
    bad_boxes: BadBoxes = "clip"
    lenient: bool = False
    follow_symlinks: bool = False
    max_pixels: int = MAX_PIXELS
    examples: int = EXAMPLES


class Format(Protocol):
    """The four names of a format module."""

    @property
    def INFO(self) -> FormatInfo:
        """Give name, title and capabilities."""

    def sniff(self, peek: "Peek") -> Match | None:
        """Claim a path or not, by its content first, then its layout, then its extension."""

    def read(self, source: "Source", options: ReadOptions, builder: "DatasetBuilder") -> None:
        """Hand everything in `source` to the builder, in source order, unrepaired: the builder clips and drops."""

    def write(self, dataset: Dataset, sink: "Sink") -> None:
        """Write everything the format carries into the sink; report what was changed through `sink.loss`."""
