"""What a user can ask of a topic of `focalcli insight`; the verb makes its flags from this. Loads nothing heavy."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta


def _about(group: str, description: str, **extra: str) -> Any:
    return Meta(description=description, extra={"group": group, **extra})


class TopicOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The options that only some topics read: elsewhere they would be silently without effect."""

    preset: Annotated[str, _about("Anchors and audit", "Preset of the model to look at or to train.")] = "lite0"
    min_size: Annotated[
        Annotated[int, Meta(ge=16)] | None,
        _about("Anchors", "Shorter side of a photo in the network, pixels. [default: the preset's]"),
    ] = None
    fit: Annotated[bool, _about("Anchors", "Fit anchors to the data and write the settings.")] = False
    folds: Annotated[int, _about("Audit", "Models that each leave one part of the photos out."), Meta(ge=2, le=5)] = 3
    epochs: Annotated[int, _about("Audit", "Passes over the photos."), Meta(ge=1)] = 12
    gammas: Annotated[
        str | None, _about("Tune", "Try these with every alpha, not the twelve settings.", metavar="NUMBER,...")
    ] = None
    alphas: Annotated[
        str | None, _about("Tune", "Try these with every gamma; `none` is off.", metavar="NUMBER,...")
    ] = None
    betas: Annotated[str | None, _about("Tune", "Try focal-star too, every gamma with each.", metavar="NUMBER,...")] = (
        None
    )
    ohem: Annotated[bool, _about("Tune", "Try OHEM too.")] = False
    steps: Annotated[int, _about("Tune and lab", "Steps that each setting is trained."), Meta(ge=1)] = 160


READ_BY: dict[str, tuple[str, ...]] = {
    "anchors": ("preset", "min_size", "fit"),
    "tune": ("gammas", "alphas", "betas", "ohem", "steps"),
    "lab": ("steps",),
    "audit": ("preset", "folds", "epochs"),
}
"""The options that each topic reads; a topic that is not here reads none of them."""
