"""Hugging Face imagefolder: `metadata.jsonl` beside the photos, boxes as x, y, width, height in pixels."""

from focalcli.dataset.features import Feature
from focalcli.dataset.format import FormatInfo
from focalcli.dataset.formats.hf_read import read, sniff
from focalcli.dataset.formats.hf_write import write

__all__ = ["INFO", "read", "sniff", "write"]

INFO = FormatInfo(
    name="hf",
    title="Hugging Face imagefolder",
    carries=frozenset(
        {
            Feature.NEGATIVES,
            Feature.CROWD,
            Feature.NAMES,
            Feature.CLASS_LIST,
            Feature.SOURCE_IDS,
            Feature.SPLITS,
            Feature.SUBFOLDERS,
            Feature.SIZES,
            Feature.SUBPIXEL,
        }
    ),
    file_suffix=".jsonl",
)
