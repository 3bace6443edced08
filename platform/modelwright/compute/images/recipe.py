"""The Dockerfiles of environments and locks, and the files that they need. Engines of 2021 can build them."""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Iterable, Mapping

from modelwright.compute.environments.build import explain
from modelwright.compute.images.order import BuildOrder, LockOrder

LABEL = "modelwright.instance"
UV = "/opt/modelwright/uv"
LOCK = "/opt/modelwright/lock.txt"
ADDITIONS = "additions.txt"
# Images of Python come without it. A base that has it needs nothing of any network.
GIT = (
    "command -v git >/dev/null || { apt-get update -q && apt-get install -q -y --no-install-recommends git"
    " && rm -rf /var/lib/apt/lists/*; }"
)
CHECK = "import sys; found = '%d.%d.%d' % sys.version_info[:3]; sys.exit(not (found + '.').startswith('{python}.'))"
_REMEDIES = (
    (
        r"no-install-recommends git.*non-zero code",
        "Sessions save by Git, which the base image does not have and which could not be installed into it. An "
        "administrator can let image builds reach the mirror of its distribution, or use a base image that has Git.",
    ),
    (r"code: 137", "The build ran out of memory. Choose versions that have wheels, so that nothing is compiled."),
    (
        r"(?i)failed to create endpoint|network \S+ not found|OCI runtime|containerd|no such network interface",
        "It is not the requirements: the host's container engine is in trouble. An administrator should look at it.",
    ),
    (r"(?i)pull access denied|manifest .*unknown|not known", "An administrator can load the base image on the host."),
)


def tools_dockerfile(base: str, instance: str) -> str:
    """The base with uv. The label comes first, so that what a failed build leaves carries it as well."""
    return "\n".join([f"FROM {base}", f'LABEL {LABEL}="{instance}"', f"COPY uv {UV}"]) + "\n"


def git_dockerfile(tools: str, arguments: Iterable[str]) -> str:
    """The same with Git."""
    return _file(tools, arguments, f"RUN {GIT}")


def dockerfile(order: BuildOrder, tools: str, arguments: Iterable[str]) -> str:
    """A virtual environment at the order's path with exactly what the lock names, readable by any user.

    One step, since whatever a second one changed would be in the image twice.
    """
    python = f"{order.path}/bin/python"
    install = f"{UV} pip sync --python {python} --require-hashes --link-mode copy --compile-bytecode --no-cache"
    steps = [
        f'python3 -c "{CHECK.format(python=order.python)}"',
        f"python3 -m venv --without-pip {order.path}",
        f"{install} --allow-empty-requirements {LOCK}",
        f"chmod -R a+rX {order.path}",
    ]
    return _file(tools, arguments, f"COPY lock.txt {LOCK}", f"RUN {' && '.join(steps)}")


def lock_dockerfile(order: LockOrder, tools: str, arguments: Iterable[str]) -> str:
    """Exact versions with hashes of what the file asks for, in a stable order."""
    files = [order.kind, *([ADDITIONS] if order.additions else [])]
    compile_ = f"{UV} pip compile {' '.join(files)} --python-version {order.python} --generate-hashes"
    return _file(
        tools,
        arguments,
        "WORKDIR /opt/modelwright/source",
        *(f"COPY {name} {name}" for name in files),
        f"RUN {compile_} --no-header --no-annotate --no-cache --quiet --output-file {LOCK}",
    )


def _file(tools: str, arguments: Iterable[str], *steps: str) -> str:
    return "\n".join([f"FROM {tools}", *(f"ARG {name}" for name in arguments), *steps]) + "\n"


def context(files: Mapping[str, bytes]) -> io.BytesIO:
    """The build context as a tar archive. Equal files give equal archives, so the engine's cache serves them."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o755 if name == "uv" else 0o644
            tar.addfile(entry, io.BytesIO(data))
    archive.seek(0)
    return archive


def remedy(output: str) -> str:
    """What the author of the requirements can do about a build that failed with this output."""
    for pattern, text in _REMEDIES:
        if re.search(pattern, output):
            return text
    return explain(output).remedy
