"""Photos are dealt to ranks: each to one, and the results come back in the order of the photos."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePath

import pytest
import torch

from focalcli.checkpoint import save_model
from focalcli.config import ClassInfo, FitConfig, PostprocessConfig, model_config
from focalcli.detection.retinanet import build_retinanet
from focalcli.errors import DataError
from focalcli.inference.dealing import Deal
from focalcli.inference.records import Record
from focalcli.inference.sources import Source
from focalcli.inference.stream import Result
from tests.training.small import write_squares


@dataclass
class ThreadWorld:
    """Ranks as threads of this process."""

    rank: int
    size: int
    barrier: threading.Barrier
    board: list[object]

    @property
    def speaks(self) -> bool:
        return self.rank == 0

    def gather(self, mine: object) -> list[object]:
        self.board[self.rank] = mine
        self.barrier.wait(10)
        everything = list(self.board)
        self.barrier.wait(10)
        return everything


def on_ranks(size: int, work: Callable[[ThreadWorld], object]) -> list[object]:
    barrier, board, answers = threading.Barrier(size), [None] * size, [None] * size

    def run(rank: int) -> None:
        try:
            answers[rank] = work(ThreadWorld(rank, size, barrier, board))
        except DataError as error:
            answers[rank] = error

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return answers


def source(number: int) -> Source:
    return Source(f"{number}.jpg", lambda: number, PurePath(f"{number}.jpg"))


def look(sources: object) -> object:
    for each in sources:
        yield Result(each, Record(each.name, None, DataError(each.name, f"read {each.read()}")))


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("count", [0, 1, 4, 5, 13])
def test_each_photo_is_seen_once_and_comes_back_in_order(size: int, count: int) -> None:
    def work(world: ThreadWorld) -> object:
        deal = Deal(world, run=2)
        mine: list[str] = []

        def noted(sources: object) -> object:
            for each in sources:
                mine.append(each.name)
                yield each

        results = deal.in_order(look(noted(deal.my_sources(map(source, range(count))))))
        return [str(result.record.found) for result in results], mine

    answers = on_ranks(size, work)
    assert answers[0][0] == [f"{n}.jpg: read {n}" for n in range(count)]
    assert all(given == [] for given, _ in answers[1:])
    assert sorted(name for _, mine in answers for name in mine) == sorted(f"{n}.jpg" for n in range(count))


def test_ranks_that_list_different_photos_say_so() -> None:
    def work(world: ThreadWorld) -> object:
        deal = Deal(world, run=2)
        return list(deal.in_order(look(deal.my_sources(map(source, range(3 + world.rank))))))

    assert all("changed while they were listed" in str(answer) for answer in on_ranks(2, work))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a network of random weights that finds a few things in any photo."""
    torch.manual_seed(0)
    config = model_config(
        "lite0",
        (ClassInfo("red", 5), ClassInfo("green", 9)),
        fit=FitConfig(min_size=64, max_size=96),
        postprocess=PostprocessConfig(score_threshold=0.01, max_detections=20),
    )
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save_model(path, build_retinanet(config).state_dict(), config)
    return path


ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}  # in float32 the last bits depend on the number of threads


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "focalcli", *words]


@pytest.mark.e2e
def test_detecting_in_two_processes_gives_the_same_bytes(model: Path, tmp_path: Path) -> None:
    """Seven photos and a broken one, given in the order of standard input; pictures are made once each."""
    photos = write_squares(tmp_path / "data", train=7, val=1) / "images" / "train"
    (photos / "3.png").write_bytes((photos / "3.png").read_bytes()[:200])
    names = "".join(f"{photos / f'{n}.png'}\n" for n in (2, 3, 0, 1, 6, 5, 4)).encode()
    words = ["detect", "-", "--model", str(model), "--device", "cpu", "--batch", "1", "--draw", str(tmp_path / "drawn")]
    given = {"input": names, "capture_output": True, "timeout": 100, "env": ENVIRONMENT}
    one = subprocess.run(command(*words), **given)
    drawn = {path.name: path.read_bytes() for path in (tmp_path / "drawn").rglob("*.png")}
    two = subprocess.run(command(*words, "--devices", "2"), **given)
    assert two.returncode == one.returncode == 0, two.stderr
    assert two.stdout == one.stdout and two.stdout.count(b"\n") == 7 and two.stdout.count(b'"error"') == 1
    assert [line for line in two.stderr.splitlines() if b"7 photos" in line] and two.stderr.count(b"model:") == 1
    assert {path.name: path.read_bytes() for path in (tmp_path / "drawn").rglob("*.png")} == drawn and len(drawn) == 6


@pytest.mark.e2e
def test_evaluating_in_the_world_it_finds_gives_the_same_bytes(model: Path, tmp_path: Path) -> None:
    data = write_squares(tmp_path / "data", train=7, val=1)
    saved = [tmp_path / name for name in ("one.json", "two.json")]
    words = ["evaluate", str(data), "--split", "train", "--model", str(model), "--device", "cpu", "--batch", "2"]
    one = subprocess.check_output(command(*words, "--predictions-out", str(saved[0])), env=ENVIRONMENT, timeout=100)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(probe.getsockname()[1]), "WORLD_SIZE": "2"}
    ranks = [
        subprocess.Popen(
            command(*words, "--predictions-out", str(saved[1])),
            env={**ENVIRONMENT, **meeting, "RANK": rank, "LOCAL_RANK": rank},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for rank in "01"
    ]
    said = [rank.communicate(timeout=100) for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0, 0], said
    assert said[0][0] == one and said[1] == (b"", b"")
    assert saved[0].read_bytes() == saved[1].read_bytes() and saved[0].stat().st_size > 2000
