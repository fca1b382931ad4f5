"""LabelMe: one JSON file a photo, shapes as points from the outer edge.

Parts with one label and one `group_id` are one object. A photo without a file has not been labelled.
"""

from focalcli.dataset.features import Feature
from focalcli.dataset.format import FormatInfo
from focalcli.dataset.formats.labelme_read import read, sniff
from focalcli.dataset.formats.labelme_write import write

__all__ = ["INFO", "read", "sniff", "write"]

INFO = FormatInfo(
    name="labelme",
    title="LabelMe",
    carries=frozenset(Feature)
    - {Feature.SEGMENTATION, Feature.SCORE, Feature.SUPERCATEGORY, Feature.SOURCE_IDS, Feature.ATTRIBUTES},
    record="shape",
)
