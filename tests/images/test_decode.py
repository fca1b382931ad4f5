import os
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from focalcli.errors import DataError, FocalError, InputNotFound
from focalcli.images.decode import decode_image, read_image
from focalcli.images.sizes import upright_size
from tests.images.make import encoded, scene


def png_header_only(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds no pixels: what a decompression bomb looks like."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("kind", "options", "bound"),
    [
        ("PNG", {}, 0),
        ("BMP", {}, 0),
        ("PPM", {}, 0),
        ("TIFF", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("JPEG2000", {"irreversible": False}, 0),
        ("JPEG", {"quality": 95, "subsampling": 0}, 12),
        ("AVIF", {"quality": 95, "subsampling": "4:4:4"}, 12),
    ],
    ids=lambda value: str(value),
)
def test_every_format_gives_the_pixels_it_was_made_of(kind: str, options: dict, bound: int) -> None:
    photo = decode_image(encoded(scene(), kind, **options), "photo")
    assert photo.dtype == np.uint8 and photo.shape == (48, 64, 3)
    assert photo.flags.writeable and photo.flags.c_contiguous
    assert np.abs(photo.astype(int) - scene()).max() <= bound


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_turned_upright_as_their_header_size_says(kind: str, orientation: int, tmp_path: Path) -> None:
    upright = scene()
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright),  # shown after a quarter turn clockwise, so stored a quarter turn the other way
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"photo.{kind.lower()}"
    lossless = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True}}.get(kind, {})
    path.write_bytes(encoded(np.ascontiguousarray(stored), kind, exif=exif, **lossless))
    photo = read_image(path)
    assert photo.shape == upright.shape
    assert np.abs(photo.astype(int) - upright).max() <= 12
    assert upright_size(path) == (64, 48)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_damaged_exif_does_not_turn_nor_refuse_a_photo() -> None:
    content = encoded(scene(), "JPEG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff")
    assert decode_image(content, "photo").shape == (48, 64, 3)


def test_alpha_is_dropped_and_the_stored_colours_stay() -> None:
    alpha = np.full((48, 64, 1), 0, np.uint8)
    content = encoded(np.concatenate([scene(), alpha], axis=2), "PNG")
    assert (decode_image(content, "photo") == scene()).all()


def test_a_palette_is_looked_up() -> None:
    indexed = Image.new("P", (2, 1))
    indexed.putpalette([250, 10, 20, 0, 99, 7])
    indexed.putpixel((1, 0), 1)
    for kind, options in [("PNG", {}), ("PNG", {"transparency": 0}), ("GIF", {}), ("TIFF", {})]:
        assert decode_image(encoded(indexed, kind, **options), "photo").tolist() == [[[250, 10, 20], [0, 99, 7]]]


def test_of_16_bits_the_high_byte_counts() -> None:
    samples = np.array([[0, 255, 256, 0x1234, 65535]], np.uint16)
    for kind in ("PNG", "TIFF", "PPM"):
        photo = decode_image(encoded(Image.fromarray(samples), kind), "photo")
        assert photo[0, :, 0].tolist() == [0, 0, 1, 0x12, 255], kind
        assert (photo[..., 0] == photo[..., 1]).all() and (photo[..., 0] == photo[..., 2]).all()


def test_grey_and_bilevel_become_three_equal_channels() -> None:
    assert decode_image(encoded(Image.new("L", (2, 1), 77), "PNG"), "photo").tolist() == [[[77] * 3] * 2]
    assert decode_image(encoded(Image.new("1", (2, 1), 1), "PNG"), "photo").tolist() == [[[255] * 3] * 2]
    assert decode_image(encoded(Image.new("LA", (2, 1), (77, 0)), "PNG"), "photo").tolist() == [[[77] * 3] * 2]


def test_cmyk_becomes_rgb() -> None:
    red = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    for kind in ("JPEG", "TIFF"):
        photo = decode_image(encoded(red, kind), "photo")
        assert np.abs(photo.astype(int) - [255, 0, 0]).max() <= 3, kind


def test_an_animation_gives_its_first_frame() -> None:
    first, second = Image.new("RGB", (8, 8), (200, 0, 0)), Image.new("RGB", (8, 8), (0, 0, 200))
    for kind, options in [("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {}), ("TIFF", {})]:
        content = encoded(first, kind, save_all=True, append_images=[second], **options)
        assert decode_image(content, "photo")[0, 0].tolist() == [200, 0, 0], kind


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (Image.new("F", (4, 4), 0.5), "float samples"),
        (Image.fromarray(np.array([[70_000]], np.int32)), "32-bit samples"),
    ],
)
def test_samples_without_a_defined_range_are_refused(image: Image.Image, words: str) -> None:
    with pytest.raises(DataError, match=words):
        decode_image(encoded(image, "TIFF"), "photo")


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "PPM", "GIF", "JPEG2000", "AVIF"])
def test_a_photo_cut_anywhere_is_an_error_or_whole(kind: str) -> None:
    """Never grey: what a cut file gives is either refused or equal to the whole."""
    noise = np.random.default_rng(0).integers(0, 255, (40, 56, 3)).astype(np.uint8)
    content = encoded(noise, kind)
    whole = decode_image(content, "photo")
    refused = 0
    for length in range(0, len(content), max(1, len(content) // 60)):
        try:
            photo = decode_image(content[:length], "photo")
        except DataError:
            refused += 1
        else:
            assert (photo == whole).all(), f"{kind} cut at {length} of {len(content)}"
    assert refused >= 50


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "PPM", "GIF", "JPEG2000", "AVIF"])
def test_a_photo_with_changed_bytes_gives_pixels_or_one_clear_error(kind: str) -> None:
    random = np.random.default_rng(1)
    content = encoded(scene(), kind)
    for _ in range(60):
        damaged = bytearray(content)
        for place in random.integers(0, min(len(content), 400), 3):
            damaged[place] = random.integers(0, 256)
        try:
            assert decode_image(bytes(damaged), "photo", max_pixels=1_000_000).ndim == 3
        except DataError as error:
            assert str(error).startswith("photo: ") and "\n" not in str(error)


def test_bombs_are_refused_before_they_are_unpacked() -> None:
    for width, height in [(30_000, 30_000), (100_000, 100_000), (2**31 - 1, 2**31 - 1)]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(DataError, match="raise --max-pixels"):
                decode_image(png_header_only(width, height), "photo")


def test_max_pixels_counts_exactly() -> None:
    content = encoded(scene(48, 64), "PNG")
    assert decode_image(content, "photo", max_pixels=48 * 64).shape == (48, 64, 3)
    with pytest.raises(DataError) as caught:
        decode_image(content, "photo", max_pixels=48 * 64 - 1)
    assert str(caught.value) == "photo: 64 x 48 pixels are over the limit of 3071, raise --max-pixels"


@pytest.mark.parametrize("content", [b"", b"hello", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"<svg/>"])
def test_what_is_not_a_photo_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"photo\.jpg: cannot be decoded \(not a photo in a known format\)"):
        read_image(path)


def test_a_missing_photo_is_not_found(tmp_path: Path) -> None:
    for path in [tmp_path / "none.jpg", tmp_path / "none" / "a.jpg"]:
        with pytest.raises(InputNotFound, match="no such photo"):
            read_image(path)


def test_pipes_folders_devices_and_loops_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    (tmp_path / "device.jpg").symlink_to("/dev/zero")
    facts = {"pipe": "is a pipe", "folder": "is a folder", "loop": "cannot be opened", "device": "is a device"}
    for name, fact in facts.items():
        with pytest.raises(DataError, match=fact):
            read_image(tmp_path / f"{name}.jpg")


def test_hostile_names_are_errors_not_crashes(tmp_path: Path) -> None:
    for name in ["a\0b.jpg", "x" * 300 + ".jpg"]:
        with pytest.raises(FocalError, match="cannot be opened"):
            read_image(tmp_path / name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_photo_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret.png"
    path.write_bytes(encoded(scene(), "PNG"))
    path.chmod(0)
    with pytest.raises(DataError, match="permission denied"):
        read_image(path)


def test_no_file_stays_open(tmp_path: Path) -> None:
    """A descriptor lost for each photo would end a run over 100,000 of them."""
    good, bad = tmp_path / "a.png", tmp_path / "b.png"
    good.write_bytes(encoded(scene(), "PNG"))
    bad.write_bytes(encoded(scene(), "PNG")[:90])
    before = len(os.listdir("/proc/self/fd"))
    for path in [good, bad, tmp_path]:
        for _ in range(5):
            try:
                read_image(path)
            except DataError:
                pass
    assert len(os.listdir("/proc/self/fd")) == before
