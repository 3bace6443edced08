"""`./modelwright test`: every check of the project, and a summary at the end."""

import argparse
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from modelwright.local.layout import REPOSITORY

PYTHON = sys.executable
BINARIES = Path(PYTHON).parent
PYTEST = (PYTHON, "-m", "pytest", "-q", "--durations=10")
# A file's tests stay on one worker, which makes what they share once; tests/order.py has the long ones begin.
TWO_WORKERS = ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")
# Where the tests of whole platforms stand: looking for them everywhere takes half a minute each time. tests/order.py
# insists on it.
E2E_MACHINES = ["tests/e2e", "tests/hosts", "tests/compute"]
E2E_CONTAINERS = ["tests/e2e", "tests/compose"]
E2E_OTHERS = ["tests/e2e", "tests/local"]
WIDTH = 30

_printing = threading.Lock()


@dataclass(frozen=True)
class Check:
    """A command that must end with 0. A quiet one shows its output only when it fails, a late one at its end."""

    name: str
    command: Sequence[str]
    quiet: bool = True
    late: bool = False


@dataclass(frozen=True)
class Result:
    """How a check ended; `last` is the last line that it wrote."""

    name: str
    code: int
    seconds: float
    last: str


RUFF = Check("ruff check", (str(BINARIES / "ruff"), "check", ".", "modelwright"))
FORMAT = Check("ruff format", (str(BINARIES / "ruff"), "format", "--check", ".", "modelwright"))
IMPORTS = Check("import contracts", (str(BINARIES / "lint-imports"),))
MIGRATIONS = Check("migrations", (PYTHON, "-W", "ignore", "manage.py", "makemigrations", "--check", "--dry-run"))
TYPES = Check("mypy", (str(BINARIES / "mypy"), "."))
QUICK_CHECKS = (RUFF, FORMAT, IMPORTS, MIGRATIONS)


def pytest(name: str, *arguments: str, late: bool = False) -> Check:
    """One call of pytest, whose output is shown as it comes or, where two run side by side, at its end."""
    return Check(name, (*PYTEST, *arguments), quiet=late, late=late)


MACHINES = pytest("tests of several machines", *E2E_MACHINES, "-m", "e2e and machines", late=True)
CONTAINERS = pytest("tests of containers", *E2E_CONTAINERS, "-m", "e2e and containers", late=True)
WHOLE = pytest("tests of the whole platform", *E2E_OTHERS, "-m", "e2e and not machines and not containers")


def main(arguments: list[str]) -> int:
    """Run the checks. Returns 0 only when all of them passed."""
    options, rest = parser().parse_known_args(arguments)
    if options.fast:
        tests = pytest("quick tests", *TWO_WORKERS, "-m", "not slow and not e2e", *rest)
        results = [run(check) for check in (RUFF, IMPORTS, tests)]
    elif rest:
        results = [run(pytest("pytest", *rest))]
    else:
        results = everything()
    summarise(results)
    return 1 if any(result.code for result in results) else 0


def parser() -> argparse.ArgumentParser:
    """The one option; the rest goes to pytest."""
    parser = argparse.ArgumentParser(
        prog="modelwright test",
        allow_abbrev=False,
        description="Runs ruff, the import contracts, the migrations check, mypy, the tests and the tests of the whole "
        "platform. Any argument that is not listed here goes to pytest: without --fast, one call of it is then all "
        "that runs, for example `./modelwright test tests/jobs -x`.",
    )
    parser.add_argument("--fast", action="store_true", help="ruff, import contracts and the quick tests only")
    return parser


def everything() -> list[Result]:
    """Every check. Beside the tests run mypy and then, one after the other, those tests of whole platforms that mostly
    wait: more at a time take as long on two cores, and are in each other's way."""
    results = [run(check) for check in QUICK_CHECKS]
    with ThreadPoolExecutor(1) as beside:
        others = [beside.submit(run, check) for check in (TYPES, MACHINES, CONTAINERS)]
        results += [run(pytest("tests", *TWO_WORKERS, "-m", "not e2e"))]
        results += [run(WHOLE)]
        return [*results, *(other.result() for other in others)]


def run(check: Check) -> Result:
    """Run one check and say how it went."""
    started = time.monotonic()
    if not check.quiet:
        say(f"\n— {check.name}: {' '.join(check.command[1:])}")
    lines: list[str] = []
    process = subprocess.Popen(
        check.command,
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    assert process.stdout is not None  # noqa: S101 - for the type checker: it was asked for above
    for line in process.stdout:
        lines.append(line.rstrip())
        if not check.quiet:
            say(line.rstrip())
    code = process.wait()
    seconds = time.monotonic() - started
    if check.late or (check.quiet and code):
        say("\n".join([f"\n— {check.name}:", *lines]))
    say(f"— {check.name}: {'FAILED' if code else 'passed'} in {seconds:.0f} s")
    return Result(check.name, code, seconds, next((line for line in reversed(lines) if line.strip()), ""))


def summarise(results: list[Result]) -> None:
    """The last lines that a person reads."""
    say("\nSummary")
    for result in results:
        verdict = "FAILED" if result.code else "passed"
        say(f"  {verdict}  {result.name:<{WIDTH}}{result.seconds:7.1f} s  {result.last}")
    failed = [result.name for result in results if result.code]
    say(f"\nFailed: {', '.join(failed)}." if failed else "\nEverything passed.")


def say(text: str) -> None:
    """Print whole lines, from two threads."""
    with _printing:
        print(text, flush=True)
