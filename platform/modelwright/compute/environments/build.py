"""Builds the locked environment of a requirements file. Runs as a workload, with the standard library alone.

`build.py --source requirements.txt --python 3.11 --environments <folder> --result result.json`

Resolves to a lock with hashes (`--source lock.txt` is one already), names it by the SHA-256 of Python version and lock,
and builds `<environments>/<digest>/` unless its `.ready` marker says that it is there. Writes `result.json`:
`{"ok": true, "digest", "lock", "python", "reused", "reason", "seconds", "size_bytes"}` or
`{"ok": false, "error", "remedy"}`, and ends with 0 or 1.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

READY = ".ready"
LOCK = "lock.txt"


class BuildError(Exception):
    """The environment cannot be built; `remedy` says what the author of the requirements can do."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


def find_uv() -> list[str]:
    """The command that starts uv: MODELWRIGHT_UV, else `uv` on the path, else `python -m uv`."""
    if named := os.environ.get("MODELWRIGHT_UV"):
        return [named]
    if found := shutil.which("uv"):
        return [found]
    return [sys.executable, "-m", "uv"]


def lock_digest(lock: str, python: str) -> str:
    """Names an environment: equal for equal locks on equal Python versions."""
    return hashlib.sha256(f"python {python}\n{lock}".encode()).hexdigest()


def resolve(source: Path, python: str, additions: Path | None = None) -> str:
    """The lock of the requirements: exact versions with hashes, in a stable order. A lock stays as it is.

    `additions` are requirements that are resolved together with them.
    """
    if source.name == LOCK:
        return source.read_text(encoding="utf-8")
    say(f"Resolving {source.name} for Python {python}")
    files = [str(source), *([str(additions)] if additions else [])]
    arguments = ["pip", "compile", *files, "--python-version", python, "--generate-hashes"]
    return run_uv([*arguments, "--no-header", "--no-annotate", "--quiet"]).strip() + "\n"


def build(folder: Path, lock: str, python: str) -> None:
    """Makes the virtual environment in `folder`, whose path its scripts keep: it cannot be moved afterwards."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    lock_file = folder / "lock.txt"
    lock_file.write_text(lock, encoding="utf-8")
    say(f"Making a virtual environment with Python {python}")
    run_uv(["venv", "--quiet", "--python", python, "--allow-existing", str(folder)])
    packages = sum(1 for line in lock.splitlines() if line and not line[0].isspace() and not line.startswith("#"))
    say(f"Installing {packages} packages")
    interpreter = str(folder / "bin" / "python")
    # Copies, not hard links: a script that writes into its environment must not reach the cache of all.
    install = ["pip", "sync", "--python", interpreter, "--require-hashes", "--link-mode", "copy", "--compile-bytecode"]
    run_uv([*install, "--allow-empty-requirements", str(lock_file)])


def ensure(environments: Path, lock: str, python: str) -> dict[str, Any]:
    """Builds the environment of the lock unless it is there; two builders of one lock wait for each other."""
    digest = lock_digest(lock, python)
    folder = environments / digest
    environments.mkdir(parents=True, exist_ok=True)
    with exclusive(environments / f"{digest}.lock"):
        known = read_marker(folder / READY)
        if known is not None:
            say(f"Environment {digest[:12]} is there already")
            return {**known, "reused": True, "reason": f"The lock {digest[:12]} was built before."}
        reason = "a build before it did not finish" if folder.exists() else "no run used this lock before"
        build(folder, lock, python)
        made = {"digest": digest, "python": python, "size_bytes": size_of(folder)}
        temporary = folder / f"{READY}.tmp"
        temporary.write_text(json.dumps(made), encoding="utf-8")
        temporary.replace(folder / READY)
        return {**made, "reused": False, "reason": f"Built because {reason}."}


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Holds the lock file until the block ends or the process dies."""
    with path.open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def read_marker(path: Path) -> dict[str, Any] | None:
    """What the marker of a finished environment says, None when it is not finished."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def size_of(folder: Path) -> int:
    """Bytes of all files below the folder, links not followed."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() or path.is_symlink())


def run_uv(arguments: Sequence[str]) -> str:
    """Runs uv, its progress to the log. Returns its standard output. Raises BuildError."""
    lines: list[str] = []
    with tempfile.TemporaryFile("w+", encoding="utf-8") as answer:
        try:
            uv = subprocess.Popen([*find_uv(), *arguments], stdout=answer, stderr=subprocess.PIPE, text=True)
        except OSError as error:
            remedy = "Install uv on the host or name its path in MODELWRIGHT_UV, then start the run again."
            raise BuildError(f"uv could not be started: {error}.", remedy) from error
        with uv:
            for line in uv.stderr or ():
                lines.append(line)
                print(line, end="", flush=True)
        if uv.returncode:
            raise explain("".join(lines))
        answer.seek(0)
        return answer.read()


_Remedy = Callable[[re.Match[str]], str]
_NAME = r"`?([A-Za-z0-9][A-Za-z0-9._-]*)`?"
_KNOWN: tuple[tuple[str, _Remedy], ...] = (
    (
        rf"{_NAME} was not found in the package registry",
        lambda m: f"There is no package {m[1]!r} in the index. Correct its name in the requirements.",
    ),
    (
        r"no version of (\S+?),? (?:so|and|we)",
        lambda m: f"No version satisfies {m[1]!r}. Ask for a version that the index has.",
    ),
    (
        r"there (?:is|are) no versions? of (\S+)",
        lambda m: f"No version satisfies {m[1]!r}. Ask for a version that the index has.",
    ),
    (
        r"(?i)hash mismatch for `?([^`\s]+)",
        lambda m: f"The file of {m[1]!r} in the index differs from the locked one. Resolve again or check the index.",
    ),
    (
        r"(?i)failed to build `?([^`\s]+)",
        lambda m: f"{m[1]!r} has no wheel for this Python and could not be built. Choose a version that has a wheel.",
    ),
    (
        r"(?i)couldn't parse requirement[^\n]*|expected[^\n]*found[^\n]*",
        lambda _: "Correct that line: one requirement a line, for example `scikit-learn>=1.6`.",
    ),
    (
        r"(?i)no interpreter found for python ([\d.]+)",
        lambda m: f"Install Python {m[1]} on the host, or choose a version that it has.",
    ),
    (
        r"(?i)(dns error|connection|timed out|error sending request|failed to fetch)",
        lambda _: "The package index was not reached. Check the host's network or index settings, then try again.",
    ),
    (r"(?i)no space left on device", lambda _: "The disk is full. Remove unused environments or add space."),
)


def explain(output: str) -> BuildError:
    """The error of uv in words for the author of the requirements: its own last lines, and what to do."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    message = "\n".join(lines[-12:]) or "uv failed without a message."
    flat = " ".join(lines)
    for pattern, remedy in _KNOWN:
        if found := re.search(pattern, flat):
            return BuildError(message, remedy(found))
    return BuildError(message, "Read the message above, correct the requirements and start the run again.")


def say(text: str) -> None:
    """One line of progress in the log."""
    print(text, flush=True)


def arguments() -> argparse.Namespace:
    """The command line; see the module's first lines."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--python", required=True)
    parser.add_argument("--environments", type=Path, required=True)
    parser.add_argument("--result", type=Path, required=True)
    parser.add_argument("--additions", type=Path)
    return parser.parse_args()


def finish(path: Path, work: Callable[[], dict[str, Any]]) -> int:
    """Does the work and writes what came of it; the exit code."""
    began = time.monotonic()
    try:
        result = {"ok": True, **work()}
    except BuildError as error:
        result = {"ok": False, "error": str(error), "remedy": error.remedy}
        say(error.remedy)
    result["seconds"] = round(time.monotonic() - began, 3)
    path.write_text(json.dumps(result), encoding="utf-8")
    say(str(result.get("reason", "The environment was not built.")))
    return 0 if result["ok"] else 1


def make(given: argparse.Namespace) -> dict[str, Any]:
    """Resolves and builds what the command line asks for. Raises BuildError."""
    lock = resolve(given.source, given.python, given.additions)
    return {"lock": lock, **ensure(given.environments.resolve(), lock, given.python)}


def main() -> int:
    """See the module's first lines."""
    given = arguments()
    return finish(given.result, lambda: make(given))


if __name__ == "__main__":
    sys.exit(main())
