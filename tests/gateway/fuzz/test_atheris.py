"""A short run of every target by Atheris, which looks for inputs that reach code that none before did."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.gateway.fuzz.targets import SEEDS, TARGETS

pytest.importorskip("atheris", reason="NOT TESTED: Atheris has a wheel for Linux on x86-64 alone")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ROOT = Path(__file__).resolve().parents[3]
RUNS = 12_000
# Of each target the same inputs every time: what is found is found again. Longer runs, by hand, begin elsewhere.
SEED = 4


class Fuzzed(NamedTuple):
    """What libFuzzer says of one target: runs, and lines of code reached by the seeds alone and at the end."""

    runs: int
    began: int
    ended: int


def fuzzed(printed: str) -> dict[str, Fuzzed]:
    """By target."""
    parts = re.split(r"^fuzzing (\w+)$", printed, flags=re.MULTILINE)[1:]
    return {name: _read(text) for name, text in zip(parts[::2], parts[1::2], strict=True)}


def _read(text: str) -> Fuzzed:
    began = re.search(r"^#\d+\s+INITED cov: (\d+)", text, re.MULTILINE)
    ended = re.search(r"^#\d+\s+DONE\s+cov: (\d+)", text, re.MULTILINE)
    done = re.search(r"^Done (\d+) runs", text, re.MULTILINE)
    assert began, text[-3000:]
    assert ended, text[-3000:]
    assert done, text[-3000:]
    return Fuzzed(int(done[1]), int(began[1]), int(ended[1]))


def test_atheris_finds_nothing_in_any_target(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.gateway.fuzz", "all", f"-runs={RUNS}", f"-seed={SEED}", "-timeout=20"]
    command += ["-max_len=4096", f"-artifact_prefix={tmp_path}/"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=580, check=False)
    found = {path.name: path.read_bytes()[:300] for path in tmp_path.iterdir()}
    assert done.returncode == 0, f"{found}\n{done.stderr[-6000:]}"
    assert found == {}
    told = fuzzed(done.stderr)
    assert list(told) == list(TARGETS)
    for name, each in told.items():
        assert each.runs >= RUNS, name
        assert each.runs > len(SEEDS[name]), name
        # It sees which lines are reached, and so where to look: without that it would only guess.
        assert each.began > 0, name
        assert each.ended > each.began, name
