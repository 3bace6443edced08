"""Makes the gateway's hot modules into machine code: `python -m models.gateway.native FOLDER`.

mypyc compiles what mypy has checked, as it stands. What it makes lies in a folder of its own, named by all that went
into it, so what was made of other sources is never used; `models.gateway` takes it where MODELWRIGHT_NATIVE names that
folder, and is the same program without. Needs a C compiler, and the packages of the dependency group `native`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import sys
import sysconfig
import tempfile
import time
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODULES = (
    *("admission", "answers", "application", "batching", "gathering", "http", "http_messages", "ids", "metrics"),
    *("pending", "recording", "replicas", "responses", "signature", "spool", "spool_writer"),
)
# What those modules are made of, and what they import: its types are compiled in.
SOURCES = (
    *("models/gateway", "platform/modelwright/core", "platform/modelwright/compute/backends/sockets.py"),
    *("platform/runtime/modelwright_runtime", "uv.lock"),
)
KEPT_SECONDS = 7 * 24 * 3600.0
_DIGEST = re.compile(r"[0-9a-f]{32}")
SETTINGS = """[mypy]
python_version = 3.11
explicit_package_bases = True
namespace_packages = True
ignore_missing_imports = True
follow_imports = silent
cache_dir = {cache}
mypy_path = {path}
"""


class BuildError(Exception):
    """It cannot be made here; the message says why."""


class CompilerError(BuildError):
    """Everything is there, and the compiler did not get through."""


def folder_in(root: Path) -> Path:
    """Where what is made of the sources as they are belongs, below `root`."""
    content = sha256(f"{sysconfig.get_config_var('SOABI')} {sysconfig.get_platform()}".encode())
    for name in SOURCES:
        place = ROOT / name
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            content.update(f"\0{file.relative_to(ROOT)}\0".encode())
            content.update(file.read_bytes())
    return root / content.hexdigest()[:32]


def build(root: Path) -> Path:
    """The folder of machine code for the sources as they are; made where it is not there yet, which takes some 20 s.
    What was made of others more than a week ago goes. Raises `BuildError`: at once where it came to nothing before."""
    folder = folder_in(root)
    if folder.is_dir():
        return folder
    if shutil.which("cc") is None and shutil.which("gcc") is None:
        raise BuildError("there is no C compiler; install gcc")
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        raise BuildError("Python's header files are missing; install python3-dev")
    in_vain = folder.with_suffix(".failed")
    if in_vain.exists():
        raise BuildError(f"{in_vain.read_text()}\nDelete {in_vain} to have it tried again.")
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root) as work:
        made = Path(work, "made")
        try:
            _compile(Path(work), made)
        except CompilerError as error:
            in_vain.write_text(str(error))
            raise
        # Somebody else may have been faster, with the same.
        with contextlib.suppress(OSError):
            made.rename(folder)
    for old in root.iterdir():
        if _DIGEST.fullmatch(old.name) and old != folder and old.stat().st_mtime < time.time() - KEPT_SECONDS:
            shutil.rmtree(old, ignore_errors=True)
    return folder


def _there(root: Path) -> Path:
    folder = folder_in(root)
    if not folder.is_dir():
        raise BuildError(f"{root} holds nothing that was made of these sources")
    return folder


def _compile(work: Path, made: Path) -> None:
    try:
        from mypyc.build import mypycify
        from setuptools import Distribution
    except ImportError as error:
        raise BuildError(f"{error.name} is not installed; it belongs to the dependency group native") from None
    path = os.pathsep.join(map(str, (ROOT, ROOT / "platform", ROOT / "platform" / "runtime")))
    settings = work / "mypy.ini"
    settings.write_text(SETTINGS.format(cache=work / "cache", path=path))
    files = [f"models/gateway/{name}.py" for name in MODULES]
    before = Path.cwd()
    try:
        os.chdir(ROOT)  # modules are named by where their files are from here
        extensions = mypycify(
            ["--config-file", str(settings), *files],
            opt_level="2",
            debug_level="0",
            target_dir=str(work / "c"),
            group_name="modelwright_gateway",
        )
        command = Distribution({"name": "modelwright-gateway", "ext_modules": extensions}).get_command_obj("build_ext")
        command.build_lib, command.build_temp = str(made), str(work / "objects")
        command.ensure_finalized()
        command.run()
    except (Exception, SystemExit) as error:
        raise CompilerError(f"the compiler failed: {error}") from error
    finally:
        os.chdir(before)


def main(arguments: list[str] | None = None) -> int:
    """Print the folder, made before where it was not there; 1 and the reason where it cannot be made."""
    parser = argparse.ArgumentParser(prog="models.gateway.native", description=__doc__)
    parser.add_argument("root", type=Path, help="what is made lies below this folder")
    parser.add_argument("--look", action="store_true", help="make nothing")
    options = parser.parse_args(arguments)
    root = options.root.absolute()
    try:
        # Last, after what the compiler says.
        print(_there(root) if options.look else build(root))
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
