"""No verb opens a connection, and no test can: Python's own audit log of sockets is the witness."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from focalcli.images.synthetic_set import write_bay

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

TRAIN = "--epochs 1 --batch 4 --min-size 64 --max-size 64 --anchor-size 8 --workers 0 --device cpu --force"
EVERY_VERB = f"""
    inspect bay --report page.html
    validate bay
    convert bay yolo --to yolo
    split bay parts --ratio 80/10/10
    train bay -o runs/bay {TRAIN}
    evaluate bay --split test --model runs/bay/best.safetensors
    evaluate bay --split test --model runs/bay/best.safetensors --json -o scores.json
    detect bay/images/test --model runs/bay/best.safetensors -o found
    insight anchors bay
    runs
    doctor --no-self-test
"""


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
def test_no_verb_opens_a_socket(tmp_path: Path) -> None:
    write_bay(tmp_path / "bay", 12, size=96, seed=0)
    words = [line.split() for line in EVERY_VERB.strip().splitlines()]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FOCALCLI_")}
    done = subprocess.run(
        [sys.executable, "-c", WITNESS, json.dumps(words)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    told = [json.loads(line) for line in done.stderr.splitlines() if line.startswith('["')]
    assert [[verb, asked] for verb, _, asked in told] == [[line[0], []] for line in words], done.stderr
    assert {code for _, code, _ in told} <= {0, 1}, done.stderr
