"""Photos in memory for tests: smooth colours, so that lossy formats keep them."""

from io import BytesIO

import numpy as np
from PIL import Image


def scene(height: int = 48, width: int = 64) -> np.ndarray:
    """Red grows to the right, green downwards; the top left quarter is blue."""
    y, x = np.mgrid[:height, :width]
    blue = np.where((y < height // 2) & (x < width // 2), 230, 20)
    return np.stack([x * 200 // width, y * 200 // height, blue], axis=2).astype(np.uint8)


def encoded(image: Image.Image | np.ndarray, kind: str, **options: object) -> bytes:
    photo = image if isinstance(image, Image.Image) else Image.fromarray(image)
    buffer = BytesIO()
    photo.save(buffer, kind, **options)
    return buffer.getvalue()
