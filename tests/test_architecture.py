"""The layers in pyproject.toml hold."""

import subprocess
import sys
from pathlib import Path

from patience import PATIENCE_S

ROOT = Path(__file__).parent.parent


def test_every_module_imports_only_from_lower_layers():
    # In a process of its own: import-linter caches the import graph and changes sys.path.
    run = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command as main; main()",
            "--no-cache",
        ],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_S,
    )
    assert run.returncode == 0, run.stdout + run.stderr
