"""From sources to records, as a pipeline: finding, decoding and the network work at the same time.

A thread finds photos, some decode and resize them, the caller's thread runs the network. Only a few photos are held
at once, answers come in input order, and a photo that has its answer never waits for one that has not been named yet.
"""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass

from focalcli.errors import FocalError
from focalcli.images.decode import Pixels
from focalcli.inference.detections import Detections
from focalcli.inference.detector import Detector
from focalcli.inference.records import Record
from focalcli.inference.sources import Source
from focalcli.inference.views import Prepared
from focalcli.ranks.cores import threads

# How long finished photos may wait for the next one to be named or decoded, in seconds.
_PATIENCE = 0.02


@dataclass(frozen=True, slots=True)
class Result:
    """A record with its source, how long it took, and the photo's pixels where they were asked for."""

    source: Source
    record: Record
    pixels: Pixels | None = None
    decode_seconds: float = 0.0
    total_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A decoded photo, ready for the network, and when it was begun and ended."""

    prepared: Prepared
    pixels: Pixels | None
    begun: float
    ended: float


Loading = tuple[Source, "Future[_Loaded]"]


def detect_stream(
    sources: Iterable[Source], detector: Detector, *, workers: int | None = None, keep_pixels: bool = False
) -> Iterator[Result]:
    """Give a result for each source, in order; photos that cannot be read give their error.

    As many threads as `workers` says decode, else as `decoders` does.

    However many sources there are, memory holds no more photos than the detector lets wait and a few being decoded.
    """

    def load(source: Source) -> _Loaded:
        begun = time.monotonic()
        photo = source.read()
        prepared = detector.prepare(photo)
        pixels = photo[: photo.shape[0], : photo.shape[1]] if keep_pixels else None
        return _Loaded(prepared, pixels, begun, time.monotonic())

    workers = workers or decoders()
    waiting: deque[tuple[Source, _Loaded | None]] = deque()

    def items(loading: Iterable[Loading | None]) -> Iterator[Prepared | FocalError | None]:
        for entry in loading:
            if entry is None:
                yield None
                continue
            source, future = entry
            if not future.done():
                yield from _patiently(future)
            try:
                loaded = future.result()
            except FocalError as error:
                waiting.append((source, None))
                yield error
            else:
                waiting.append((source, loaded))
                yield loaded.prepared

    with _Loader(sources, load, workers=workers, ahead=detector.batch + 2 * workers) as loader:
        for answer in detector.stream(items(loader)):
            yield _result(*waiting.popleft(), answer)


def decoders() -> int:
    """Give how many threads decode: one a core, so that a GPU does not wait; 8 at most, for each holds a photo."""
    return min(max(threads(), 2), 8)


def _result(source: Source, loaded: _Loaded | None, answer: Detections | FocalError) -> Result:
    if loaded is None:
        return Result(source, Record(source.name, None, answer))
    record = Record(source.name, loaded.prepared.image_size, answer)
    return Result(source, record, loaded.pixels, loaded.ended - loaded.begun, time.monotonic() - loaded.begun)


def _patiently(future: "Future[_Loaded]") -> Iterator[None]:
    """Ask for the answers that are due when a photo takes long to decode."""
    try:
        future.exception(_PATIENCE)
    except NotYet:
        yield None


class _Loader:
    """Iterates over the sources with their loading begun, None whenever the next source is slow to come."""

    def __init__(
        self, sources: Iterable[Source], load: Callable[[Source], _Loaded], *, workers: int, ahead: int
    ) -> None:
        self._sources, self._load = sources, load
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")
        self._queue: queue.Queue[Loading | BaseException | None] = queue.Queue(ahead)
        self._stopped = threading.Event()
        # A daemon: it may sit in a read of standard input that never returns.
        self._finder = threading.Thread(target=self._find, name="find", daemon=True)

    def __enter__(self) -> "_Loader":
        self._finder.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def __iter__(self) -> Iterator[Loading | None]:
        while True:
            try:
                entry = self._queue.get(timeout=_PATIENCE)
            except queue.Empty:
                yield None
                entry = self._queue.get()
            if entry is None:
                return
            if isinstance(entry, BaseException):
                yield None  # what was found before it
                raise entry
            yield entry

    def _find(self) -> None:
        """Begin to load each source; hand on what goes wrong, so that it is raised where the results are read."""
        try:
            for source in self._sources:
                if not self._put((source, self._pool.submit(self._load, source))):
                    return
        except BaseException as error:
            self._put(error)
        else:
            self._put(None)

    def _put(self, entry: "Loading | BaseException | None") -> bool:
        """Wait for room; give False once nobody reads any more."""
        while not self._stopped.is_set():
            try:
                self._queue.put(entry, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False
