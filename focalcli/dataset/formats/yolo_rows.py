"""The rows of YOLO label files: boxes, boxes with a score, polygons and poses."""

from pathlib import Path

from focalcli.dataset.builder import DatasetBuilder
from focalcli.dataset.formats.yolo_yaml import DataYaml
from focalcli.dataset.source import Source
from focalcli.dataset.types import Flag

FAR = 2.0
"""Values beyond this many photos are pixels or damage, not boxes that stick out."""


class Rows:
    """The rows of many label files, gathered as columns."""

    def __init__(self, source: Source, builder: DatasetBuilder, names: list[str] | None, yaml: DataYaml | None) -> None:
        self.source, self.builder, self.names = source, builder, names
        self.kpt_tokens = yaml.kpt_tokens if yaml else 0
        self.place = source.name(yaml.path) if yaml else "the class list"
        self.image: list[int] = []
        self.category: list[int] = []
        self.xyxy: list[tuple[float, float, float, float]] = []
        self.file: list[int] = []
        self.line: list[int] = []
        self.flags: list[int] = []
        self.score: list[float | None] = []

    def read(self, path: Path, image: int) -> None:
        """Read one label file."""
        lines = self.source.lines(path)
        file = self.builder.file(path)
        for number, line in enumerate(lines, 1):
            words = line.split()
            if words:
                self._row(words, image, file, number, path)

    def _row(self, words: list[str], image: int, file: int, number: int, path: Path) -> None:
        try:
            category, *values = [float(word) for word in words]
        except ValueError:
            self._wrong(path, number, f"{' '.join(words[:6])!r} is not a row of numbers")
            return
        if not (category.is_integer() and category >= 0):
            self._wrong(path, number, f"{words[0]} is not a class index")
            return
        if self.names is not None and category >= len(self.names):
            fact = f"class {int(category)}, but {self.place} names {len(self.names)} classes"
            self.builder.finding("E003", f"{self.source.name(path)}: line {number}", fact)
            return
        if any(abs(value) > FAR for value in values[:4]):
            self._wrong(path, number, "has pixels instead of fractions of the photo")
            return
        score, flags = None, 0
        if len(words) in (5, 6, self.kpt_tokens):
            x, y, width, height = values[:4]
            corners = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
            score = values[4] if len(words) == 6 else None
        elif len(words) >= 7 and len(words) % 2:
            corners = (min(values[::2]), min(values[1::2]), max(values[::2]), max(values[1::2]))
            flags = Flag.FROM_POLYGON.value
        else:
            self._wrong(path, number, f"has {len(words)} numbers, neither a box nor a polygon")
            return
        self.image.append(image)
        self.category.append(int(category))
        self.xyxy.append(corners)
        self.file.append(file)
        self.line.append(number)
        self.flags.append(flags)
        self.score.append(score)

    def _wrong(self, path: Path, number: int, fact: str) -> None:
        self.builder.finding("E001", f"{self.source.name(path)}: line {number}", fact)

    def add(self) -> None:
        """Hand the columns to the builder; classes nobody named are numbered."""
        count = len(self.names) if self.names is not None else max(self.category, default=-1) + 1
        for index in range(len(self.builder.categories), count):
            self.builder.category(self.names[index] if self.names else f"class_{index}", index)
        self.builder.boxes(
            self.image,
            self.category,
            self.xyxy,
            file=self.file,
            line=self.line,
            flags=self.flags,
            fractions=True,
            score=self.score,
        )
