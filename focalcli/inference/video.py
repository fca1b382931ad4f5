"""Frames of videos as sources. Needs PyAV: pip install 'focalcli[video]'."""

from collections.abc import Iterator
from pathlib import PurePath

import numpy as np

from focalcli.errors import DataError, Unavailable
from focalcli.images.decode import Pixels, check_pixels
from focalcli.inference.sources import Source


def frames(path: str, place: PurePath, *, every: int, max_pixels: int) -> Iterator[Source]:
    """Give each `every`-th frame of a video, named `clip.mp4#12` by its number from 0.

    A video that breaks off, or has a frame of more than `max_pixels`, gives the frames before, then one source that
    says so.

    Raises:
        Unavailable: PyAV is not installed.
    """
    try:
        import av
    except ModuleNotFoundError as error:
        raise Unavailable(path, "videos need PyAV", "pip install 'focalcli[video]'") from error
    try:
        with av.open(path) as container:
            stream = container.streams.video[0]
            check_pixels((stream.width, stream.height), path, max_pixels)  # before a decoder makes room for it
            for number, frame in enumerate(container.decode(stream)):
                check_pixels((frame.width, frame.height), path, max_pixels)
                if number % every == 0:
                    pixels = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
                    yield _frame(path, place, number, pixels)
    except DataError as error:
        yield _broken(path, place, error)
    except (av.FFmpegError, IndexError, OSError) as error:
        yield _broken(path, place, DataError(path, f"cannot be decoded ({error})", "replace or remove it"))


def _frame(path: str, place: PurePath, number: int, pixels: Pixels) -> Source:
    return Source(f"{path}#{number}", lambda: pixels, place.with_name(f"{place.name}-{number:06}.jpg"))


def _broken(path: str, place: PurePath, error: DataError) -> Source:
    def read() -> Pixels:
        raise error

    return Source(path, read, place)
