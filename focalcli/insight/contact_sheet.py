"""A picture of an audit's surest findings, kind by kind, to decide on at a glance."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from focalcli.dataset.names import printable
from focalcli.dataset.types import Dataset, Floats
from focalcli.files import replacing
from focalcli.images.decode import read_image
from focalcli.insight.audit import KINDS, Finding, Kind

_TILE, _GAP, _COLUMNS, _CAPTION, _HEADING, _EACH = 220, 6, 6, 40, 44, 12
_LABEL, _SUGGESTION, _OTHER, _OUTSIDE = (230, 60, 40), (20, 160, 70), (250, 215, 60), (225, 225, 225)
_HEADINGS: dict[Kind, str] = {
    "missing": "missing: the models see an object that has no label",
    "spurious": "spurious: a label where the models see nothing",
    "class": "class: the models see another class there",
    "loose": "loose: the models see the object's box elsewhere",
}
_KEY = "red: the label    green: what the models suggest    yellow: other labels    #: line of fixes.jsonl    (loss)"
_Numbered = list[tuple[int, Finding]]


def write_contact_sheet(path: Path, dataset: Dataset, listed: Sequence[Finding]) -> None:
    """Write a PNG with a cut-out for the first twelve findings of each kind, numbered as the lines of the fix list.

    Raises as `images.decode.read_image` and `files.replacing`.
    """
    groups = {kind: _first(listed, kind) for kind in KINDS}
    heights = {kind: _HEADING + -(-len(group) // _COLUMNS) * (_TILE + _CAPTION) for kind, group in groups.items()}
    sheet = Image.new("RGB", (_COLUMNS * (_TILE + _GAP), _HEADING + sum(heights.values())), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(18)
    draw.text((6, _HEADING / 2), _KEY, "#444444", font, anchor="lm")
    top = _HEADING
    for kind, group in groups.items():
        draw.text((6, top + _HEADING / 2), _HEADINGS[kind] + ("" if group else " (none)"), "black", font, anchor="lm")
        for place, (number, finding) in enumerate(group):
            row, column = divmod(place, _COLUMNS)
            corner = column * (_TILE + _GAP), top + _HEADING + row * (_TILE + _CAPTION)
            sheet.paste(_tile(dataset, finding, number), corner)
        top += heights[kind]
    with replacing(path) as temporary:
        sheet.save(temporary, format="PNG")


def _first(listed: Sequence[Finding], kind: Kind) -> _Numbered:
    return [(number, finding) for number, finding in enumerate(listed, 1) if finding.kind == kind][:_EACH]


def _tile(dataset: Dataset, finding: Finding, number: int) -> Image.Image:
    image, boxes = dataset.images[finding.image], dataset.boxes
    assert image.path is not None, image.key
    label = boxes.xyxy[finding.row] if finding.row >= 0 else None
    others = boxes.xyxy[(boxes.image == finding.image) & (np.arange(len(boxes)) != finding.row)]
    corner, side = _window(np.array([finding.box] if label is None else [finding.box, label]))
    tile = Image.new("RGB", (_TILE, _TILE + _CAPTION), "white")
    tile.paste(_cut(Image.fromarray(read_image(image.path)), corner, side), (0, 0))
    draw = ImageDraw.Draw(tile)

    def frame(box: Floats, colour: tuple[int, int, int], width: int) -> None:
        # PIL counts in pixels of the tile; a label of 1e6 pixels would be drawn one by one.
        place = ((box - np.tile(corner, 2)) * _TILE / side).clip(-9, _TILE + 9)
        draw.rectangle(place.tolist(), outline=colour, width=width)

    for other in others:
        frame(other, _OTHER, 1)
    if finding.kind in ("missing", "loose"):
        frame(np.array(finding.box), _SUGGESTION, 3)
    if label is not None:
        frame(label, _LABEL, 3)
    draw.rectangle((0, _TILE, _TILE, _TILE + _CAPTION), fill="white")
    font = ImageFont.load_default(13)
    draw.text((4, _TILE + 3), _fitted(f"#{number} {_caption(dataset, finding)}", font), "black", font)
    draw.text((4, _TILE + 19), _fitted(image.key.rpartition("/")[2], font), "#666666", font)
    return tile


def _window(shown: Floats) -> tuple[Floats, float]:
    """Give corner (x, y) and side of the square cut out around boxes (n, 4), with room about them."""
    low, high = shown[:, :2].min(axis=0), shown[:, 2:].max(axis=0)
    side = max(float((high - low).max()) * 1.8, 24.0)
    return (low + high) / 2 - side / 2, side


def _cut(photo: Image.Image, corner: Floats, side: float) -> Image.Image:
    """Give the square as a tile; what lies outside of the photo is grey."""
    left, top = corner.tolist()
    area = (left, top, left + side, top + side)
    size, method, sampling = (_TILE, _TILE), Image.Transform.EXTENT, Image.Resampling.BICUBIC
    return photo.transform(size, method, area, sampling, fillcolor=_OUTSIDE)


def _caption(dataset: Dataset, finding: Finding) -> str:
    name = dataset.categories[finding.category].name
    if finding.kind == "class":
        name = f"{dataset.categories[int(dataset.boxes.category[finding.row])].name} > {name}"
    return f"{name}  ({finding.loss:.1f})"


def _fitted(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """Give the text, cut to the width of a tile: names are others', and may be long or hold control characters."""
    text = printable(text)[:_TILE]
    while font.getlength(text) > _TILE - 8:
        text = text.removesuffix("...")[:-1] + "..."
    return text
