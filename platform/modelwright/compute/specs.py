"""Makes the frozen spec that a backend takes from a workload's row."""

from __future__ import annotations

import math
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from django.conf import settings

import modelwright
from modelwright.compute.backends.base import (
    ArchiveSource,
    ImageMissingError,
    Limits,
    SourceError,
    WorkloadKey,
    WorkloadSpec,
)
from modelwright.compute.backends.docker.entry import SECRETS as CONTAINER_SECRETS
from modelwright.compute.backends.shim.record import SECRETS
from modelwright.compute.copies import image_on
from modelwright.compute.fetching import archive_source, fetch_model, model_folder
from modelwright.compute.layout import (
    address_for_workloads,
    environment_folder,
    environments_folder,
    has_containers,
    socket_path,
    web_url,
    workloads_folder,
)
from modelwright.compute.masking import forms
from modelwright.compute.models import Workload
from modelwright.compute.sealed import unseal
from modelwright.compute.spreading import spread

# What a process needs to trust the same certificates as the host. None of them is a secret.
TRUST = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
# What an environment build needs besides: where the index is, and the way to it.
INDEX = ("PATH", "HOME", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
# Tells an application where to ask for predictions.
GATEWAY = "MODELWRIGHT_GATEWAY_URL"
_AWAITED = (Workload.Kind.REPLICA, Workload.Kind.SESSION, Workload.Kind.APPLICATION)
# Found on the path of the image.
IMAGE_PYTHON = "python3"
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def make_spec(workload: Workload) -> WorkloadSpec:
    """The spec of a placed workload, on its host, with what it needs of the blob store on this disk.

    In its command and plain variables, not in the secret ones, these stand for what this host has in their place:
    `{workload}` its key, `{folder}` and `{work}` its folder and working folder, `{python}` the interpreter of its
    environment, `{socket}` the path of a socket in a folder of its own, `{model:<digest>}` the files of a model that
    its spec names, `{data}` the data directory, `{environments}` the folder of environments, `{builder}` the name of
    the program that builds them, `{runtime}` the folder of the runtime, `{platform}` that of the platform's own code,
    `{host-python}` the platform's interpreter, `{web}` the address of the platform's API.

    Raises Unavailable when an archive or model is missing or damaged, UnavailableError when they cannot be had yet.
    """
    if workload.fence is None:
        raise ValueError(f"workload {workload.pk} has no placement")
    spec: dict[str, Any] = workload.spec
    key = WorkloadKey(str(workload.pk), workload.fence)
    names = _placeholders(workload, key)
    models = [str(fetch_model(digest)) for digest in spec.get("models", [])]
    secrets = unseal(workload.secrets)
    plain = {name: _fill(value, names) for name, value in spec["environment"].items()}
    paths = {name: f"{names['{secrets}']}/{name}" for name in secrets.files}
    if GATEWAY in plain:
        plain[GATEWAY] = address_for_workloads(settings.HOST_GATEWAY_URL or plain[GATEWAY])
    given = {**plain, **secrets.variables, **paths}
    made = WorkloadSpec(
        key=key,
        command=[_fill(part, names) for part in spec["command"]],
        environment=_environment(workload, given, names),
        limits=Limits(
            # The share under contention. Replicas and sessions reserve little, since most of them idle most of the
            # time, but when one works somebody waits for its answer.
            cpu=max(workload.cpu, 1.0) if workload.kind in _AWAITED else workload.cpu,
            memory_bytes=workload.memory_bytes,
            timeout_seconds=workload.timeout_seconds,
            grace_seconds=spec.get("grace_seconds", Limits.grace_seconds),
        ),
        source=_source(spec),
        files=spec.get("files", {}),
        secret_files=secrets.files,
        masked=forms(secrets.masked),
        directory=spec.get("directory", ""),
        readable=[*_readable(workload), *models],
        writable=_writable(spec, names),
        gpus=tuple(workload.gpu_indexes),
        image=_image(workload),
        kind=workload.kind,
    )
    if settings.BACKEND != "swarm":
        return made
    return spread(made, socket=socket_path(key.name), labels=workload.labels, secret=settings.SECRET_KEY)


def _source(spec: dict[str, Any]) -> ArchiveSource | None:
    source = spec.get("source")
    if not source:
        return None
    if "archive" not in source:
        raise SourceError("It was queued by an earlier version of the platform, in another form. Start it again.")
    return archive_source(source["archive"])


def _readable(workload: Workload) -> list[str]:
    """What it needs of this host besides its working folder."""
    folders = [settings.MODELWRIGHT_RUNTIME_SOURCE]
    if workload.environment and not has_containers():
        folders.append(environment_folder(workload.environment))
    return [str(folder) for folder in folders]


def _image(workload: Workload) -> str:
    """What it runs in on a host with containers: the image of its environment, or the ready one that it names."""
    if not has_containers():
        return ""
    if workload.environment is None or workload.host is None:
        return str(workload.spec.get("image", ""))
    image = image_on(workload.environment, workload.host)
    if not image:
        raise ImageMissingError(
            f"The image of environment {workload.environment} is not on host {workload.host.name}.\n"
            "Start it again: that builds the image."
        )
    return image


def _writable(spec: dict[str, Any], names: dict[str, str]) -> list[str]:
    """The folder of its socket, made for the user that it will run as. The folder above keeps strangers out."""
    texts = (*spec["command"], *spec["environment"].values())
    if not any("{socket}" in text for text in texts):
        return []
    folder = Path(names["{socket}"]).parent
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.mkdir(exist_ok=True)
    folder.chmod(0o777 if has_containers() else 0o700)
    return [str(folder)]


def _placeholders(workload: Workload, key: WorkloadKey) -> dict[str, str]:
    folder = workloads_folder() / key.name
    own = IMAGE_PYTHON if has_containers() else sys.executable
    python = environment_folder(workload.environment) / "bin" / "python" if workload.environment else own
    return {
        "{workload}": key.name,
        "{folder}": str(folder),
        "{work}": str(folder / "work"),
        "{secrets}": CONTAINER_SECRETS if has_containers() else str(folder / SECRETS),
        "{python}": str(python),
        "{socket}": str(socket_path(key.name)),
        "{data}": str(settings.DATA_DIR),
        "{environments}": str(environments_folder()),
        "{runtime}": str(settings.MODELWRIGHT_RUNTIME_SOURCE),
        "{builder}": "build_image" if has_containers() else "build",
        "{platform}": str(Path(modelwright.__file__).parent),
        "{host-python}": sys.executable,
        "{web}": web_url(),
        **{f"{{model:{digest}}}": str(model_folder(digest)) for digest in workload.spec.get("models", [])},
    }


def _fill(text: str, names: dict[str, str]) -> str:
    for name, value in names.items():
        text = text.replace(name, value)
    return text


def _environment(workload: Workload, given: dict[str, str], names: dict[str, str]) -> dict[str, str]:
    folder = str(Path(names["{python}"]).parent)
    threads = str(max(1, math.ceil(workload.cpu)))
    made = {
        "PATH": SYSTEM_PATH if folder == "." else f"{folder}:{SYSTEM_PATH}",
        "HOME": names["{work}"],
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": str(settings.MODELWRIGHT_RUNTIME_SOURCE),
        **dict.fromkeys(THREADS, threads),
    }
    if has_containers():
        # An image does not know its user's number, and many a library wants a name.
        made.update({"USER": "workload", "LOGNAME": "workload"})
    else:
        made.update({name: os.environ[name] for name in TRUST if name in os.environ})
    if workload.environment:
        made["VIRTUAL_ENV"] = str(environment_folder(workload.environment))
    if workload.kind == Workload.Kind.ENVIRONMENT:
        made.update(_build_environment())
        made["MODELWRIGHT_KEEPER_SOCKET"] = settings.KEEPER_SOCKET
    if "PYTHONPATH" in given:
        given = {**given, "PYTHONPATH": f"{made['PYTHONPATH']}:{given['PYTHONPATH']}"}
    return {**made, **given}


def _build_environment() -> dict[str, str]:
    passed = {name: value for name, value in os.environ.items() if name in INDEX or name.startswith("UV_")}
    beside = Path(sys.executable).parent / "uv"
    uv = os.environ.get("MODELWRIGHT_UV") or (str(beside) if beside.exists() else shutil.which("uv"))
    return {**passed, **({"MODELWRIGHT_UV": uv} if uv else {})}
