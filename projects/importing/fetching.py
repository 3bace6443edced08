"""Fetches one branch of a repository elsewhere into a repository of its own, of which nothing is trusted yet.

Git may speak https with the judged addresses alone: no other protocol, no redirect, no submodules, no hooks, no
credentials but those that are given, which are in its environment and never in a command line.
"""

from __future__ import annotations

import base64
import contextlib
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import IO

from django.conf import settings

from modelwright.core.errors import Unavailable, ValidationFailed
from modelwright.core.outside import Refused
from projects.importing.explaining import explained
from projects.importing.guarding import REMEDY, Place, place_of
from projects.importing.running import Tell, run_bounded
from projects.source.git import command, environment, run
from projects.source.incoming import MAX_PACK_BYTES

FETCH_SECONDS = 900
PACK_SECONDS = 300
PREFIX = "importing-"
_REF = "refs/heads/import"
# With older ones nobody can say where Git connects to.
_OLDEST_GIT = (2, 37)
_OPTIONS = (
    "http.followRedirects=false",
    "http.sslVerify=true",
    "http.proxy=",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=30",
    "credential.helper=",
    "transfer.bundleURI=false",
    "fetch.uriProtocols=",
    "fetch.fsckObjects=true",
    # Always one pack, which is bounded, and never single files, which are what they claim to be once unpacked.
    "fetch.unpackLimit=1",
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to fetch, and what to sign in with. An empty branch is the one that the repository itself calls its main."""

    address: str
    branch: str = ""
    username: str = ""
    password: str = field(default="", repr=False)

    @property
    def basic(self) -> str:
        """The credentials as the header `Authorization` has them, empty for none."""
        if not self.password:
            return ""
        return base64.b64encode(f"{self.username or 'git'}:{self.password}".encode()).decode()


@contextlib.contextmanager
def fetched(wanted: Wanted, near: Path, tell: Tell) -> Iterator[Path]:
    """A bare repository, in a folder beside `near`, that has what is wanted; gone afterwards.

    Raises ValidationFailed where it may not be asked or refuses, Unavailable, Cancelled.
    """
    _check_git()
    try:
        place = place_of(wanted.address)
    except Refused as refused:
        raise ValidationFailed(str(refused), remedy=REMEDY) from None
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=near, ignore_cleanup_errors=True) as scratch:
        repository = Path(scratch) / "r.git"
        run(repository, ["init", "--quiet", "--bare", "--template="])
        _fetch(repository, wanted, place, tell)
        yield repository


def tip_of(repository: Path) -> str:
    """The commit that was fetched."""
    return run(repository, ["rev-parse", "--verify", f"{_REF}^{{commit}}"]).decode().strip()


@contextlib.contextmanager
def packed(repository: Path) -> Iterator[IO[bytes]]:
    """Everything that was fetched as one pack, as somebody would push it."""
    with tempfile.TemporaryFile(dir=repository) as pack:
        subprocess.run(
            command(repository, "pack-objects", "--stdout", "--revs", "--quiet"),
            input=f"{_REF}\n".encode(),
            stdout=pack,
            stderr=subprocess.DEVNULL,
            env=environment(),
            timeout=PACK_SECONDS,
            check=True,
        )
        pack.seek(0)
        yield pack


def _fetch(repository: Path, wanted: Wanted, place: Place, tell: Tell) -> None:
    options = list(_OPTIONS)
    if place.addresses:
        # Git asks no resolver a second time: it goes to what was judged.
        options.append(f"http.curloptResolve={place.host}:{place.port}:{','.join(map(_bracketed, place.addresses))}")
    program, *common = command(repository)
    said = [part for option in options for part in ("-c", option)]
    source = f"refs/heads/{wanted.branch}" if wanted.branch else "HEAD"
    fetch = [
        *("fetch", "--progress", "--no-tags", "--no-recurse-submodules", "--no-auto-maintenance"),
        *("--no-write-fetch-head", "--", wanted.address, f"+{source}:{_REF}"),
    ]
    given = {"GIT_ALLOW_PROTOCOL": "https"}
    if settings.IMPORT_CA_FILE:
        given["GIT_SSL_CAINFO"] = settings.IMPORT_CA_FILE
    if wanted.basic:
        given |= {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "http.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Basic {wanted.basic}",
        }
    status, words = run_bounded(
        [program, *common, *said, *fetch],
        environment=environment(given),
        folder=repository,
        most_bytes=MAX_PACK_BYTES,
        seconds=FETCH_SECONDS,
        tell=tell,
    )
    if status:
        raise explained(words, hidden=(wanted.password, wanted.basic))


@cache
def _check_git() -> None:
    said = run(Path("/nonexistent"), ["version"]).decode(errors="replace")
    found = re.search(r"(\d+)\.(\d+)", said)
    if found is None or (int(found[1]), int(found[2])) < _OLDEST_GIT:
        raise Unavailable(
            f"The platform's Git is too old to import with ({said.strip()[:60]}).",
            remedy=f"Have the administrator install Git {'.'.join(map(str, _OLDEST_GIT))} or newer.",
        )


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
