"""The addresses below an endpoint's own: which protocol speaks there, what it asks for, and of which model."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import quote, unquote

OWN, MLFLOW, V2, TENSORFLOW = "own", "mlflow", "v2", "tensorflow"
PREDICT = "predict"  # the only operation whose body is records
FEEDBACK = "feedback"  # its body is truth for predictions; every other operation is read
OPENAPI = "openapi"  # the endpoint's OpenAPI document
UNKNOWN = "unknown"  # nothing: an address that this protocol's clients may ask, and that is not answered


class Address(NamedTuple):
    """What a path below the endpoint's means. `model` and `version` are what it names, empty where it names none."""

    protocol: str
    operation: str
    model: str = ""
    version: str = ""


_FIXED = {
    "predict": Address(OWN, PREDICT),
    "openapi.json": Address(OWN, OPENAPI),
    "feedback": Address(OWN, FEEDBACK),
    "invocations": Address(MLFLOW, PREDICT),
    "ping": Address(MLFLOW, "ping"),
    "health": Address(MLFLOW, "ping"),
    "version": Address(MLFLOW, "version"),
    "v2": Address(V2, "server"),
    "v2/health/live": Address(V2, "live"),
    "v2/health/ready": Address(V2, "ready"),
}
_BY_MODEL = {
    "v2/models/{}": Address(V2, "model"),
    "v2/models/{}/ready": Address(V2, "model-ready"),
    "v2/models/{}/infer": Address(V2, PREDICT),
    "v1/models/{}:predict": Address(TENSORFLOW, PREDICT),
    "v1/models/{}": Address(TENSORFLOW, "status"),
    "v1/models/{}/metadata": Address(TENSORFLOW, "metadata"),
}
_PREFIXES = {"v2/": V2, "v1/": TENSORFLOW}
_PATTERN = re.compile(
    r"(?P<protocol>v1|v2)/models/(?P<model>[^/:]+)(?:/versions/(?P<version>[^/:]+))?(?P<rest>(?:[/:][a-z]+)?)"
)


def hot(models: Iterable[tuple[str, int]]) -> dict[str, Address]:
    """The addresses that are asked often, of an endpoint that serves these models and versions."""
    found = {path: address for path, address in _FIXED.items() if address.operation in (PREDICT, FEEDBACK)}
    for model, version in models:
        for pattern, address in _BY_MODEL.items():
            if address.operation != PREDICT:
                continue
            found[pattern.format(quote(model, safe=""))] = address._replace(model=model)
            with_version = f"{quote(model, safe='')}/versions/{version}"
            found[pattern.format(with_version)] = address._replace(model=model, version=str(version))
    return found


def parse(path: str) -> Address | None:
    """What any address means, whether the model or version that it names exists or not; None when it is of no
    protocol."""
    fixed = _FIXED.get(path)
    if fixed is not None:
        return fixed
    match = _PATTERN.fullmatch(path)
    address = _BY_MODEL.get(f"{match['protocol']}/models/{{}}{match['rest']}") if match is not None else None
    if match is None or address is None:
        return next((Address(name, UNKNOWN) for prefix, name in _PREFIXES.items() if path.startswith(prefix)), None)
    return address._replace(model=unquote(match["model"]), version=unquote(match["version"] or ""))
