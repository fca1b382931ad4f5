"""What a run over many photos came to."""

from focalcli.errors import FocalError
from focalcli.inference.records import Record


class Tally:
    """Counts photos, failures and objects."""

    def __init__(self) -> None:
        self.photos = self.failed = self.objects = 0
        self.first_error: FocalError | None = None

    def add(self, record: Record) -> None:
        """Count a record."""
        self.photos += 1
        if isinstance(record.found, FocalError):
            self.failed += 1
            self.first_error = self.first_error or record.found
        else:
            self.objects += len(record.found)

    def __str__(self) -> str:
        """Give the summary, `3 photos, 17 objects; 1 could not be read`."""
        failed = f"; {self.failed} could not be read" if self.failed else ""
        return f"{_count(self.photos, 'photo')}, {_count(self.objects, 'object')}{failed}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
