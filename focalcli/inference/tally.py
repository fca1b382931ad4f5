"""What a run over many photos came to, and whether that passes the gates the user set."""

import operator
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from focalcli.config import ClassInfo
from focalcli.errors import FocalError, UsageError, did_you_mean
from focalcli.inference.records import Record


class Tally:
    """Counts photos, failures and objects."""

    def __init__(self, classes: Sequence[ClassInfo]) -> None:
        self.photos = self.failed = 0
        self.objects: Counter[str] = Counter()
        self.first_error: FocalError | None = None
        self._names = [info.name for info in classes]

    def add(self, record: Record) -> None:
        """Count a record."""
        self.photos += 1
        if isinstance(record.found, FocalError):
            self.failed += 1
            self.first_error = self.first_error or record.found
        else:
            self.objects.update(self._names[index] for index in record.found.classes)

    def __str__(self) -> str:
        """Give the summary, `3 photos, 17 objects; 1 could not be read`."""
        failed = f"; {self.failed} could not be read" if self.failed else ""
        return f"{_count(self.photos, 'photo')}, {_count(self.objects.total(), 'object')}{failed}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


_COMPARE: dict[str, Callable[[int, int], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}


@dataclass(frozen=True, slots=True)
class Gate:
    """A condition on the number of objects of a class, or of all (`*`), under which the run fails: `person>0`."""

    name: str
    relation: str
    number: int

    @classmethod
    def parse(cls, text: str, classes: Sequence[ClassInfo]) -> "Gate":
        """Read `NAME>NUMBER`, with > >= < <= or ==.

        Raises:
            UsageError: it is not written so, or the model has no such class.
        """
        match = re.fullmatch(r"\s*(.+?)\s*(>=|<=|==|>|<)\s*(\d+)\s*", text, re.DOTALL)
        if match is None:
            raise UsageError("--fail-if", f"{text!r} is no condition", 'for example --fail-if "person>0"')
        names = [info.name for info in classes]
        if match[1] != "*" and match[1] not in names:
            raise UsageError("--fail-if", f"the model has no class {match[1]!r}", did_you_mean(match[1], names))
        return cls(match[1], match[2], int(match[3]))

    def holds(self, tally: Tally) -> bool:
        """Tell whether the condition is met by all objects of the run."""
        return _COMPARE[self.relation](self.count(tally), self.number)

    def count(self, tally: Tally) -> int:
        """Give the number it is about."""
        return tally.objects.total() if self.name == "*" else tally.objects[self.name]

    def __str__(self) -> str:
        """Give the condition as it was written."""
        return f"{self.name}{self.relation}{self.number}"
