"""What a user can say about looking and choosing; verbs make their flags from these. Loads nothing heavy."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from focalcli.config import TileConfig
from focalcli.errors import UsageError

Nms = Literal["hard", "soft", "weighted"]

SMALLEST_TILE, USUAL_OVERLAP = 32, 0.2

_VIEWS, _SELECTION = {"group": "Views"}, {"group": "Selection"}


class ViewConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """In how many ways the network looks at a photo. The defaults: once, at all of it."""

    tile: Annotated[
        str | None,
        Meta(
            description="Look at tiles of this many pixels; auto: the model's, or its input size; off: no tiles.",
            extra=_VIEWS,
        ),
    ] = None
    overlap: Annotated[
        Annotated[float, Meta(ge=0, le=0.9)] | None,
        Meta(description="Part of a tile that its neighbours see too. [default: the model's, or 0.2]", extra=_VIEWS),
    ] = None
    tta: Annotated[
        tuple[Literal["flip", "scales"], ...],
        Meta(description="Look again: flip (mirrored), scales (0.8 and 1.25 of the size).", extra=_VIEWS),
    ] = ()

    def __post_init__(self) -> None:
        """Check `tile`: a number of pixels, `auto` or `off`."""
        if self.tile not in (None, "auto", "off") and not (self.tile.isdecimal() and int(self.tile) >= SMALLEST_TILE):
            raise UsageError(
                "--tile", f"{self.tile!r} is no side of a tile", f"give auto, off, or {SMALLEST_TILE} pixels or more"
            )

    @property
    def side(self) -> int | None:
        """Give the side of the tiles in pixels, None where there is no number."""
        return int(self.tile) if self.tile and self.tile.isdecimal() else None

    def of_model(self, tile: TileConfig | None, input_side: int) -> "ViewConfig":
        """Resolve what was left open: tiles as the model was trained on, whole photos where it was trained on those."""
        side = self.side or (tile.side if tile else input_side)
        overlap = self.overlap if self.overlap is not None else tile.overlap if tile else USUAL_OVERLAP
        whole = self.tile == "off" or (self.tile is None and tile is None)
        return msgspec.structs.replace(self, tile=None if whole else str(max(side, SMALLEST_TILE)), overlap=overlap)


class SelectionConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which detections are kept, as a user says it. What is None is the model's own."""

    threshold: Annotated[
        str | None,
        Meta(description="Keep scores from here, as 0.3 or 0.3,cat=0.5. [default: the model's]", extra=_SELECTION),
    ] = None
    classes: Annotated[str | None, Meta(description="Keep only these classes, with commas.", extra=_SELECTION)] = None
    iou: Annotated[
        Annotated[float, Meta(ge=0, le=1)] | None,
        Meta(
            description="Boxes of a class that overlap by more are one object. [default: the model's]",
            extra=_SELECTION,
        ),
    ] = None
    max_dets: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(description="Keep at most so many of a photo, the best. [default: the model's]", extra=_SELECTION),
    ] = None
    nms: Annotated[
        Nms,
        Meta(
            description="Of boxes that overlap, keep the best, all with lower scores, or their mean.", extra=_SELECTION
        ),
    ] = "hard"
    agnostic: Annotated[bool, Meta(description="Let boxes of different classes be one object.", extra=_SELECTION)] = (
        False
    )
