"""Photos that are broken at random, the same for the same seed."""

import struct
import zlib

import numpy as np

from tests.images.make import encoded, scene

# The kinds the decoder reads, as Pillow calls them, and the suffix of each.
KINDS = {
    "JPEG": ".jpg",
    "PNG": ".png",
    "TIFF": ".tif",
    "WEBP": ".webp",
    "BMP": ".bmp",
    "GIF": ".gif",
    "PPM": ".ppm",
    "JPEG2000": ".jp2",
    "AVIF": ".avif",
}


def broken(kind: str, count: int, *, seed: int) -> list[bytes]:
    """Give `count` files of a kind, each damaged in one of five ways."""
    random = np.random.default_rng([seed, *kind.encode()])
    content = encoded(scene(48, 64), kind)
    return [_damaged(content, i % 5, random) for i in range(count)]


def _damaged(content: bytes, way: int, random: np.random.Generator) -> bytes:
    data = np.frombuffer(content, np.uint8).copy()
    # Half of the places lie in the first bytes, where sizes, counts and offsets stand.
    end = len(data) if random.random() < 0.5 else min(len(data), 128)
    place = int(random.integers(0, end))
    if way == 0:  # cut off
        return content[:place]
    if way == 1:  # some bytes are others
        places = random.integers(0, end, random.integers(1, 9))
        data[places] = random.integers(0, 256, len(places))
        return data.tobytes()
    if way == 2:  # a large or a negative number
        return content[:place] + random.choice([b"\xff" * 4, b"\x7f\xff\xff\xff", b"\0" * 4]) + content[place + 4 :]
    if way == 3:  # a piece is missing
        return content[:place] + content[place + int(random.integers(1, 64)) :]
    return content[:place] + random.bytes(int(random.integers(1, 64))) + content[place:]  # a piece too much


def bomb(side: int) -> bytes:
    """Give a PNG that claims side x side pixels and holds none."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
