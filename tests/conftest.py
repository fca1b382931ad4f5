"""What all tests share: the same property examples in every run, one thread a process, and no network."""

import os
import runpy
from pathlib import Path

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")

# Threads of several test workers on the same cores wait for each other in barriers: 22 s instead of 2 s for a training
# of four steps. Read by torch when it is imported, and inherited by the programs that tests start.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Here and in every Python that a test starts, a connection to another machine is refused.
_GUARD = Path(__file__).parent / "no_network"
if str(_GUARD) not in os.environ.get("PYTHONPATH", "").split(os.pathsep):
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_GUARD), os.environ.get("PYTHONPATH")]))
    runpy.run_path(str(_GUARD / "sitecustomize.py"))
