"""What can be wrong with a data set: stable codes, how bad each is, what to do; and a log that counts them."""

from collections.abc import Sequence
from typing import NamedTuple

from focalcli.dataset.types import Finding, Severity
from focalcli.errors import shortened

EXAMPLES = 9


class Code(NamedTuple):
    """How bad a finding is, whether reading stops there, and what the user can do."""

    severity: Severity
    fatal: bool
    remedy: str


CODES: dict[str, Code] = {
    "E001": Code("error", True, "repair or remove it"),
    "E002": Code("error", True, "add the image to the list of images or remove the annotation"),
    "E003": Code("error", True, "add the class to the class list or remove the annotation"),
    "E004": Code("error", True, "give every image an id of its own"),
    "E005": Code("error", True, "move it into the data set, add --images, or --follow-symlinks if you trust the link"),
    "E006": Code("error", True, "repair the annotation or drop such boxes with --bad-boxes drop"),
    "E007": Code("error", False, "the corners were swapped"),
    "E008": Code("error", False, "the box was dropped"),
    "W101": Code("warning", False, "the box was clipped"),
    "W102": Code("warning", False, "such objects are smaller than any anchor"),
    "W103": Code("warning", False, "drop one with validate --fix"),
    "W104": Code("warning", False, "look at the photo: one object may be labelled twice"),
    "W105": Code("warning", False, "look at the photo: one object may carry two classes"),
    "W106": Code("warning", False, "the annotations may belong to another photo"),
    "W107": Code("warning", False, "the boxes may be in the frame before the EXIF turn"),
    "W108": Code("warning", False, "say where the photos are with --images"),
    "W109": Code("warning", False, "restore the photo from its source"),
    "W110": Code("warning", False, "an unlabelled photo teaches that all in it is background"),
    "W111": Code("warning", False, "rename one of the files"),
    "W112": Code("warning", False, "rename one of the files"),
    "W113": Code("warning", False, "look at the photo"),
    "W114": Code("warning", False, "split again with focalcli split"),
    "W115": Code("warning", False, "keep them on one side with focalcli split --group near-duplicate"),
    "W116": Code("warning", False, "label more of them or merge the class"),
    "W117": Code("warning", False, "see what helps with focalcli insight anchors --fit"),
    "W118": Code("warning", False, "check that the photo decodes as you expect"),
    "W119": Code("warning", False, "drop the class with --classes"),
    "W121": Code("warning", False, "the annotation was left out"),
    "W122": Code("warning", False, "set the convention yourself"),
    "I201": Code("info", False, ""),
    "I202": Code("info", False, ""),
}
"""W121: a shape that is no box and has none; W122: a convention that had to be guessed; I201: a rounding undone;
I202: a turned or free shape read as the box around it."""


class FindingLog:
    """Folds findings of one code and one fact into one, with a count and at most `limit` further places."""

    def __init__(self, limit: int = EXAMPLES) -> None:
        self.limit = limit
        self._places: dict[tuple[str, str], list[str]] = {}
        self._counts: dict[tuple[str, str], int] = {}

    def add(self, code: str, place: str, fact: str, *, count: int = 1, others: Sequence[str] = ()) -> None:
        """Note that `fact` was seen at `place`, `count` times in all with `others` among the further places."""
        assert code in CODES, f"unknown finding code {code}"
        place, fact = shortened(place), shortened(fact)
        others = [shortened(other) for other in others]
        places = self._places.setdefault((code, fact), [])
        if len(places) <= self.limit:
            places += [place, *others][: self.limit + 1 - len(places)]
        self._counts[code, fact] = self._counts.get((code, fact), 0) + count

    def as_seen(self) -> list[Finding]:
        """Give the findings in the order they were first seen: a cause before what follows from it."""
        return [
            Finding(code, places[0], fact, CODES[code].severity, self._counts[code, fact], tuple(places[1:]))
            for (code, fact), places in self._places.items()
        ]

    def findings(self) -> tuple[Finding, ...]:
        """Give the findings, errors before warnings, by code, then as first seen."""
        return tuple(sorted(self.as_seen(), key=lambda finding: finding.code))
