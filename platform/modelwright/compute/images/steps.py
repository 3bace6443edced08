"""What the engine does when an image or a lock is built: single builds, and the images that they begin from."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from modelwright.compute.backends.base import BackendError
from modelwright.compute.backends.docker.engine import Api, connect, is_absent, told_apart
from modelwright.compute.images import recipe
from modelwright.compute.images.order import LARGEST_LOCK, BuildOrder, LockOrder
from modelwright.compute.images.uv import find_uv

BASE = "python:{python}-slim"
TOOLS = "modelwright-tools"
LOCKS = "modelwright-lock"
# As much as a build's workload reserves.
MEMORY_BYTES = 2 * 1024**3
BUILD_SECONDS = 3600
# Where the index is, and the way to it.
ARGUMENTS = ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_NATIVE_TLS")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
Say = Callable[[str], None]
# What programs write for terminals.
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class Steps:
    """One engine. Everything connects when it is first needed, and raises the errors of the backends' contract."""

    def __init__(
        self,
        *,
        instance: str,
        engine: str = "",
        base: str = BASE,
        uv: str = "",
        network: str = "",
        registry: str = "",
    ) -> None:
        """`base` may contain `{python}`; `network` is that of builds, empty for the engine's own.

        `registry` is where other machines pull images from, empty where there are none.
        """
        self._instance = instance
        self._engine = engine
        self._base = base
        self._uv = uv
        self._network = network
        self.registry = registry
        self._given = {name: os.environ[name] for name in (*ARGUMENTS, *PROXIES) if name in os.environ}
        self._connection: Api = None

    @property
    def _api(self) -> Api:
        self._connection = self._connection or connect(self._engine)
        return self._connection

    def base(self, python: str) -> dict[str, Any]:
        """The engine's description of the base, which is fetched where it is missing. Raises ImageMissingError."""
        name = self._base.format(python=".".join(python.split(".")[:2]))
        with told_apart(f"An environment on {name} could not be built"):
            found = self.find(name)
            if found is None:
                repository, _, tag = name.rpartition(":")
                self._api.pull(repository, tag)
                found = self._api.inspect_image(name)
            return {**found, "Name": name}

    def find(self, image: str) -> dict[str, Any] | None:
        """The engine's description of the image, None when it is not there."""
        with told_apart(f"The image {image} could not be looked up"):
            try:
                found: dict[str, Any] = self._api.inspect_image(image)
            except Exception as error:
                if is_absent(error):
                    return None
                raise
            return found

    def remove(self, image: str) -> None:
        """Takes the image's name away; what nothing else needs of it goes too. None that is in use."""
        with told_apart(f"The image {image} could not be removed"):
            try:
                self._api.remove_image(image)
            except Exception as error:
                if not is_absent(error):
                    raise

    def image(self, order: BuildOrder, image: str, say: Say) -> None:
        """Builds it."""
        tools = self._tools(order.python, say)
        if order.needs_git:
            tools = self._with_git(tools, say)
        text = recipe.dockerfile(order, tools, self._names)
        self._build({"Dockerfile": text.encode(), "lock.txt": order.lock.encode()}, image, say)

    def push(self, image: str, say: Say) -> None:
        """Puts it into the registry under the same name, if there is one."""
        if not self.registry:
            return
        repository, _, tag = f"{self.registry}/{image}".rpartition(":")
        what = f"The image could not be pushed to {self.registry}"
        with told_apart(what):
            self._api.tag(image, repository, tag)
            for piece in self._api.push(repository, tag, stream=True, decode=True):
                if "error" in piece:
                    raise BackendError(f"{what}: {piece['error']}")
        say(f"Pushed to {self.registry}.\n")

    def lock(self, order: LockOrder, say: Say) -> str:
        """The lock. Always afresh, since the index may have changed."""
        tools = self._tools(order.python, say)
        text = recipe.lock_dockerfile(order, tools, self._names)
        image = f"{LOCKS}:{order.name.removeprefix('lock-')}"
        files = {"Dockerfile": text.encode(), order.kind: order.requirements.encode()}
        if order.additions:
            files[recipe.ADDITIONS] = order.additions.encode()
        self._build(files, image, say, nocache=True)
        with told_apart("The lock could not be read"):
            made = self._api.create_container(image, ["true"])
            try:
                pieces, _ = self._api.get_archive(made["Id"], recipe.LOCK)
                lock = _only_file(pieces)
            finally:
                with contextlib.suppress(Exception):
                    self._api.remove_container(made["Id"], force=True)
                    self._api.remove_image(image)
        return lock.strip() + "\n"

    @property
    def _names(self) -> Sequence[str]:
        """The engine knows the proxies' names by itself, and keeps their values out of the image's history."""
        return [name for name in self._given if name not in PROXIES]

    def _tools(self, python: str, say: Say) -> str:
        """The base with uv, made once for each base and each uv."""
        base = self.base(python)
        program = find_uv(self._uv)
        status = program.stat()
        text = f"{base['Id']} {program} {status.st_size} {status.st_mtime_ns}"
        image = f"{TOOLS}:{hashlib.sha256(text.encode()).hexdigest()[:40]}"
        if self.find(image) is None:
            dockerfile = recipe.tools_dockerfile(base["Name"], self._instance).encode()
            self._build({"Dockerfile": dockerfile, "uv": program.read_bytes()}, image, say)
        return image

    def _with_git(self, tools: str, say: Say) -> str:
        """The same with Git, made once."""
        image = f"{tools}-git"
        if self.find(image) is None:
            self._build({"Dockerfile": recipe.git_dockerfile(tools, self._names).encode()}, image, say)
        return image

    def _build(self, files: Mapping[str, bytes], image: str, say: Say, *, nocache: bool = False) -> None:
        with told_apart("The image could not be built"):
            stream = self._api.build(
                fileobj=recipe.context(files),
                custom_context=True,
                tag=image,
                rm=True,
                forcerm=True,
                nocache=nocache,
                decode=True,
                timeout=BUILD_SECONDS,
                network_mode=self._network or None,
                buildargs=self._given,
                labels={recipe.LABEL: self._instance},
                container_limits={"memory": MEMORY_BYTES, "memswap": MEMORY_BYTES},
            )
            with contextlib.closing(stream):
                for piece in stream:
                    if "error" in piece:
                        raise BackendError(str(piece["error"]))
                    if text := str(piece.get("stream", "")):
                        say(_COLOURS.sub("", text))


def _only_file(pieces: Any) -> str:
    """The text of the one file in the engine's archive."""
    data = bytearray()
    for piece in pieces:
        data += piece
        if len(data) > 2 * LARGEST_LOCK:
            raise BackendError("The lock is larger than 4 MiB.")
    with tarfile.open(fileobj=io.BytesIO(bytes(data))) as archive:
        for member in archive:
            if (stream := archive.extractfile(member)) is not None:
                return stream.read(LARGEST_LOCK).decode()
    raise BackendError("The build left no lock.")


def size_of(found: Mapping[str, Any], base: Mapping[str, Any]) -> int:
    """Bytes that an image has more than its base."""
    return max(0, int(found.get("Size", 0)) - int(base.get("Size", 0)))


def log_in(folder: Path) -> Path:
    """Where a build's log is."""
    return folder / "log"
