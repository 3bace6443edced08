"""The environment that a version is scored in: its own, with what reading and writing take besides."""

from __future__ import annotations

import re
from collections.abc import Iterable

from modelwright.accounts.actors import Actor
from modelwright.compute.models import EnvironmentRequest
from modelwright.compute.services import request_environment
from modelwright.core.errors import Conflict

# What a library is asked for as, where the version's own lock has it not.
LIBRARIES = {"pyarrow": "pyarrow>=15", "psycopg": "psycopg[binary]>=3.1"}
_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)((?:\[[^\]]*\])?==[^\s\\;]+(?:\s*;[^\\#]*)?)", re.M)


def environment_with(
    request: EnvironmentRequest | None, libraries: Iterable[str], *, acting_user: Actor
) -> EnvironmentRequest:
    """The version's environment where it has the libraries, else one of exactly its packages and them.

    The latter is built when it is first needed, and the job waits for it. Raises Conflict where the version has none.
    """
    if request is None:
        raise Conflict(
            "The version has no environment yet.",
            remedy="Have it inspected again on its page; then try again.",
            field="model_version",
        )
    if request.environment is None:
        own = {name.lower() for name in re.findall(r"^[A-Za-z0-9][A-Za-z0-9._-]*", request.requirements, re.M)}
        lines = [request.requirements.rstrip()]
    else:
        pins = _PIN.findall(request.environment.lock)
        own = {name.lower() for name, _ in pins}
        lines = [f"{name}{rest.rstrip()}" for name, rest in pins]
    missing = [LIBRARIES[name] for name in sorted(libraries) if name not in own]
    if not missing:
        return request
    if request.environment is None and request.kind != EnvironmentRequest.Kind.REQUIREMENTS:
        raise Conflict(
            "The version's environment is still being built.", remedy="Try again when it is.", field="model_version"
        )
    python = request.environment.python_version if request.environment else request.python_version
    return request_environment(
        requirements="\n".join([*lines, *missing, ""]), python=_minor(python), acting_user=acting_user
    )


def _minor(python: str) -> str:
    return ".".join(python.split(".")[:2])
