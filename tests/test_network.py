"""No verb opens a connection, and no test can: Python's own audit log of sockets is the witness. Two runs are equal."""

import hashlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from focalcli.cli.app import VERBS

# Runs command lines one after the other in one process; prints what each asked of the network.
WITNESS = """
import json, sys
from focalcli.cli.console import run
asked = []
def note(event, arguments):
    internet = event.startswith("socket.") and "AF_UNIX" not in str(arguments[1:2])
    if internet or event.startswith(("urllib.", "http.", "ftplib.", "smtplib.")):
        asked.append(event)
sys.addaudithook(note)
for words in json.loads(sys.argv[1]):
    asked.clear()
    code = run(words)
    print(json.dumps([words[0], code, asked]), file=sys.stderr)
"""

TRAIN = "--preset tiny --weights none --epochs 1 --batch 4 --min-size 64 --max-size 64 --anchor-size 8"
MODEL = "--model runs/bay/best.safetensors"
WRITING = f"""
    demo bay --photos 12 --size 160
    convert bay yolo --to yolo
    split bay parts --ratio 80/10/10
    merge bay parts both --to coco --allow-lossy
    train bay -o runs/bay {TRAIN} --workers 0 --device cpu --force
    evaluate bay --split test {MODEL} --report page.html --json -o scores.json
    detect bay/images/test {MODEL} -o found --threshold 0.01
    export --onnx {MODEL} -o bay.onnx
"""
OTHERS = f"""
    inspect bay --report inspected.html
    validate bay
    evaluate bay --split test --model bay.onnx
    detect bay/images/test --model bay.onnx
    verify bay.onnx
    calibrate runs/bay/best.safetensors bay --split val -o calibrated.safetensors
    compare runs/bay/best.safetensors bay.onnx --data bay --split test --resamples 10
    insight anchors bay
    insight curve bay
    insight loss bay --split test {MODEL}
    insight audit bay --split test {MODEL}
    runs
    doctor --no-self-test
    config show
    schema detections
    completions bash
    man
"""
OF_ONE_RUN = ("metrics.jsonl", "summary.md", "run.json")  # rates, memory, command line


def told(folder: Path, verbs: str, *, hash_seed: int) -> list[tuple[str, int, list[str]]]:
    """Run command lines in one process; give verb, exit code and what was asked of the network for each."""
    folder.mkdir()
    words = [line.split() for line in verbs.splitlines() if line.strip()]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FOCALCLI_")}
    done = subprocess.run(
        [sys.executable, "-c", WITNESS, json.dumps(words)],
        cwd=folder,
        env={**environment, "PYTHONHASHSEED": str(hash_seed)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    heard = [json.loads(line) for line in done.stderr.splitlines() if line.startswith('["')]
    assert [verb for verb, _, _ in heard] == [line[0] for line in words], done.stderr
    assert {code for _, code, _ in heard} <= {0, 1}, done.stderr
    return heard


def digests(folder: Path) -> dict[str, str]:
    """Give the SHA-256 of every file below a folder but for what tells of one run only."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in OF_ONE_RUN]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "example.com"])
def test_tests_cannot_reach_another_machine(host: str) -> None:
    with pytest.raises(PermissionError, match="tests use no network"):
        socket.create_connection((host, 80), timeout=1)


def test_programs_of_tests_cannot_either_but_reach_their_own_machine() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5)"
        outside, here = (
            subprocess.run([sys.executable, "-c", code, host, str(port)], capture_output=True, text=True)
            for host in ("192.0.2.1", "localhost")
        )
    assert "tests use no network" in outside.stderr and outside.returncode == 1
    assert here.returncode == 0, here.stderr


@pytest.mark.e2e
def test_no_verb_opens_a_socket_and_two_runs_write_the_same_bytes(tmp_path: Path) -> None:
    """All verbs but `import`, which needs a file of others. The second run has another order of sets."""
    work = tmp_path / "work"
    heard = told(work, WRITING + OTHERS, hash_seed=1)
    assert [[verb, asked] for verb, _, asked in heard] == [[verb, []] for verb, _, _ in heard]
    assert {verb for verb, _, _ in heard} == set(VERBS) - {"import"}
    first = digests(work)
    work.rename(tmp_path / "first")
    told(work, WRITING, hash_seed=2)
    second = digests(work)
    assert {name for name in second if first.get(name) != second[name]} == set()
    for name in ("yolo/data.yaml", "runs/bay/last.pt", "page.html", "found/detections.jsonl", "bay.onnx.json"):
        assert name in second
