"""Anchors: the boxes that every cell of every pyramid level starts from. Cell anchors, then shifts, then all levels."""

import torch
from torch import Tensor

from focalcli.config import AnchorConfig

STRIDES = (8, 16, 32, 64, 128)  # of P3 to P7


def level_sizes(image_size: tuple[int, int]) -> list[tuple[int, int]]:
    """Give height and width in cells of P3 to P7 for a network input of `image_size`.

    Each level halves the one before, rounding up, as 3 x 3 convolutions of stride 2 with padding 1 do.
    """
    height, width = image_size
    sizes = []
    for stride in STRIDES:
        sizes.append((-(-height // stride), -(-width // stride)))
    return sizes


def cell_anchors(size: float, config: AnchorConfig) -> Tensor:
    """Give the anchors (A, 4) of one cell, centred at the origin; ratio is height over width, ratios outermost.

    width = size * scale / sqrt(ratio) and height = width * ratio, so the area is (size * scale)^2. torchvision takes
    the base sizes size * scale as whole numbers and rounds the half sides.
    """
    scaled = torch.tensor([size * scale for scale in config.scales], dtype=torch.float64)
    if config.convention == "torchvision":
        scaled = scaled.floor()
    root = torch.tensor(config.ratios, dtype=torch.float64).sqrt()
    height = (root[:, None] * scaled[None, :]).reshape(-1)
    width = ((1 / root)[:, None] * scaled[None, :]).reshape(-1)
    half = torch.stack([-width, -height, width, height], dim=1) / 2
    return (half.round() if config.convention == "torchvision" else half).float()


def grid_anchors(cell: Tensor, grid: tuple[int, int], stride: tuple[float, float], offset: float) -> Tensor:
    """Give (H * W * A, 4) anchors: `cell` (A, 4) moved to every cell of a grid, row by row.

    `grid` and `stride` are (vertical, horizontal); centres lie at (index + offset) * stride.
    """
    rows = (torch.arange(grid[0], device=cell.device) + offset) * stride[0]
    columns = (torch.arange(grid[1], device=cell.device) + offset) * stride[1]
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    shifts = torch.stack([x, y, x, y], dim=-1).reshape(-1, 1, 4).to(cell.dtype)
    return (shifts + cell).reshape(-1, 4)


def pyramid_anchors(config: AnchorConfig, image_size: tuple[int, int]) -> list[Tensor]:
    """Give the anchors of P3 to P7 for a network input, one (R_l, 4) float32 tensor a level, on the CPU.

    torchvision's convention divides the whole input by the cells of the level, which differs from the level's stride
    where the input is no multiple of 128, and starts at 0.
    """
    levels = []
    for size, stride, grid in zip(config.sizes, STRIDES, level_sizes(image_size), strict=True):
        cell = cell_anchors(size, config)
        if config.convention == "torchvision":
            step = (image_size[0] // grid[0], image_size[1] // grid[1])
            levels.append(grid_anchors(cell, grid, step, offset=0.0))
        else:
            levels.append(grid_anchors(cell, grid, (stride, stride), offset=0.5))
    return levels
