"""Run the benches and pass on their JSON lines.

    python -m tests.bench [NAME ...]

Each `bench_NAME.py` runs in a process of its own, so that none pays for what another imported. A bench whose peers are
not installed says so on stderr; the others go on.
"""

import subprocess
import sys
from pathlib import Path


def main(names: list[str]) -> int:
    """Run the named benches, or all; give how many failed."""
    paths = sorted(Path(__file__).parent.glob("bench_*.py"))
    known = {path.stem.removeprefix("bench_"): path for path in paths}
    if unknown := [name for name in names if name not in known]:
        print(f"no bench {unknown[0]!r}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    failed = 0
    for name in names or known:
        print(f"# {name}", file=sys.stderr, flush=True)
        failed += subprocess.run([sys.executable, str(known[name])], check=False).returncode != 0
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
