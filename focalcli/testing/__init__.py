"""What every format must hold to, ours and a plug-in's: `check_format(format)` in a test of yours.

It makes data sets of what the format says it carries, writes them, reads them back and compares. Formats that only read
or only write are held to what that leaves. Needs hypothesis (`pip install hypothesis`).
"""

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from focalcli.dataset.builder import DatasetBuilder
from focalcli.dataset.features import Feature
from focalcli.dataset.format import Format, ReadOptions
from focalcli.dataset.peek import Peek
from focalcli.dataset.sink import Sink
from focalcli.dataset.source import Source
from focalcli.dataset.types import Dataset, Flag
from focalcli.errors import DataError, Unavailable
from focalcli.files import write_bytes
from focalcli.testing.samples import NAMES, empty, photo, sample

EXAMPLES = 25
ROWS, SECONDS = 10_000, 60.0
"""Of the smoke test of speed: boxes, and the processor time that writing and reading them may take."""

CROWDS = Flag.CROWD | Flag.GROUP | Flag.IGNORE
ESCAPES = ("../outside.png", "/outside.png", "a/../../outside.png", "C:\\outside.png", "a\x00.png", "con.png")


def check_format(format: Format, *, within: float = 1e-6, examples: int = EXAMPLES) -> None:
    """Hold a format to the laws of focalcli; `within`: pixels its coordinates may move, 0.5 where it has whole ones.

    The laws: photos, classes, boxes and flags, as far as the format carries them, come back as they went; the same
    data give the same bytes; a name that leads out of the destination is refused; what it wrote it recognises, and
    nothing else; an empty data set is written, and read back as empty or refused in a line; 10,000 boxes take seconds.

    Raises:
        AssertionError: a law is broken; the message names it and shows the smallest data set that does so.
        Unavailable: hypothesis is not installed.
    """
    info = format.INFO
    assert info.name == info.name.lower() and info.title and (info.can_read or info.can_write), "INFO is incomplete"
    _check_nothing_claimed(format)
    if not info.can_write:
        return
    _check_escapes(format)
    _check_same_bytes(format, sample(format, 3))
    if info.can_read:
        _check_empty(format, within)
        _check_speed(format, within)
        _check_generated(format, within, examples)


def _check_nothing_claimed(format: Format) -> None:
    """An empty folder and a file of nonsense belong to nobody."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in ("", "a.json", "a.xml", "a.csv", "a.jsonl", "a.yaml", "a.txt"):
            if name:
                write_bytes(root / name, b"\x00\xff nonsense [")
            assert format.sniff(Peek(root)) is None, (
                f"{format.INFO.name} claims a folder of nonsense ({name or 'empty'})"
            )


def _check_escapes(format: Format) -> None:
    """A name that leads out, or that some system cannot store, is a DataError; nothing lies outside."""
    for key in ESCAPES:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / "inside"
            root.mkdir()
            dataset = sample(format, 1)
            hostile = replace(dataset, images=(dataset.images[0].but(key=key, path=photo(Path(folder))),))
            before = sorted(Path(folder).iterdir())
            try:
                format.write(hostile, Sink(root, root))
            except DataError:
                pass
            else:
                written = [path for path in root.rglob("*") if path.is_file() and path.suffix == ".png"]
                raise AssertionError(f"{format.INFO.name} wrote a photo called {key!r} ({written})")
            assert sorted(Path(folder).iterdir()) == before, f"{format.INFO.name} wrote outside for {key!r}"


def _check_empty(format: Format, within: float) -> None:
    """Nothing comes back as nothing; a format of one file a photo has none then, and may say so."""
    try:
        _check_round_trip(format, empty(format), within)
    except DataError as error:
        assert "\n" not in str(error), f"{format.INFO.name} takes several lines to refuse an empty data set"


def _check_same_bytes(format: Format, dataset: Dataset) -> None:
    """The same data give the same files."""
    first, second = _written(format, dataset), _written(format, dataset)
    assert first == second, f"{format.INFO.name} writes other bytes the second time"


def _check_speed(format: Format, within: float) -> None:
    start = time.process_time()
    _check_round_trip(format, sample(format, ROWS // 10, boxes=10), within)
    taken = time.process_time() - start
    assert taken < SECONDS, f"{format.INFO.name} takes {taken:.0f} s for {ROWS} boxes"


def _check_generated(format: Format, within: float, examples: int) -> None:
    """Let hypothesis look for a data set that does not come back."""
    try:
        from hypothesis import HealthCheck, given, settings
        from hypothesis import strategies as st
    except ImportError as error:
        raise Unavailable("focalcli.testing", "needs hypothesis", "pip install hypothesis") from error

    @settings(
        max_examples=examples, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(st.data())
    def holds(data: st.DataObject) -> None:
        images = data.draw(st.integers(1, 4), "images")
        boxes = data.draw(st.integers(1, 4), "boxes")
        seed = data.draw(st.integers(0, 2**16), "seed")
        names = data.draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True), "names")
        _check_round_trip(format, sample(format, images, boxes=boxes, seed=seed, names=names), within)

    holds()


def _check_round_trip(format: Format, dataset: Dataset, within: float) -> None:
    """What was written is recognised, and read back as it was, as far as the format carries it."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "set"
        root.mkdir()
        path = photo(Path(folder))
        given = replace(dataset, images=tuple(image.but(path=path) for image in dataset.images))
        format.write(given, Sink(root, root, "link"))
        assert format.sniff(Peek(root)) is not None or not dataset.images, (
            f"{format.INFO.name} does not know its own files"
        )
        options = ReadOptions()
        builder = DatasetBuilder(Source(root), format.INFO, options)
        format.read(Source(root), options, builder)
        _compare(format, dataset, builder.finish(), within)


def _compare(format: Format, before: Dataset, after: Dataset, within: float) -> None:
    name, carries = format.INFO.name, format.INFO.carries
    keys = [sorted(_facts(dataset, carries)) for dataset in (before, after)]
    assert keys[0] == keys[1], f"{name}: images {keys[0]} came back as {keys[1]}"
    mine, theirs = _objects(before, carries), _objects(after, carries)
    assert mine.keys() == theirs.keys(), f"{name}: objects of {sorted(mine)} came back as {sorted(theirs)}"
    for place, boxes in mine.items():
        assert len(boxes) == len(theirs[place]), (
            f"{name}: {len(boxes)} boxes of {place}, {len(theirs[place])} came back"
        )
        moved = float(np.abs(np.array(boxes) - np.array(theirs[place])).max())
        assert moved <= within, f"{name}: a box of {place} moved by {moved} pixels, more than {within}"
    if Feature.CLASS_LIST in carries:
        classes = [[category.name for category in dataset.categories] for dataset in (before, after)]
        assert classes[0] == classes[1], f"{name}: classes {classes[0]} came back as {classes[1]}"


def _facts(dataset: Dataset, carries: frozenset[Feature]) -> list[tuple[str, str, int, int, bool]]:
    """Give what must come back of the images."""
    return [
        (
            image.split or "" if Feature.SPLITS in carries else "",
            image.key if Feature.SUBFOLDERS in carries else image.key.rpartition("/")[2],
            image.width,
            image.height,
            image.labelled if Feature.UNLABELLED in carries else True,
        )
        for image in dataset.images
    ]


def _objects(dataset: Dataset, carries: frozenset[Feature]) -> dict[tuple[str, str, int], list[list[float]]]:
    """Give the boxes by image, class and what must come back of their flags, in their order."""
    kept = CROWDS if Feature.CROWD in carries else Flag(0)
    kept |= Flag.DIFFICULT if Feature.DIFFICULT in carries else Flag(0)
    kept |= Flag.TRUNCATED | Flag.OCCLUDED if Feature.TRUNCATED in carries else Flag(0)
    found: dict[tuple[str, str, int], list[list[float]]] = {}
    boxes = dataset.boxes
    for row, xyxy in enumerate(boxes.xyxy.tolist()):
        flags = int(boxes.flags[row]) & kept
        flags = flags & ~int(CROWDS) | int(Flag.CROWD) if flags & CROWDS else flags
        name = dataset.categories[int(boxes.category[row])].name if Feature.NAMES in carries else ""
        key = dataset.images[int(boxes.image[row])].key.rpartition("/")[2]
        found.setdefault((key, name, flags), []).append(xyxy)
    return found


def _written(format: Format, dataset: Dataset) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        format.write(dataset, Sink(root, root))
        return {
            path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()
        }
