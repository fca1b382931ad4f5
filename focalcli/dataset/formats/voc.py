"""Pascal VOC: one XML file a photo, splits as lists of stems in `ImageSets/Main`.

Three coordinate conventions are in the wild: the devkit's (one-based, inclusive), LabelImg's (edges from zero) and
mixtures. The convention is settled once for the whole data set, by `_convention`.
"""

from focalcli.dataset.features import Feature
from focalcli.dataset.format import Confidence, FormatInfo, Match
from focalcli.dataset.formats.voc_read import read
from focalcli.dataset.formats.voc_write import write
from focalcli.dataset.peek import Peek

__all__ = ["INFO", "read", "sniff", "write"]

INFO = FormatInfo(
    name="voc",
    title="Pascal VOC",
    carries=frozenset(
        {
            Feature.NEGATIVES,
            Feature.UNLABELLED,
            Feature.CROWD,
            Feature.DIFFICULT,
            Feature.TRUNCATED,
            Feature.NAMES,
            Feature.SPLITS,
            Feature.SUBFOLDERS,
            Feature.SIZES,
        }
    ),
    record="object",
)


def sniff(peek: Peek) -> Match | None:
    """Claim XML files whose root is `annotation`."""
    for name in peek.ending(".xml")[:20]:
        if peek.xml_root(name) == "annotation":
            return Match(Confidence.CONTENT, f"{name} has the root <annotation>")
    return None
