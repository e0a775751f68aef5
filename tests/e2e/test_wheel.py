"""The wheel that `pip install .` builds has all that the commands need."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

from agentrun.cli.scaffold import TEMPLATES

from .conftest import PATIENCE_S, clean_environment

ROOT = Path(__file__).parents[2]


def test_init_works_from_the_wheel_alone(tmp_path: Path):
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=PATIENCE_S)
    (wheel,) = tmp_path.glob("*.whl")
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(installed)
    for template in TEMPLATES:
        subprocess.run(
            [sys.executable, "-m", "agentrun.cli", "init", template, "--template", template],
            cwd=tmp_path,
            env=clean_environment(PYTHONPATH=str(installed)),
            check=True,
            capture_output=True,
            timeout=PATIENCE_S,
        )
        made = {path.name for path in (tmp_path / template).rglob("*") if path.is_file()}
        assert made >= {"app.py", "s.yaml", ".gitignore", ".env.example", "requirements.txt", "README.md"}
