"""Capture inside a user's process: what it notes, and that it never gets in the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2] / "platform" / "runtime"
SITE = ROOT / "modelwright_runtime" / "capture" / "site"


class Captured:
    """A folder in which scripts run with capture switched on."""

    def __init__(self, folder: Path) -> None:
        self.work = folder / "work"
        self.work.mkdir()
        self.notes = self.work / ".modelwright" / "captured"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.work),
            "PYTHONPATH": f"{ROOT}:{SITE}",
            "MODELWRIGHT_CAPTURE": str(self.notes),
            "MODELWRIGHT_CAPTURE_ROOTS": str(self.work),
            "TMPDIR": str(self.work / ".modelwright" / "scratch"),
        }

    def run(self, code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        (self.work / "script.py").write_text(code)
        return subprocess.run(
            [sys.executable, "script.py", *arguments],
            cwd=self.work,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for f in sorted(self.notes.iterdir()) for line in f.read_text().splitlines()]

    def paths(self, kind: str) -> set[str]:
        found = {r["path"] for r in self.records if r["kind"] == kind}
        return {str(Path(path).relative_to(self.work)) for path in found} - {"script.py"}


@pytest.fixture
def captured(tmp_path: Path) -> Captured:
    return Captured(tmp_path)


def test_files_read_and_written_below_the_work_folder_are_noted(captured: Captured) -> None:
    (captured.work / "in.csv").write_text("x")
    done = captured.run(
        "import os, pathlib\n"
        "open('in.csv').read(); open('in.csv').read()\n"
        "pathlib.Path('out').mkdir()\n"
        "pathlib.Path('out/a.txt').write_text('1')\n"
        "open('part', 'wb').close(); os.replace('part', 'whole')\n"
        "open('/etc/hostname').read()\n"
        "open(b'bytes.txt', 'a').close()\n"
    )
    assert done.returncode == 0, done.stderr
    assert captured.paths("read") == {"in.csv"}
    assert captured.paths("write") == {"out/a.txt", "part", "whole", "bytes.txt"}


def test_children_and_forks_are_noted_too(captured: Captured) -> None:
    (captured.work / "child.csv").write_text("x")
    (captured.work / "fork.csv").write_text("x")
    done = captured.run(
        "import os, subprocess, sys\n"
        "subprocess.run([sys.executable, '-c', \"open('child.csv')\"], check=True)\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    open('fork.csv'); os._exit(0)\n"
        "os.waitpid(pid, 0)\n"
    )
    assert done.returncode == 0, done.stderr
    assert captured.paths("read") == {"child.csv", "fork.csv"}
    assert sum(record["kind"] == "process" for record in captured.records) == 2


def test_what_was_noted_survives_a_kill(captured: Captured) -> None:
    (captured.work / "in.csv").write_text("x")
    done = captured.run("import os, signal\nopen('in.csv').read()\nos.kill(os.getpid(), signal.SIGKILL)\n")
    assert done.returncode == -signal.SIGKILL
    assert captured.paths("read") == {"in.csv"}


def test_arguments_and_versions_are_noted(captured: Captured) -> None:
    captured.run("", "--depth", "3", PYTHONHASHSEED="0")
    process = captured.records[0]
    assert process["argv"][1:] == ["script.py", "--depth", "3"]
    assert process["hash_seed"] == "0"
    assert process["python"] == sys.version.split()[0]


def test_errors_of_the_program_are_its_own(captured: Captured) -> None:
    done = captured.run(
        "import os\n"
        "class Odd:\n"
        "    def __fspath__(self): raise RuntimeError('odd')\n"
        "for wrong in (Odd(), 3.5, None, 'no/such/file', 'nul\\0'):\n"
        "    try: open(wrong)\n"
        "    except Exception as error: print(type(error).__name__)\n"
        "os.close(os.open('x', os.O_CREAT | os.O_WRONLY))\n"
        "os.chdir('/'); open(0, closefd=False)\n"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["RuntimeError", "TypeError", "TypeError", "FileNotFoundError", "ValueError"]


def test_a_program_runs_where_nothing_can_be_noted(captured: Captured) -> None:
    for folder in ("/proc/nowhere/x", ""):
        done = captured.run("print('ran')", MODELWRIGHT_CAPTURE=folder)
        assert (done.returncode, done.stdout, done.stderr) == (0, "ran\n", "")


def test_a_working_folder_that_is_gone_does_no_harm(captured: Captured) -> None:
    done = captured.run(
        "import os, shutil\nos.mkdir('d'); os.chdir('d'); shutil.rmtree('../d')\n"
        "try: open('x')\nexcept FileNotFoundError: print('as without capture')\n"
    )
    assert done.stdout == "as without capture\n", done.stderr


def test_the_next_sitecustomize_runs_too(captured: Captured, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "sitecustomize.py").write_text("import builtins; builtins.theirs = 42")
    done = captured.run("print(theirs)", PYTHONPATH=f"{captured.environment['PYTHONPATH']}:{own}")
    assert done.stdout == "42\n", done.stderr


def test_no_sitecustomize_but_ours_is_no_error(captured: Captured) -> None:
    done = captured.run("import sitecustomize; print('ok')")
    assert (done.stdout, done.stderr) == ("ok\n", "")


def test_scratch_files_go_where_the_platform_says(captured: Captured) -> None:
    done = captured.run("import tempfile; print(tempfile.mkdtemp())")
    assert done.stdout.startswith(str(captured.work / ".modelwright" / "scratch"))


def test_the_cost_of_an_open_is_small(captured: Captured) -> None:
    code = (
        "import time\nopen('x', 'w').close()\nstart = time.process_time()\n"
        "for _ in range(20000): open('x').close()\nprint(time.process_time() - start)\n"
    )
    plain = min(float(captured.run(code, MODELWRIGHT_CAPTURE="").stdout) for _ in range(3))
    watched = min(float(captured.run(code).stdout) for _ in range(3))
    assert (watched - plain) / 20000 < 50e-6
