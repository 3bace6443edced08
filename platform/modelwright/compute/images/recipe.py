"""The Dockerfile of an environment, and the files that it needs. It uses nothing that an engine of 2021 lacks."""

from __future__ import annotations

import io
import re
import tarfile

from modelwright.compute.images.order import BuildOrder

LABEL = "modelwright.instance"
CHECK = "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '{python}')"
_REMEDIES = (
    (
        r"No matching distribution found for (\S+)",
        "The index has no {0} that fits this Python and processor. Ask for another version.",
    ),
    (
        r"DO NOT MATCH THE HASHES",
        "A file in the index differs from the locked one. Resolve the requirements again, or check the index.",
    ),
    (
        r"(?i)(gcc|cc|failed building wheel|failed to build)",
        "A package has no wheel for this Python and could not be compiled. Choose a version that has a wheel.",
    ),
    (
        r"(?i)(name resolution|connection|timed out|proxy)",
        "The package index was not reached. Check the network and index settings of the host's engine.",
    ),
    (r"(?i)no space left on device", "The disk is full. Remove unused images or add space."),
)


def dockerfile(order: BuildOrder, base: str, instance: str) -> str:
    """A virtual environment at the order's path with exactly what the lock names, readable by any user.

    The label comes first, so that what a failed build leaves carries it as well.
    """
    python = f"{order.path}/bin/python"
    install = f"python3 -m pip --python {python} install --no-cache-dir --no-deps --require-hashes --compile"
    steps = [
        f"FROM {base}",
        f'LABEL {LABEL}="{instance}"',
        f'RUN python3 -c "{CHECK.format(python=order.python)}"',
        f"RUN python3 -m venv --without-pip {order.path}",
        f"COPY lock.txt {order.path}/lock.txt",
    ]
    if order.lock.strip():
        steps.append(f"RUN {install} --disable-pip-version-check --root-user-action ignore -r {order.path}/lock.txt")
    steps.append(f"RUN chmod -R a+rX {order.path}")
    return "\n".join(steps) + "\n"


def context(order: BuildOrder, base: str, instance: str) -> io.BytesIO:
    """The build context as a tar archive. Equal orders give equal archives, so the engine's cache serves them."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, text in (("Dockerfile", dockerfile(order, base, instance)), ("lock.txt", order.lock)):
            data = text.encode()
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o644
            tar.addfile(entry, io.BytesIO(data))
    archive.seek(0)
    return archive


def remedy(output: str) -> str:
    """What the author of the requirements can do about a build that failed with this output."""
    for pattern, text in _REMEDIES:
        if found := re.search(pattern, output):
            return text.format(*found.groups())
    return "Read the build's log, correct the requirements and start again."
