"""Photos behind URLs. Needs fsspec, and its package for the protocol: pip install 'focalcli[remote]' s3fs."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from focalcli.errors import DataError, InputNotFound, Unavailable
from focalcli.images.decode import Pixels, decode_image
from focalcli.images.sizes import is_photo_name
from focalcli.inference.sources import Source, place_of


def remote_sources(url: str, *, max_pixels: int) -> Iterator[Source]:
    """Give the photo at a URL, or in name order all below it.

    Raises:
        Unavailable: fsspec, or its package for the protocol, is not installed.
        InputNotFound: the place cannot be reached.
    """
    files, path = _open(url)
    try:
        below = sorted(files.find(path)) if files.isdir(path) else [path]
    except OSError as error:
        raise InputNotFound(url, f"cannot be listed ({error})", "check the address and your access") from error
    for name in below:
        if below == [path] or is_photo_name(name):
            # Some file systems give names with their protocol, some without the root: what was asked for is kept.
            full = url.rstrip("/") + name.removeprefix(path.rstrip("/"))
            place = place_of(name.partition("://")[2] or name)
            yield Source(full, partial(_read, files, name, full, max_pixels), place)


def _open(url: str) -> tuple[Any, str]:
    try:
        import fsspec
    except ModuleNotFoundError as error:
        raise Unavailable(url, "URLs need fsspec", "pip install 'focalcli[remote]'") from error
    try:
        files, path = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise Unavailable(url, str(error), "install the package of this protocol") from error
    return files, path


def _read(files: Any, name: str, url: str, max_pixels: int) -> Pixels:
    try:
        content = files.cat_file(name)
    except FileNotFoundError as error:
        raise InputNotFound(url, "no such photo", "check the address") from error
    except OSError as error:
        raise DataError(url, f"cannot be read ({error})", "check your access") from error
    return decode_image(content, url, max_pixels=max_pixels)
