"""Run the benches and pass on their JSON lines.

    python -m tests.bench [NAME ...]

Each `bench_NAME.py` runs in a process of its own, so that none pays for what another imported. A bench whose peers are
not installed says so on stderr; the others go on.
"""

import sys
from pathlib import Path

from tests.run_modules import run_modules

if __name__ == "__main__":
    sys.exit(run_modules(Path(__file__).parent, "bench", sys.argv[1:]))
