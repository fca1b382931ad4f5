import threading
from collections.abc import Iterator
from pathlib import Path, PurePath

import numpy as np
import pytest

from focalcli.errors import DataError
from focalcli.inference.detections import Detections
from focalcli.inference.detector import Detector
from focalcli.inference.sources import Source
from focalcli.inference.stream import decoders, detect_stream
from tests.inference.mock_runtime import MockRuntime


def source(index: int, *, width: int = 64) -> Source:
    """A photo with one red object that begins at column `index`."""

    def read() -> np.ndarray:
        image = np.zeros((64, width, 3), np.uint8)
        image[10:30, index : index + 10, 0] = 255
        return image

    return Source(f"{index}.png", read, PurePath(f"{index}.png"))


def broken(index: int) -> Source:
    def read() -> np.ndarray:
        raise DataError(f"{index}.png", "is empty")

    return Source(f"{index}.png", read, PurePath(f"{index}.png"))


def test_no_sources_give_no_results() -> None:
    assert list(detect_stream([], Detector(MockRuntime()))) == []


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("batch", [1, 3])
def test_results_come_in_order_with_errors_in_their_places(workers: int, batch: int) -> None:
    sources = [broken(i) if i % 5 == 2 else source(i, width=64 + 3 * (i % 7)) for i in range(40)]
    results = list(detect_stream(sources, Detector(MockRuntime(), batch=batch), workers=workers))
    assert [result.record.image for result in results] == [f"{i}.png" for i in range(40)]
    for i, result in enumerate(results):
        if i % 5 == 2:
            assert isinstance(result.record.found, DataError) and result.record.image_size is None
        else:
            assert isinstance(result.record.found, Detections)
            assert result.record.found.boxes[0, 0] == pytest.approx(i, abs=1.5)
            assert result.record.image_size == (64, 64 + 3 * (i % 7))


def test_a_result_leaves_before_the_next_source_is_named() -> None:
    seen = threading.Event()

    def slow() -> Iterator[Source]:
        yield source(0)
        assert seen.wait(10), "the first result was held back"
        yield source(1)

    results = detect_stream(slow(), Detector(MockRuntime(), batch=8))
    assert next(results).record.image == "0.png"
    seen.set()
    assert next(results).record.image == "1.png"


def test_a_result_leaves_before_the_next_photo_is_decoded() -> None:
    seen = threading.Event()
    slow = source(1)

    def read() -> np.ndarray:
        assert seen.wait(10), "the first result was held back"
        return slow.read()

    results = detect_stream([source(0), Source("1.png", read, slow.place)], Detector(MockRuntime(), batch=8))
    assert next(results).record.image == "0.png"
    seen.set()
    assert next(results).record.image == "1.png"


def test_an_error_leaves_as_soon_as_it_is_known() -> None:
    seen = threading.Event()

    def slow() -> Iterator[Source]:
        yield broken(0)
        assert seen.wait(10), "the error was held back"
        yield source(1)

    results = detect_stream(slow(), Detector(MockRuntime()))
    assert next(results).record.image == "0.png"
    seen.set()
    assert len(list(results)) == 1


def test_few_photos_are_held_however_many_there_are() -> None:
    named = 0

    def many() -> Iterator[Source]:
        nonlocal named
        for i in range(400):
            named += 1
            yield source(i % 50)

    for received, _ in enumerate(detect_stream(many(), Detector(MockRuntime(), batch=2), workers=2)):
        assert named - received < 2 * 8 + 20


def test_pixels_are_kept_only_where_they_are_wanted() -> None:
    [without] = detect_stream([source(0)], Detector(MockRuntime()))
    [kept] = detect_stream([source(0)], Detector(MockRuntime()), keep_pixels=True)
    assert without.pixels is None and kept.pixels is not None and kept.pixels.shape == (64, 64, 3)


def test_what_goes_wrong_while_finding_is_raised_after_what_was_found() -> None:
    def failing() -> Iterator[Source]:
        yield source(0)
        raise DataError("list.txt", "is cut off")

    results = detect_stream(failing(), Detector(MockRuntime()))
    assert next(results).record.image == "0.png"
    with pytest.raises(DataError, match="is cut off"):
        next(results)


def test_a_programmers_mistake_while_reading_is_not_swallowed() -> None:
    def read() -> np.ndarray:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(detect_stream([Source("x", read, PurePath("x"))], Detector(MockRuntime())))


@pytest.mark.parametrize(("threads", "expected"), [(1, 2), (2, 2), (5, 5), (64, 8)])
def test_more_cores_decode_more_photos_at_once(threads: int, expected: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", str(threads))
    assert decoders() == expected


def test_leaving_early_leaves_no_thread_behind(tmp_path: Path) -> None:
    results = detect_stream((source(i % 50) for i in range(10_000)), Detector(MockRuntime()))
    next(results)
    results.close()
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and thread.name.startswith(("find", "decode")):
            thread.join(5)
            assert not thread.is_alive()
