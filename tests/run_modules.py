"""Run the `PREFIX_NAME.py` scripts of a folder, each in a process of its own; for `tests.bench` and `tests.soak`."""

import subprocess
import sys
from pathlib import Path


def run_modules(folder: Path, prefix: str, names: list[str]) -> int:
    """Run the named scripts, or all, and give the exit code: 1 where one failed, 2 where there is none of that name."""
    paths = sorted(folder.glob(f"{prefix}_*.py"))
    known = {path.stem.removeprefix(f"{prefix}_"): path for path in paths}
    if unknown := [name for name in names if name not in known]:
        print(f"no {prefix} {unknown[0]!r}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    failed = 0
    for name in names or known:
        print(f"# {name}", file=sys.stderr, flush=True)
        failed += subprocess.run([sys.executable, str(known[name])], check=False).returncode != 0
    return min(failed, 1)
