"""Reads the catalogue's folders."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from modelwright.core.errors import NotFound
from projects.manifest import MANIFEST_NAME, Manifest, parse_manifest

CATALOGUE = Path(__file__).resolve().parent / "catalogue"
_LEFT_OUT = frozenset({"__pycache__", "mlruns", ".venv"})


@dataclass(frozen=True, slots=True)
class Prototype:
    """A project to start from. `files` maps paths to contents; the manifest among them is `manifest`."""

    name: str
    manifest: Manifest
    files: Mapping[str, bytes]

    @property
    def readme(self) -> str:
        """The report for readers, in Markdown."""
        return self.files.get("README.md", b"").decode()


@functools.cache
def list_prototypes() -> tuple[Prototype, ...]:
    """Every prototype of the catalogue, by name. It comes with the installation, so it is read once."""
    return tuple(_load(folder) for folder in sorted(CATALOGUE.iterdir()) if (folder / MANIFEST_NAME).is_file())


def get_prototype(name: str) -> Prototype:
    """The prototype called `name`. Raises NotFound."""
    for prototype in list_prototypes():
        if prototype.name == name:
            return prototype
    raise NotFound(
        f"There is no prototype called {name[:63]!r}.",
        remedy=f"Choose one of {', '.join(p.name for p in list_prototypes())}.",
        field="prototype",
    )


def blank_files(name: str) -> dict[str, bytes]:
    """The first files of a project that starts from nothing."""
    return {
        "README.md": f"# {name}\n".encode(),
        MANIFEST_NAME: (
            "# The steps of this project. docs/project-file.md of Modelwright explains every entry.\n"
            f'name: "{name}"\nsteps: []\n'
        ).encode(),
    }


def _load(folder: Path) -> Prototype:
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not _LEFT_OUT & set(path.relative_to(folder).parts)
    }
    return Prototype(name=folder.name, manifest=parse_manifest(files[MANIFEST_NAME]), files=files)
