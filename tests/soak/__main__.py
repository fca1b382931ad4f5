"""Run the long campaigns and pass on their JSON lines.

    python -m tests.soak [NAME ...]

Each `soak_NAME.py` runs in a process of its own, prints one JSON line with what it counted and measured, and exits
with 1 where something did not hold.
"""

import sys
from pathlib import Path

from tests.run_modules import run_modules

if __name__ == "__main__":
    sys.exit(run_modules(Path(__file__).parent, "soak", sys.argv[1:]))
