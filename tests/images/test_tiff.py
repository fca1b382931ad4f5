import subprocess
import sys
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from focalcli.errors import DataError, InputNotFound
from focalcli.images.decode import read_image
from focalcli.images.tiff import open_windows
from tests.images.make import encoded, scene


def tiled(image: np.ndarray | None, size: tuple[int, int], side: int) -> bytes:
    """A TIFF of deflated tiles; without an image, all tiles are one black tile that is stored once."""
    height, width = size
    rows, columns = -(-height // side), -(-width // side)
    canvas = np.zeros((rows * side, columns * side, 3) if image is not None else (side, side, 3), np.uint8)
    if image is not None:
        canvas[:height, :width] = image
    parts = [
        zlib.compress(np.ascontiguousarray(canvas[y : y + side, x : x + side]).tobytes())
        for y in range(0, canvas.shape[0], side)
        for x in range(0, canvas.shape[1], side)
    ]
    counts = [len(part) for part in parts] * (1 if image is not None else rows * columns)
    offsets = [sum(map(len, parts[:i])) for i in range(len(parts))] * (1 if image is not None else rows * columns)
    directory = ImageFileDirectory_v2()
    tags = {256: width, 257: height, 258: (8, 8, 8), 259: 8, 262: 2, 277: 3, 284: 1, 322: side, 323: side}
    for tag, value in {**tags, 324: tuple(offsets), 325: tuple(counts)}.items():
        directory.tagtype[tag] = 4
        directory[tag] = value
    sized = BytesIO()
    directory.save(sized)
    directory[324] = tuple(len(sized.getvalue()) + offset for offset in offsets)
    file = BytesIO()
    directory.save(file)
    return file.getvalue() + b"".join(parts)


WINDOWS = [(0, 0, 130, 170), (0, 0, 1, 1), (10, 20, 40, 60), (63, 63, 66, 66), (100, 100, 130, 170)]


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
def test_windows_of_strips_are_windows_of_the_photo(compression: str | None, tmp_path: Path) -> None:
    path = tmp_path / "photo.tif"
    options = {"compression": compression} if compression else {}
    Image.fromarray(scene(130, 170)).save(path, strip_size=170 * 3 * 16, **options)
    windows = open_windows(path, max_pixels=10**6)
    assert windows is not None and windows.shape == (130, 170, 3)
    whole = read_image(path)
    for y1, x1, y2, x2 in WINDOWS:
        np.testing.assert_array_equal(windows[y1:y2, x1:x2], whole[y1:y2, x1:x2])


def test_windows_of_tiles_are_windows_of_the_photo(tmp_path: Path) -> None:
    path = tmp_path / "photo.tif"
    path.write_bytes(tiled(scene(130, 170), (130, 170), 64))
    windows = open_windows(path, max_pixels=10**6)
    assert windows is not None
    np.testing.assert_array_equal(read_image(path), scene(130, 170))
    for y1, x1, y2, x2 in WINDOWS:
        np.testing.assert_array_equal(windows[y1:y2, x1:x2], scene(130, 170)[y1:y2, x1:x2])


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGBA", "I;16"])
def test_other_samples_become_rgb_as_in_whole_photos(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "photo.tif"
    grey = Image.fromarray(scene(130, 170)[..., 0].astype(np.uint16) * 256)
    image = grey if mode == "I;16" else Image.fromarray(scene(130, 170)).convert(mode)
    image.save(path, strip_size=2000)
    windows = open_windows(path, max_pixels=10**6)
    assert windows is not None
    np.testing.assert_array_equal(windows[5:90, 7:110], read_image(path)[5:90, 7:110])


def test_what_has_to_be_read_whole_has_no_windows(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    files = {
        "photo.png": encoded(scene(), "PNG"),
        "turned.tif": encoded(scene(200, 200), "TIFF", exif=exif, compression="tiff_lzw", strip_size=1000),
        "one.tif": encoded(scene(), "TIFF", compression="tiff_lzw"),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        assert open_windows(tmp_path / name, max_pixels=10**6) is None, name


def test_the_limit_of_pixels_holds_for_windows_too(tmp_path: Path) -> None:
    path = tmp_path / "photo.tif"
    path.write_bytes(tiled(None, (5000, 5000), 512))
    with pytest.raises(DataError, match="raise --max-pixels"):
        open_windows(path, max_pixels=10**6)


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(InputNotFound):
        open_windows(tmp_path / "none.tif", max_pixels=1)


def test_a_cut_file_fails_at_the_window_that_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "photo.tif"
    content = tiled(scene(130, 170), (130, 170), 64)
    path.write_bytes(content[:-20])
    windows = open_windows(path, max_pixels=10**6)
    assert windows is not None and windows[0:10, 0:10].shape == (10, 10, 3)
    with pytest.raises(DataError, match="is cut off in part 8"):
        windows[120:130, 160:170]


MEMORY = """
import sys
from pathlib import Path
from focalcli.inference.detector import Detector
from focalcli.inference.options import ViewConfig
from focalcli.images.tiff import open_windows
from tests.inference.mock_runtime import MockRuntime
photo = open_windows(Path(sys.argv[1]), max_pixels=500_000_000)
detector = Detector(MockRuntime(), views=ViewConfig(tile="2000"))
[found] = detector.stream([detector.prepare(photo)])
# ru_maxrss would begin with the peak of the process that started this one.
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(len(found), int(peak.split()[1]) // 1024)
"""


@pytest.mark.e2e
def test_a_photo_of_400_million_pixels_takes_less_than_a_gigabyte(tmp_path: Path) -> None:
    path = tmp_path / "photo.tif"
    path.write_bytes(tiled(None, (20_000, 20_000), 512))
    root = Path(__file__).parents[2]
    words = [sys.executable, "-c", MEMORY, str(path)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=root)
    found, megabytes = map(int, done.stdout.split())
    assert found == 0 and megabytes < 1000
