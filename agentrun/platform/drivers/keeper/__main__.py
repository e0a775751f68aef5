"""`python -m agentrun.platform.drivers.keeper FOLDER`: returns when the keeper of that folder listens, in the background."""

from __future__ import annotations

import sys
from pathlib import Path

from agentrun.platform.drivers.keeper.program import daemonize

if __name__ == "__main__":
    daemonize(Path(sys.argv[1]), alone_s=float(sys.argv[2]), cgroups=sys.argv[3] == "cgroup")
