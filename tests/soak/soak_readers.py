"""Every reader against changed annotations: each try is read, looked at and written, or refused in one line.

    python tests/soak/soak_readers.py [--seconds 240] [--seed 0]

Takes the formats in turn, each in a folder of its own, in one process. Fails at anything but a `FocalError`, at a try
of more than 10 s, at a peak of memory over 500 MB, and at a file written outside the destination. A failure names the
format and the seed: `--only FORMAT --seed N --tries 1` repeats it.
"""

import argparse
import json
import multiprocessing
import random
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.dataset.fuzz import MEMBERS, attempt, lay_member, no_longer_than

LONGEST_TRY, MOST_MEMORY = 10, 500.0


def campaign(work: Path, options: argparse.Namespace, now: Any) -> None:
    """Try until the time is over; keep in `now` what is being tried, should the process die of it."""
    warnings.simplefilter("error")
    members = [member for member in MEMBERS if options.only in ("", member)]
    files = {member: lay_member(work / member / "in", member) for member in members}
    ends: Counter[str] = Counter()
    slowest, seed, start = (0.0, ""), options.seed, time.monotonic()
    while time.monotonic() - start < options.seconds and seed - options.seed < options.tries:
        for member in members:
            now.value = f"{member} --seed {seed}".encode()
            began = time.perf_counter()
            with no_longer_than(LONGEST_TRY):
                root = work / member / "in"
                ends[
                    attempt(root, files[member], member.partition(",")[0], random.Random(seed), root.parent / "out")
                ] += 1
            slowest = max(slowest, (time.perf_counter() - began, now.value.decode()))
        seed += 1
    # ru_maxrss would begin with the peak of the process that started this one.
    status = Path("/proc/self/status").read_text()
    peak = int(status.partition("VmHWM:")[2].split()[0]) / 1000
    assert peak < MOST_MEMORY, f"took {peak:.0f} MB"
    line = {"soak": "readers", "tries": sum(ends.values()), "ends": dict(ends), "formats": len(members)}
    print(
        json.dumps({**line, "slowest_s": round(slowest[0], 2), "slowest": slowest[1], "peak_mb": round(peak)}),
        flush=True,
    )


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=240)
    parser.add_argument("--tries", type=int, default=1 << 62)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="one format of the family, as a failure names it")
    options = parser.parse_args()
    now = multiprocessing.Array("c", 200)
    with tempfile.TemporaryDirectory(prefix="soak-readers-") as work:
        child = multiprocessing.get_context("fork").Process(target=campaign, args=(Path(work), options, now))
        child.start()
        child.join()
    if child.exitcode:
        print(f"failed at --only {now.value.decode()} (exit {child.exitcode})", file=sys.stderr)
    return int(child.exitcode != 0)


if __name__ == "__main__":
    sys.exit(main())
