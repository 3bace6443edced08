"""A session's own place for packages, on top of the environment, which is shared and stays as it is."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

_NAME = f"python{sys.version_info.major}.{sys.version_info.minor}"


def make_overlay(folder: Path) -> Path:
    """A virtual environment that finds first what is installed into it, then all of ours. Returns its interpreter."""
    base = Path(os.path.realpath(getattr(sys, "_base_executable", sys.executable)))
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    site = site_of(folder)
    site.mkdir(parents=True, exist_ok=True)
    version = ".".join(map(str, sys.version_info[:3]))
    # In a ready image there may be no environment beneath, but the packages of its only Python.
    beneath = "true" if sys.prefix == sys.base_prefix else "false"
    (folder / "pyvenv.cfg").write_text(
        f"home = {base.parent}\ninclude-system-site-packages = {beneath}\nversion = {version}\n"
    )
    python = folder / "bin" / "python"
    for name in ("python", "python3", _NAME):
        if not (folder / "bin" / name).is_symlink():
            (folder / "bin" / name).symlink_to(base)
    # So that what lies there in files of the same kind is found, too.
    ours = sysconfig.get_paths()["purelib"]
    (site / "_modelwright.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    for name in ("pip", "pip3"):
        script = folder / "bin" / name
        script.write_text(f'#!/bin/sh\nexec "{python}" -m pip "$@"\n')
        script.chmod(0o755)
    return python


def site_of(folder: Path) -> Path:
    """Where its packages lie."""
    return folder / "lib" / _NAME / "site-packages"


def installed(folder: Path) -> list[str]:
    """What somebody installed there by name, as requirements; not what came along with it."""
    found = []
    for record in sorted(site_of(folder).glob("*.dist-info")):
        name, _, version = record.name.removesuffix(".dist-info").partition("-")
        if (record / "REQUESTED").exists() and version:
            found.append(f"{name.replace('_', '-').lower()}=={version}")
    return found
