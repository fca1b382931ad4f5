"""Whether a tensor of somebody's file has the shape that is about to be relied on."""

from collections.abc import Mapping

from torch import Tensor

from focalcli.errors import DataError


def tensor(state: Mapping[str, Tensor], name: str, shape: tuple[int | None, ...], place: str) -> Tensor:
    """Give a tensor by name; None in `shape` stands for any number of at least 1.

    Raises:
        DataError: it is not there, or has another shape.
    """
    found = state.get(name)
    if found is None:
        raise DataError(place, f"lacks {name}", "is it a whole RetinaNet with FPN?")
    fits = found.dim() == len(shape) and all(
        have > 0 and want in (None, have) for have, want in zip(found.shape, shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if side is None else str(side) for side in shape)
        fact = f"{name} has shape {tuple(found.shape)}, not ({wanted})"
        raise DataError(place, fact, "only the published layout can be imported")
    return found
