"""Whole trainings, small: what they write, how they stop, and that going on changes nothing."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import torch

from focalcli.checkpoint import load_training_state, read_header
from focalcli.cli.console import run as focalcli
from focalcli.config import LossConfig
from focalcli.errors import CannotWrite, ConfigError, DataError, DivergedError, InputNotFound, IoError
from focalcli.files import TEMPORARY_PREFIX
from focalcli.train_config import TrainConfig
from focalcli.training.journal import read_records
from focalcli.training.prepare import prepare
from focalcli.training.recipe import recipe
from focalcli.training.run import Outcome, run_training
from focalcli.training.run_folder import RunFolder, config_toml, locked, new_run
from tests.faults import no_file_over
from tests.training.small import FAST, digest, write_squares

LONGER = msgspec.structs.replace(FAST, epochs=6)


def trained(
    data: Path, folder: Path, config: TrainConfig = FAST, *, stop_after: int = 0, resume: bool = False
) -> Outcome:
    """Train; stop after so many steps of this call, if given."""
    steps = 0

    def stopping() -> bool:
        nonlocal steps
        steps += 1
        return steps == stop_after

    return run_training(
        config,
        data,
        output=folder,
        overwrite=False,
        resume=resume,
        stopping=stopping,
        listeners=(),
        say=lambda text: None,
    )


@pytest.mark.e2e
def test_a_run_leaves_everything_behind(squares: Path, tmp_path: Path) -> None:
    outcome = trained(squares, tmp_path / "run")
    folder = outcome.folder
    assert outcome.finished and folder.best.exists() and folder.state.exists()
    records = read_records(folder.journal)
    assert (records[0]["kind"], records[0]["photos_a_step"], records[0]["loss"]["box"]) == ("start", 4, "giou")
    assert (records[0]["loss"]["kind"], records[0]["loss"]["alpha"], records[0]["loss"]["gamma"]) == ("focal", 0.25, 2)
    assert read_header(folder.best)[0].loss == msgspec.convert(records[0]["loss"], LossConfig)
    assert [r["step"] for r in records if r["kind"] == "step"] == [1, 2, 3, 4]
    assert [r["epoch"] for r in records if r["kind"] == "evaluation"] == [1, 2]
    facts = folder.read_facts()
    assert facts["status"] == "finished" and len(facts["data_fingerprint"]) == 64 and facts["command"]
    assert facts["peak_memory"] > 100 << 20 < facts["estimated_memory"]
    assert (folder.path / "metrics.csv").read_text().count("\n") == 3
    assert "epochs = 2" in (folder.path / "config.toml").read_text()


@pytest.mark.e2e
def test_two_runs_are_equal_and_so_is_one_that_was_stopped(squares: Path, tmp_path: Path) -> None:
    """Stopped in the middle of an epoch and resumed: the same final weights and state, the same journal of steps."""
    straight = trained(squares, tmp_path / "straight").folder
    again = trained(squares, tmp_path / "again").folder
    assert digest(straight.best) == digest(again.best) and digest(straight.state) == digest(again.state)
    stopped = trained(squares, tmp_path / "stopped", stop_after=3)
    assert not stopped.finished and stopped.folder.read_facts()["status"] == "stopped"
    resumed = trained(squares, tmp_path / "stopped", resume=True).folder
    assert digest(resumed.best) == digest(straight.best) and digest(resumed.state) == digest(straight.state)
    losses = [[r["loss"] for r in read_records(f.journal) if r["kind"] == "step"] for f in (straight, resumed)]
    assert losses[0] == losses[1]


@pytest.mark.e2e
def test_a_killed_training_goes_on_as_if_nothing_had_happened(squares: Path, tmp_path: Path) -> None:
    """kill -9 of a real process with two loader processes, some steps after its first saved state."""
    straight = trained(squares, tmp_path / "straight", LONGER).folder
    words = ["train", str(squares), "-o", str(tmp_path / "killed"), *as_flags(LONGER), "--workers", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    command = [sys.executable, "-m", "focalcli", *words]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        wait_for_line(process, "epoch 2")
        process.kill()
    assert 2 <= RunFolder(tmp_path / "killed").load_state()["step"] < 12, "it was killed too late"
    resumed = trained(squares, tmp_path / "killed", msgspec.structs.replace(LONGER, workers=2), resume=True).folder
    assert digest(resumed.best) == digest(straight.best) and digest(resumed.state) == digest(straight.state)
    steps = [record["step"] for record in read_records(resumed.journal) if record["kind"] == "step"]
    assert steps == list(range(1, 13)) and not list(resumed.path.glob(f"{TEMPORARY_PREFIX}*"))


def as_flags(config: TrainConfig) -> list[str]:
    """Give the flags that make a configuration."""
    usual, now = msgspec.to_builtins(TrainConfig()), msgspec.to_builtins(config)
    changed = [(f"--{name.replace('_', '-')}", str(value)) for name, value in now.items() if value != usual[name]]
    return [word for flag in changed for word in flag]


def wait_for_line(process: subprocess.Popen[str], start: str) -> None:
    """Wait until a program says a line that begins so."""
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if line.startswith(start):
            return
    raise AssertionError(f"it never said {start!r}: {''.join(said)}")


@pytest.mark.e2e
def test_a_training_may_grow_when_it_goes_on(squares: Path, tmp_path: Path) -> None:
    """What was done stays; the new steps show the photos of the longer run, at its learning rates."""
    longer = msgspec.structs.replace(FAST, epochs=3)
    straight = trained(squares, tmp_path / "straight", longer).folder
    folder = trained(squares, tmp_path / "run").folder
    before = read_records(folder.journal)
    assert trained(squares, tmp_path / "run", longer, resume=True).finished and folder.load_state()["step"] == 6
    assert read_records(folder.journal)[: len(before)] == before
    theirs, ours = (
        [(r["step"], r["lr"], r["positives"]) for r in read_records(f.journal) if r["kind"] == "step"]
        for f in (straight, folder)
    )
    assert ours[4:] == theirs[4:] and ours[:4] != theirs[:4]


@pytest.mark.e2e
def test_resuming_on_other_data_is_refused(squares: Path, tmp_path: Path) -> None:
    trained(squares, tmp_path / "run", stop_after=1)
    other = write_squares(tmp_path / "other", train=6)
    with pytest.raises(ConfigError, match="fingerprint"):
        trained(other, tmp_path / "run", resume=True)


@pytest.mark.e2e
def test_resuming_another_model_says_what_differs(squares: Path, tmp_path: Path) -> None:
    trained(squares, tmp_path / "run", stop_after=1)
    other = msgspec.structs.replace(FAST, gamma=1.0)
    with pytest.raises(ConfigError, match=r"cannot go on: loss\.gamma was 2\.0, is 1\.0, resume"):
        trained(squares, tmp_path / "run", other, resume=True)


@pytest.mark.e2e
def test_resuming_with_another_recipe_says_what_differs(squares: Path, tmp_path: Path) -> None:
    """What a step learns stays; the number of epochs and workers may change."""
    trained(squares, tmp_path / "run", stop_after=1)
    other = msgspec.structs.replace(FAST, multi_scale=0.5, batch=2, balance=0.5, augment="strong", views=3)
    with pytest.raises(ConfigError) as error:
        trained(squares, tmp_path / "run", other, resume=True)
    for told in (
        "photos a step was 4, is 2",
        "multi_scale was 0.0, is 0.5",
        "balance was 0.0, is 0.5",
        "views was 0, is 3",
    ):
        assert told in str(error.value)
    longer = msgspec.structs.replace(FAST, epochs=3, workers=1, cache_limit=1.0)
    assert recipe(longer, 0, ranks=1) == recipe(FAST, 0, ranks=1) != recipe(other, 3, ranks=1)


@pytest.mark.e2e
def test_a_damaged_state_falls_back_to_the_one_before(squares: Path, tmp_path: Path) -> None:
    """Two epochs leave two states; the damaged newer one costs an epoch, not the run."""
    straight = trained(squares, tmp_path / "run").folder
    before = digest(straight.best)
    straight.state.write_bytes(straight.state.read_bytes()[:1000])
    resumed = trained(squares, tmp_path / "run", resume=True).folder
    assert digest(resumed.best) == before


@pytest.mark.e2e
def test_a_full_disk_is_74_with_the_bytes_and_costs_no_state(squares: Path, tmp_path: Path) -> None:
    folder = trained(squares, tmp_path / "run", stop_after=1).folder
    before = digest(folder.state)
    with no_file_over(100_000), pytest.raises(IoError, match=r"best.safetensors: file too large, free [\d,]+ bytes"):
        trained(squares, tmp_path / "run", resume=True)
    assert digest(folder.state) == before and not list(folder.path.glob(f"{TEMPORARY_PREFIX}*"))
    assert trained(squares, tmp_path / "run", resume=True).finished


@pytest.mark.e2e
def test_training_stops_when_nothing_gets_better(squares: Path, tmp_path: Path) -> None:
    """With a learning rate of almost 0 the first evaluation is never beaten."""
    config = msgspec.structs.replace(FAST, lr=1e-12, patience=2, epochs=9)
    outcome = trained(squares, tmp_path / "run", config)
    assert outcome.finished and outcome.folder.read_facts()["step"] == 6


@pytest.mark.e2e
def test_a_diverged_training_names_photos_and_keeps_the_batch(squares: Path, tmp_path: Path) -> None:
    config = msgspec.structs.replace(FAST, lr=1e30, clip_norm=0.0, warmup=0.0, epochs=5)
    with pytest.raises(DivergedError, match=r"not finite .* on .*png.*kept in") as error:
        trained(squares, tmp_path / "run", config)
    assert error.value.exit_code == 70
    kept = load_training_state(tmp_path / "run" / "diverged-rank0.pt")
    assert kept["batches"][0]["images"].shape[0] == len(kept["positions"]) == 4


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Give a process that holds the lock of a run in `tmp_path`, and has a child that inherited all its files."""
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from focalcli.training.run_folder import RunFolder, locked\n"
        "with locked(RunFolder(Path(sys.argv[1]))):\n"
        "    child = os.fork() or signal.pause()\n"
        "    print(child, flush=True)\n"
        "    signal.pause()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        yield process
        process.kill()
        os.kill(child, signal.SIGKILL)


def test_a_second_training_in_the_same_folder_is_refused(tmp_path: Path, busy: subprocess.Popen[str]) -> None:
    (tmp_path / "last.pt").write_text("of the other")
    with pytest.raises(CannotWrite, match=f"another training is writing here .process {busy.pid}"):
        new_run(tmp_path, overwrite=True)
    assert (tmp_path / "last.pt").read_text() == "of the other"


def test_the_lock_of_a_killed_training_is_free_though_its_loader_processes_live(
    tmp_path: Path, busy: subprocess.Popen[str]
) -> None:
    busy.kill()
    busy.wait()
    with locked(RunFolder(tmp_path)):
        pass


def test_a_lock_whose_owner_died_is_free(tmp_path: Path) -> None:
    (tmp_path / ".lock").write_text("process 1 on elsewhere")
    with locked(RunFolder(tmp_path)):
        pass


@pytest.mark.e2e
def test_the_summary_tells_numbers_and_draws_them(squares: Path, tmp_path: Path) -> None:
    folder = trained(squares, tmp_path / "run").folder
    page = (folder.path / "summary.md").read_text()
    assert (
        page.startswith("# finished after 4 steps")
        and "| 2 |" in page
        and "images/s" in page
        and "of memory at most" in page
    )
    assert (folder.path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_dry_run_plans_and_writes_nothing(
    squares: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert (
        focalcli(["train", str(squares), "--dry-run", "--min-size", "64", "--anchor-size", "14", "--epochs", "3"]) == 0
    )
    plan = json.loads(capsys.readouterr().out)
    assert plan["steps"] == 3 * 2 and plan["train"] == {"photos": 8, "objects": 12} and plan["model"]["schema"]
    assert list(tmp_path.iterdir()) == []


def test_a_run_is_not_overwritten_unless_asked(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.best.write_text("x")
    with pytest.raises(CannotWrite, match="--overwrite"):
        new_run(tmp_path)
    folder.previous.write_text("x")  # or else --resume would find the run that was to be replaced
    assert new_run(tmp_path, overwrite=True).path == tmp_path and not folder.best.exists()
    assert not folder.previous.exists()


def test_a_place_that_cannot_be_written_is_73(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(CannotWrite, match="choose another place with -o"):
        new_run(tmp_path / "file" / "run")


@pytest.mark.e2e
def test_a_cut_photo_ends_the_training_which_goes_on_when_it_is_whole(tmp_path: Path) -> None:
    """It is never seen grey; the error names it, and the steps before it are kept."""
    data, config = write_squares(tmp_path / "data"), msgspec.structs.replace(FAST, workers=1)
    straight = trained(data, tmp_path / "straight", config).folder
    trained(data, tmp_path / "run", config, stop_after=1)
    photo = data / "images" / "train" / "5.png"
    whole = photo.read_bytes()
    photo.write_bytes(whole[:-40])
    with pytest.raises(DataError, match=r"5\.png: cannot be decoded"):
        trained(data, tmp_path / "run", config, resume=True)
    photo.write_bytes(whole)
    resumed = trained(data, tmp_path / "run", config, resume=True).folder
    assert digest(resumed.best) == digest(straight.best)


def test_a_run_that_was_killed_before_its_first_state_starts_anew(tmp_path: Path) -> None:
    """Neither --resume nor --overwrite would be the answer of a script that starts it again and again."""
    folder = RunFolder(tmp_path)
    folder.best.write_text("x")
    folder.update_facts(status="running")
    assert new_run(tmp_path).path == tmp_path and not folder.best.exists()
    folder.best.write_text("x")
    folder.update_facts(status="finished")
    with pytest.raises(CannotWrite, match="--overwrite"):
        new_run(tmp_path)


def test_runs_are_numbered(tmp_path: Path) -> None:
    assert [new_run(None, runs=tmp_path).path.name for _ in range(3)] == ["train-1", "train-2", "train-3"]


def test_the_written_configuration_reads_back(tmp_path: Path) -> None:
    import tomllib

    config = TrainConfig(alpha="none", lr=0.25, weights='a "b"\\c')
    read = tomllib.loads(config_toml(config, Path("x y")))
    assert msgspec.convert(read["train"], TrainConfig) == config and read["data"] == "x y"


def test_splits_are_chosen_as_told(squares: Path) -> None:
    plan = prepare(FAST, squares)
    assert len(plan.train.images) == 8 and plan.val is not None and len(plan.val.images) == 4
    assert [(c.name, c.id) for c in plan.model.classes] == [("red", 5), ("green", 9)]
    assert prepare(msgspec.structs.replace(FAST, val_split="off"), squares).val is None


def test_missing_photos_are_named_before_anything_is_written(tmp_path: Path) -> None:
    data = write_squares(tmp_path / "data")
    (data / "images" / "train" / "3.png").unlink()
    with pytest.raises(InputNotFound, match=r"3\.png"):
        prepare(FAST, data)


def test_a_data_set_without_objects_cannot_train(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_squares(tmp_path / "data")
    path = data / "annotations" / "train.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "annotations": []}))
    assert focalcli(["train", str(data), "-o", str(tmp_path / "run")]) == 65
    assert "no object is annotated" in capsys.readouterr().err and not (tmp_path / "run").exists()


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("number", "extra", "code"),
    [(signal.SIGTERM, [], 143), (signal.SIGTERM, ["--preemptible"], 75), (signal.SIGINT, [], 130)],
    ids=str,
)
def test_a_signal_ends_after_the_step_and_the_run_goes_on_later(
    squares: Path, tmp_path: Path, number: int, extra: list[str], code: int
) -> None:
    words = ["train", str(squares), "-o", str(tmp_path / "run"), "--epochs", "500", "--batch", "4", "--min-size", "64",
             "--max-size", "96", "--anchor-size", "14", "--workers", "0", "--val-split", "off", *extra]  # fmt: skip
    command = [sys.executable, "-m", "focalcli", *words]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    wait_for_line(process, "step ")
    process.send_signal(number)
    output, talk = process.communicate(timeout=60)
    assert process.returncode == code, talk
    more = " --preemptible" * bool(extra)
    assert f"stopped and saved; go on with: focalcli train --resume -o {tmp_path / 'run'}{more}\n" in talk
    assert output == "" and "Traceback" not in talk
    folder = RunFolder(tmp_path / "run")
    assert folder.state.exists() and folder.read_facts()["status"] == "stopped"


@pytest.mark.e2e
def test_a_signal_to_the_whole_group_still_saves(squares: Path, tmp_path: Path) -> None:
    """As a terminal does at Ctrl-C and Slurm at the time limit: loader processes must not die before the parent."""
    words = ["train", str(squares), "-o", str(tmp_path / "run"), "--epochs", "500", "--batch", "4", "--min-size", "64",
             "--max-size", "96", "--anchor-size", "14", "--workers", "1", "--val-split", "off"]  # fmt: skip
    command = [sys.executable, "-m", "focalcli", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, **pipes, start_new_session=True)
    wait_for_line(process, "step ")
    os.killpg(process.pid, signal.SIGTERM)
    talk = process.communicate(timeout=60)[1]
    assert process.returncode == 143 and "stopped and saved" in talk, talk
    assert RunFolder(tmp_path / "run").state.exists()
