"""What a user can say about looking and choosing; verbs make their flags from these. Loads nothing heavy."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from focalcli.errors import UsageError

Nms = Literal["hard", "soft", "weighted"]

SMALLEST_TILE = 32

_VIEWS, _SELECTION = {"group": "Views"}, {"group": "Selection"}


class ViewConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """In how many ways the network looks at a photo. The defaults: once, at all of it."""

    tile: Annotated[
        str | None,
        Meta(description="Look at tiles of this many pixels; auto: of the model's input size.", extra=_VIEWS),
    ] = None
    overlap: Annotated[
        float, Meta(ge=0, le=0.9, description="Part of a tile that its neighbours see too.", extra=_VIEWS)
    ] = 0.2
    tta: Annotated[
        tuple[Literal["flip", "scales"], ...],
        Meta(description="Look again: flip (mirrored), scales (0.8 and 1.25 of the size).", extra=_VIEWS),
    ] = ()

    def __post_init__(self) -> None:
        """Check `tile`: a number of pixels, or `auto`."""
        if self.tile not in (None, "auto") and not (self.tile.isdecimal() and int(self.tile) >= SMALLEST_TILE):
            raise UsageError("--tile", f"{self.tile!r} is no side of a tile", f"auto, or {SMALLEST_TILE} and more")

    @property
    def side(self) -> int | None:
        """Give the side of the tiles in pixels, None for `auto`."""
        return int(self.tile) if self.tile and self.tile != "auto" else None


class SelectionConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which detections are kept, as a user says it. What is None is the model's own."""

    threshold: Annotated[
        str | None, Meta(description="Keep scores from here, as 0.3 or 0.3,cat=0.5.", extra=_SELECTION)
    ] = None
    classes: Annotated[str | None, Meta(description="Keep only these classes, with commas.", extra=_SELECTION)] = None
    iou: Annotated[
        Annotated[float, Meta(ge=0, le=1)] | None,
        Meta(description="Boxes of a class that overlap by more are one object.", extra=_SELECTION),
    ] = None
    max_dets: Annotated[
        Annotated[int, Meta(ge=1)] | None, Meta(description="Keep the best of a photo, so many.", extra=_SELECTION)
    ] = None
    nms: Annotated[
        Nms,
        Meta(description="Of boxes that overlap: the best, all with lower scores, or their mean.", extra=_SELECTION),
    ] = "hard"
    agnostic: Annotated[bool, Meta(description="Let boxes of different classes be one object.", extra=_SELECTION)] = (
        False
    )
